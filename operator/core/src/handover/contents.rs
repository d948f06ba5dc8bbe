//! What a bundle is made of. What stands in it is decided part by part, in [`parts`](super::parts).

use std::collections::BTreeMap;

use caretaker_api::cloud_account::Capability;
use caretaker_api::handover::{FinalReading, Frozen, HandoverMode};
use caretaker_api::{BackupPolicy, CloudAccount, ManagedClient, ProviderProfile};
use caretaker_cloud::{Cloud, Offers};
use kube::ResourceExt;
use serde_json::Value;

use super::iac::Export;
use super::parts::{self, Gap, LedgerTold};
use crate::backup_policy::cloud_of;
use crate::risks::Risk;

/// Everything that goes in.
pub struct Inputs<'a> {
    /// Rehearsal or final.
    pub mode: HandoverMode,
    /// How the bundle is called.
    pub bundle: BundleName<'a>,
    /// What was fixed at the start.
    pub frozen: &'a Frozen,
    /// The client.
    pub client: &'a ManagedClient,
    /// The provider.
    pub profile: &'a ProviderProfile,
    /// The accounts.
    pub accounts: &'a [CloudAccount],
    /// The last readings.
    pub readings: &'a [FinalReading],
    /// Monitoring objects as they stand in the cluster, with their names, labels and specs.
    pub monitoring: &'a [Value],
    /// Backup policies.
    pub policies: &'a [BackupPolicy],
    /// What the client's code imports.
    pub export: &'a Export,
    /// Gaps that the controller found, such as an inventory file that the store has lost.
    pub further_gaps: &'a [Gap],
    /// Paths below `data/` of what the controller copied in.
    pub copied: &'a [String],
    /// Tags and facts whose values were taken out of the inventories.
    pub withheld: &'a [Withheld],
    /// The code by which the client accepts; a rehearsal has none.
    pub acceptance_code: Option<&'a str>,
    /// What the client's ledger told; `None` where it could not be read.
    pub ledger: Option<&'a LedgerTold>,
    /// What was not as it should be when the bundle was made.
    pub risks: &'a [Risk],
}

/// How a bundle is called.
#[derive(Clone, Copy, Debug)]
pub struct BundleName<'a> {
    /// Name of the sealed file.
    pub file: &'a str,
    /// The one folder inside.
    pub folder: &'a str,
}

/// A tag or a fact of assets that looks like a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withheld {
    /// CloudAccount.
    pub account: String,
    /// Name of the tag or fact.
    pub name: String,
    /// Number of assets that have it.
    pub assets: u64,
}

impl Inputs<'_> {
    /// The files of data but the inventories, by path.
    #[must_use]
    pub fn files(&self) -> BTreeMap<String, String> {
        parts::files(self)
    }

    /// Everything that is not delivered or not complete, and why.
    #[must_use]
    pub fn gaps(&self) -> Vec<Gap> {
        parts::gaps(self)
    }

    /// Name and id of the AWS accounts in which backups are made.
    #[must_use]
    pub fn backup_accounts(&self) -> Vec<(String, String)> {
        self.planned_on(Cloud::Aws)
    }

    /// Name and id of the accounts of a cloud in which backups are made by what we wrote.
    #[must_use]
    pub fn planned_on(&self, cloud: Cloud) -> Vec<(String, String)> {
        let has_backups = |account: &&CloudAccount| {
            let is_named = self.policies.iter().any(|policy| policy.spec.accounts.contains(&account.name_any()));
            let target = &account.spec.target;
            is_named && !target.is_parent() && cloud_of(target) == cloud && account.spec.allow.contains(&Capability::Backup)
        };
        let planned = self.accounts.iter().filter(|_| Offers::of(cloud).plans.is_some());
        planned.filter(has_backups).map(|account| (account.name_any(), account.spec.target.id())).collect()
    }
}
