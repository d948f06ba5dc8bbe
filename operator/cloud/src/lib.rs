//! The cloud port: what Caretaker asks of a cloud, in words that fit all of them.
//!
//! This crate knows no SDK. Adapters implement [`CloudConnector`] and [`CloudLink`]; [`fake`] is a whole cloud in memory; the
//! behaviour suite in [`suite`] is what every implementation must pass.
//!
//! Obligations of an implementation:
//! - `discover`, `permissions`, `excess`, `ways_in` and `protection` never write.
//! - `perform` does one planned step; the same step again changes nothing more and says so in its receipt. The exception is closing our own role, whose
//!   trust policy we may not read: it is written as closed once more.
//! - No call is made with the base identity but `base_identity` and the assumption of the client's role.
//! - An answer that did not come is an error, never an empty list.
//! - What an index does not show is gone only once its own service has said so, see [`CloudLink::exists`].

pub mod access;
mod asset;
#[cfg(feature = "runtime")]
pub mod budget;
pub mod catalog;
mod cell_verdict;
mod error;
pub mod fake;
pub mod manifest;
mod model;
mod patch;
mod presence;
mod protection;
#[cfg(feature = "runtime")]
pub mod read_cells;
#[cfg(feature = "runtime")]
pub mod runtime;
mod scope;
mod step;
#[cfg(any(test, feature = "suite"))]
pub mod suite;
#[cfg(feature = "runtime")]
mod time;
mod usage;

use std::sync::Arc;

use async_trait::async_trait;

pub use access::{ExcessReport, ExcessStatement, Narrowing, Register, WayIn, WayKind};
pub use asset::{Address, Asset, AssetType, Cloud, Family, Power, Size, Visibility};
pub use catalog::aws::AwsType;
pub use cell_verdict::{verdict_of, verdict_with};
pub use error::{CloudError, ErrorClass};
pub use model::{
    AccessGrant, AwsGrant, AzureGrant, AzureTenantGrant, Cell, CellKey, EVERYWHERE, GcpFolderGrant, GcpGrant, Identity, Member,
    MemberState, PermissionGap, Presented, Purpose, Verdict, WantedPermission, is_principal,
};
pub use patch::{PatchFacts, patch_cell, patch_service};
pub use presence::Presence;
pub use protection::{
    BackupJob, BackupPlanState, DiskState, Ground, Hindrance, Intent, JobState, Offers, Plans, PointState, ProtectionState, RecoveryPoint,
    RecoverySink, Removal, RestoreRun, RestoreState, RestoreTestState, RestoreTestTerms, ScheduleState, SelectionState, Source, VaultState,
    source_of,
};
pub use scope::Scope;
pub use step::{CloudStep, Receipt, StepOutcome, listed};
pub use usage::{HeldKey, Usage};

/// Result of a call to a cloud.
pub type Result<T> = std::result::Result<T, CloudError>;

/// The provider's way into one kind of cloud.
#[async_trait]
pub trait CloudConnector: Send + Sync {
    /// Who the base credentials are. The only call that is made with them apart from the assumption of a role.
    async fn base_identity(&self) -> Result<Identity>;

    /// Opens a session under the grant and proves whose it is: a session whose account is not the grant's is an error of class
    /// [`ErrorClass::WrongAccount`]. Sessions are never shared between grants that differ in any part.
    async fn connect(&self, grant: &AccessGrant, purpose: Purpose) -> Result<Arc<dyn CloudLink>>;

    /// Tries to get in while presenting the right, a wrong or no secret of the grant, always with a fresh attempt, and throws the session
    /// away. `Ok` means that the cloud let us in.
    async fn attempt(&self, grant: &AccessGrant, presented: Presented) -> Result<Identity>;
}

/// A session in one account of a client.
#[async_trait]
pub trait CloudLink: Send + Sync {
    /// Who this session is, asked of the cloud.
    async fn identity(&self) -> Result<Identity>;

    /// How far the provider's sessions are narrowed, as far as they were opened: the widest counts.
    fn narrowing(&self) -> Narrowing {
        Narrowing::Purpose
    }

