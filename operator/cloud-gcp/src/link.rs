//! What a session answers: each verb of the cloud port, from the file that knows it.

use async_trait::async_trait;
use caretaker_cloud::{
    Asset, AssetSink, CloudError, CloudLink, CloudStep, ErrorClass, ExcessReport, Ground, Identity, Intent, Member, PermissionGap,
    Presence, ProtectionState, Receipt, RecoverySink, Register, Result, Scope, WantedPermission,
};

use crate::session::Session;
use crate::{deletions, exit, inventory, parent, permissions, presence, recovery, register, schedules};

#[async_trait]
impl CloudLink for Session {
    async fn identity(&self) -> Result<Identity> {
        Ok(self.who().clone())
    }

    async fn permissions(&self, wanted: &[WantedPermission]) -> Result<PermissionGap> {
        permissions::missing(self, wanted).await
    }

    async fn excess(&self, wanted: &[WantedPermission]) -> Result<ExcessReport> {
        register::excess(self, wanted).await
    }

    async fn ways_in(&self) -> Result<Register> {
        register::ways_in(self).await
    }

    async fn discover(&self, scope: &Scope, sink: &mut dyn AssetSink) -> Result<()> {
        if self.folder().is_some() {
            return Err(CloudError::new(ErrorClass::Unsupported, "discover", "a folder holds no assets itself; its projects do"));
        }
        inventory::discover(self, scope, sink).await
    }

    fn reads_an_index(&self, _service: &str) -> bool {
        true
    }

    async fn exists(&self, asset: &Asset) -> Result<Presence> {
        presence::exists(self, asset).await
    }

    async fn deleted(&self, assets: &[&Asset]) -> Result<Vec<bool>> {
        deletions::deleted(self, assets).await
    }

    async fn protection(&self, of: &Intent) -> Result<ProtectionState> {
        schedules::read(self, of).await
    }

    async fn recovery(&self, region: &str, since: jiff::Timestamp, sink: &mut dyn RecoverySink) -> Result<Ground> {
        recovery::read(self, region, since, sink).await
    }

    async fn members(&self) -> Result<Vec<Member>> {
        match self.folder() {
            Some(folder) => parent::list(self, folder).await,
            None => Err(CloudError::new(ErrorClass::Unsupported, "members", "this session leads into one project, not into a folder")),
        }
    }

    async fn perform(&self, _key: &str, step: &CloudStep) -> Result<Receipt> {
        match step {
            CloudStep::RemoveBinding { project_id, member } => exit::remove_binding(self, project_id, member).await,
            other => schedules::perform(self, other).await,
        }
    }
}
