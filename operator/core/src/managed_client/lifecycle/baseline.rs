//! The baseline: what was there when the contract began to count. It is written to the ledger once, before the phase says Active, so that neither a restart nor
//! a later reading changes it.

use caretaker_api::lifecycle::ClientBaseline;
use caretaker_api::{CloudAccount, ManagedClient};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::super::status::{Report, status};
use super::super::{Observed, accounts};
use super::{gates, stands_before_active};
use crate::digest::json_digest;
use crate::ledger::AccountBaseline;

/// The baseline with each of its accounts.
pub type Frozen = (ClientBaseline, Vec<AccountBaseline>);

/// The inventories as they are now.
#[must_use]
pub fn baseline(client: &ManagedClient, observed: &Observed, now: Timestamp) -> Frozen {
    let wanted = accounts(client, observed);
    let is_live = |account: &&CloudAccount| wanted.iter().any(|wanted| wanted.name == account.name_any() && wanted.is_live_account());
    let mut cells = (0_u64, 0_u64);
    let mut of: Vec<AccountBaseline> = Vec::new();
    for account in observed.accounts.iter().filter(is_live) {
        let inventory = account.status.as_ref().and_then(|status| status.inventory.clone()).unwrap_or_default();
        cells = (cells.0 + u64::from(inventory.coverage.complete), cells.1 + u64::from(inventory.coverage.planned));
        let id = account.spec.target.id();
        let (account, coverage) = (account.name_any(), inventory.coverage.text);
        of.push(AccountBaseline { account, id, digest: inventory.digest, assets: inventory.assets, coverage });
    }
    of.sort_by(|one, other| one.account.cmp(&other.account));
    let baseline = ClientBaseline {
        frozen_at: Some(Time(now)),
        digest: json_digest(&of),
        accounts: u32::try_from(of.len()).unwrap_or(u32::MAX),
        assets: of.iter().map(|account| account.assets).sum(),
        coverage: format!("{}/{}", cells.0, cells.1),
    };
    (baseline, of)
}

/// The baseline that is to be frozen now: the client stands before Active, every gate is open at this moment too, and the ledger, which answered, has none.
#[must_use]
pub fn due(client: &ManagedClient, observed: &Observed, now: Timestamp) -> Option<Frozen> {
    let last = client.status.as_ref()?;
    if !stands_before_active(last) || observed.baseline.is_some() || observed.decided.is_none() {
        return None;
    }
    let (judged, _) = status(client, observed, &[], &Report { namespace_ready: true, ..Report::default() }, now);
    let is_open = stands_before_active(&judged) && judged.gates.iter().all(gates::is_open);
    is_open.then(|| baseline(client, observed, now))
}
