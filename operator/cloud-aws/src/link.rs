//! What a session answers: each verb of the cloud port, from the file that knows it.

use async_trait::async_trait;
use caretaker_cloud::{
    Asset, AssetSink, CloudLink, CloudStep, ExcessReport, Ground, Identity, Intent, Member, Narrowing, PermissionGap, Presence,
    ProtectionState, Receipt, RecoverySink, Register, RestoreTestState, Result, Scope, WantedPermission,
};
use jiff::Timestamp;

use crate::session::Session;
use crate::{exit, inventory, parent, permissions, policies, presence, protection, recovery, register, restore_test};

#[async_trait]
impl CloudLink for Session {
    async fn identity(&self) -> Result<Identity> {
        Ok(Self::identity(self).await)
    }

    fn narrowing(&self) -> Narrowing {
        self.shared.narrowings.widest()
    }

    async fn permissions(&self, wanted: &[WantedPermission]) -> Result<PermissionGap> {
        permissions::missing(self, wanted).await
    }

    async fn excess(&self, wanted: &[WantedPermission]) -> Result<ExcessReport> {
        policies::excess(self, wanted).await
    }

    async fn ways_in(&self) -> Result<Register> {
        register::ways_in(self).await
    }

    async fn discover(&self, scope: &Scope, sink: &mut dyn AssetSink) -> Result<()> {
        inventory::discover(self, scope, sink).await
    }

    fn reads_an_index(&self, service: &str) -> bool {
        presence::is_of_an_index(service)
    }

    async fn exists(&self, asset: &Asset) -> Result<Presence> {
        Ok(presence::exists(asset))
    }

    async fn protection(&self, of: &Intent) -> Result<ProtectionState> {
        protection::read(self, &of.regions, &of.name).await
    }

    async fn recovery(&self, region: &str, since: Timestamp, sink: &mut dyn RecoverySink) -> Result<Ground> {
        recovery::read(self, region, since, sink).await
    }

    async fn restore_test(&self, of: (&str, &str), since: Timestamp) -> Result<RestoreTestState> {
        restore_test::read(self, of, since).await
    }

    async fn members(&self) -> Result<Vec<Member>> {
        parent::list(self).await
    }

    async fn perform(&self, key: &str, step: &CloudStep) -> Result<Receipt> {
        match step {
            CloudStep::CloseOwnRole { role } => exit::close(self, role).await,
            CloudStep::StripOwnRole { role, last } => exit::strip(self, role, last).await,
            CloudStep::DropLastPolicy { role, last } => exit::drop_last(self, role, last).await,
            CloudStep::SetRestoreTest { terms } => restore_test::set(self, key, terms).await,
            CloudStep::NoteRestore { region, run, is_sound, message, .. } => {
                restore_test::note(self, region, (run, *is_sound, message)).await
            }
            other => protection::perform(self, key, other).await,
        }
    }
}