    /// Which permissions of `wanted` are not granted.
    async fn permissions(&self, wanted: &[WantedPermission]) -> Result<PermissionGap>;

    /// What our principal is granted beyond `wanted`. Of what the cloud refuses to show, nothing is concluded.
    async fn excess(&self, wanted: &[WantedPermission]) -> Result<ExcessReport>;

    /// Every way of the provider into the account. A part that the cloud refuses to show is a line of its own; a part that did not answer is an error of the
    /// whole.
    async fn ways_in(&self) -> Result<Register>;

    /// Reads all assets of the scope and reports each cell's verdict. An error of one cell is that cell's verdict, never the end of
    /// the run; `Err` means that not even the cells could be planned, or that the sink failed.
    async fn discover(&self, scope: &Scope, sink: &mut dyn AssetSink) -> Result<()>;

    /// Whether the cells of this service ([`CellKey::service`]) are read from an index of the account, which may lag behind the services or leave something
    /// out, and not from the services' own lists. What a complete cell of an index lacks is gone only once [`CloudLink::exists`] says so.
    fn reads_an_index(&self, service: &str) -> bool;

    /// Asks an asset's own service whether it is still there. One or two calls; writes nothing. Where the services' own lists are read, what a complete
    /// cell lacks is gone, and nobody is asked.
    ///
    /// # Errors
    /// No answer came, or the cloud asks to wait: that says nothing about the asset.
    async fn exists(&self, asset: &Asset) -> Result<Presence>;

    /// Of which of these assets the cloud's record says that they were deleted after they were seen last, in their order; false where it says nothing.
    /// Some calls for all of them; writes nothing.
    ///
    /// # Errors
    /// No answer came, or a refusal: that says nothing about the assets.
    async fn deleted(&self, assets: &[&Asset]) -> Result<Vec<bool>> {
        Ok(vec![false; assets.len()])
    }

    /// Reads what is there of an intent: the objects of its name in its regions, and what they hold. Writes nothing. Only where [`Offers::plans`].
    ///
    /// # Errors
    /// Something was not read to its end: an absence may not be concluded from what came.
    async fn protection(&self, of: &Intent) -> Result<ProtectionState>;

    /// Reads every recovery point of one region, whoever made it, and the jobs that were made since a time, page by page into the sink; and what decides
    /// there whether anything is saved at all. Writes nothing. Only where [`Offers::points`].
    ///
    /// # Errors
    /// Something was not read to its end: an absence may not be concluded from what came.
    async fn recovery(&self, _region: &str, _since: jiff::Timestamp, _sink: &mut dyn RecoverySink) -> Result<Ground> {
        Err(CloudError::new(ErrorClass::Unsupported, "read recovery points", "recovery points of this cloud are not read in this release"))
    }

    /// Reads the restore test of a region by its name, and its restores since a time. Writes nothing. Only where [`Offers::restores`].
    async fn restore_test(&self, _of: (&str, &str), _since: jiff::Timestamp) -> Result<RestoreTestState> {
        Err(CloudError::new(ErrorClass::Unsupported, "read restore tests", "restores are not tested on this cloud in this release"))
    }

    /// The accounts of the parent that this session was opened for with [`Purpose::Members`]. The list is complete, or it is an error: the caller
    /// concludes from it which accounts are gone.
    async fn members(&self) -> Result<Vec<Member>>;

    /// Does one step. `key` names the attempt; a repeat under the same key changes nothing more.
    async fn perform(&self, key: &str, step: &CloudStep) -> Result<Receipt>;
}

/// Receives assets and verdicts while they are read. A slow sink slows the reading down; nothing is gathered in between.
#[async_trait]
pub trait AssetSink: Send {
    /// Takes one asset. It belongs to the cell named in it; its cell's verdict comes later.
    async fn asset(&mut self, asset: Asset) -> Result<()>;
    /// Takes the verdict of a cell. Comes once for each planned cell.
    async fn cell(&mut self, cell: Cell) -> Result<()>;
    /// Takes what the reading used of its request budgets. Comes once, at the end, from clouds that count calls.
    fn used(&mut self, _usage: Usage) {}
}
