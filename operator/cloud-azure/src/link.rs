//! What a session answers: each verb of the cloud port, from the file that knows it.

use async_trait::async_trait;
use caretaker_cloud::{
    Asset, AssetSink, CloudError, CloudLink, CloudStep, ErrorClass, ExcessReport, Ground, Identity, Intent, Member, PermissionGap,
    Presence, ProtectionState, Purpose, Receipt, RecoverySink, Register, Result, Scope, WantedPermission,
};

use crate::session::Session;
use crate::{exit, inventory, permissions, presence, recovery, register};

#[async_trait]
impl CloudLink for Session {
    async fn identity(&self) -> Result<Identity> {
        Self::identity(self).await
    }

    async fn permissions(&self, wanted: &[WantedPermission]) -> Result<PermissionGap> {
        permissions::gap(self, wanted).await
    }

    async fn excess(&self, wanted: &[WantedPermission]) -> Result<ExcessReport> {
        register::excess(self, wanted).await
    }

    async fn ways_in(&self) -> Result<Register> {
        register::ways_in(self).await
    }

    async fn discover(&self, scope: &Scope, sink: &mut dyn AssetSink) -> Result<()> {
        inventory::discover(self, scope, sink).await
    }

    fn reads_an_index(&self, _service: &str) -> bool {
        true
    }

    async fn exists(&self, asset: &Asset) -> Result<Presence> {
        presence::exists(self, asset).await
    }

    async fn protection(&self, _of: &Intent) -> Result<ProtectionState> {
        Err(CloudError::new(ErrorClass::Unsupported, "Microsoft.RecoveryServices/vaults/read", "backups on Azure are not supported yet"))
    }

    async fn recovery(&self, region: &str, since: jiff::Timestamp, sink: &mut dyn RecoverySink) -> Result<Ground> {
        recovery::read(self, region, since, sink).await
    }

    async fn members(&self) -> Result<Vec<Member>> {
        Err(CloudError::not_a_parent())
    }

    async fn perform(&self, _key: &str, step: &CloudStep) -> Result<Receipt> {
        match step {
            // Azure cannot narrow a token to a purpose, so this is where it is kept.
            CloudStep::DeleteDelegation { .. } if self.purpose != Purpose::Revoke => {
                let message = "the session was not opened for removing our own access";
                Err(CloudError::new(ErrorClass::Invalid, exit::DELETE, message))
            }
            CloudStep::DeleteDelegation { subscription_id } => exit::delete_delegation(self, subscription_id).await,
            other => Err(CloudError::new(ErrorClass::Unsupported, "perform", format!("Azure cannot do this yet: {}", other.describe()))),
        }
    }
}
