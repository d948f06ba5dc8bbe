//! A link to a cloud whose writes pass the write gate and are counted.

use std::sync::Arc;

use async_trait::async_trait;
use caretaker_cloud::{
    AccessGrant, Asset, AssetSink, CloudConnector, CloudError, CloudLink, CloudStep, ErrorClass, ExcessReport, Ground, Identity, Intent,
    Member, Narrowing, PermissionGap, Presence, Presented, ProtectionState, Purpose, Receipt, RecoverySink, Register, RestoreTestState,
    Scope, WantedPermission,
};
use caretaker_engine::write_gate::Writes;
use jiff::Timestamp;

/// A connector whose links' writes pass here.
pub struct CountedConnector {
    /// The connector behind.
    pub inner: Arc<dyn CloudConnector>,
    /// The counter.
    pub writes: Writes,
}

pub(crate) struct CountedLink {
    pub(crate) inner: Arc<dyn CloudLink>,
    pub(crate) writes: Writes,
}

#[async_trait]
impl CloudConnector for CountedConnector {
    async fn base_identity(&self) -> caretaker_cloud::Result<Identity> {
        self.inner.base_identity().await
    }

    async fn connect(&self, grant: &AccessGrant, purpose: Purpose) -> caretaker_cloud::Result<Arc<dyn CloudLink>> {
        let inner = self.inner.connect(grant, purpose).await?;
        Ok(Arc::new(CountedLink { inner, writes: self.writes.clone() }))
    }

    async fn attempt(&self, grant: &AccessGrant, presented: Presented) -> caretaker_cloud::Result<Identity> {
        self.inner.attempt(grant, presented).await
    }
}

#[async_trait]
impl CloudLink for CountedLink {
    async fn identity(&self) -> caretaker_cloud::Result<Identity> {
        self.inner.identity().await
    }

    fn narrowing(&self) -> Narrowing {
        self.inner.narrowing()
    }

    async fn permissions(&self, wanted: &[WantedPermission]) -> caretaker_cloud::Result<PermissionGap> {
        self.inner.permissions(wanted).await
    }

    async fn excess(&self, wanted: &[WantedPermission]) -> caretaker_cloud::Result<ExcessReport> {
        self.inner.excess(wanted).await
    }

    async fn ways_in(&self) -> caretaker_cloud::Result<Register> {
        self.inner.ways_in().await
    }

    async fn discover(&self, scope: &Scope, sink: &mut dyn AssetSink) -> caretaker_cloud::Result<()> {
        self.inner.discover(scope, sink).await
    }

    fn reads_an_index(&self, service: &str) -> bool {
        self.inner.reads_an_index(service)
    }

    async fn exists(&self, asset: &Asset) -> caretaker_cloud::Result<Presence> {
        self.inner.exists(asset).await
    }

    async fn deleted(&self, assets: &[&Asset]) -> caretaker_cloud::Result<Vec<bool>> {
        self.inner.deleted(assets).await
    }

    async fn protection(&self, of: &Intent) -> caretaker_cloud::Result<ProtectionState> {
        self.inner.protection(of).await
    }

    async fn recovery(&self, region: &str, since: Timestamp, sink: &mut dyn RecoverySink) -> caretaker_cloud::Result<Ground> {
        self.inner.recovery(region, since, sink).await
    }

    async fn restore_test(&self, of: (&str, &str), since: Timestamp) -> caretaker_cloud::Result<RestoreTestState> {
        self.inner.restore_test(of, since).await
    }

    async fn members(&self) -> caretaker_cloud::Result<Vec<Member>> {
        self.inner.members().await
    }

    async fn perform(&self, key: &str, step: &CloudStep) -> caretaker_cloud::Result<Receipt> {
        let number = self
            .writes
            .before(&format!("cloud {}", step.describe()))
            .map_err(|closed| CloudError::new(ErrorClass::Conflict, "perform", closed.to_string()))?;
        let receipt = self.inner.perform(key, step).await;
        self.writes.after(number);
        receipt
    }
}
