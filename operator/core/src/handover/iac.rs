//! The client's code: what Terraform and OpenTofu import, one folder for each account, and what is left out and why.
//!
//! An address is made from the cloud's id alone, so that one more asset changes no other line.

mod account;
mod address;
mod report;

use std::collections::{BTreeMap, BTreeSet};

use caretaker_api::CloudAccount;
use caretaker_api::provider_profile::ProviderProfileSpec;
use caretaker_cloud::catalog::aws::partition::{self, Partition};
use caretaker_cloud::catalog::import::{Import, NoImport, import};
use caretaker_cloud::{Asset, AssetType, Cloud, EVERYWHERE, Power};

pub use self::account::{Account, Block};
use self::address::address;
pub use self::report::{Counted, Gap, Report, Skipped};
use crate::grant::service_account;

/// Everything that is imported, by account, and what is not.
#[derive(Debug, Default)]
pub struct Export {
    accounts: BTreeMap<(Cloud, String), Account>,
    skipped: Vec<Skipped>,
    /// Resource type, account and import id of the provider's own ways in.
    ours: BTreeSet<(&'static str, String, String)>,
    /// Of what has an id that no other account's thing has: the account that imports it.
    unique: BTreeMap<(&'static str, String), String>,
    /// The partition of accounts that show neither a region nor an ARN.
    partition: Option<&'static Partition>,
}

/// Why an asset has no block.
struct Reason {
    text: String,
    /// Whether the client lacks something by it.
    is_gap: bool,
}

impl Reason {
    fn fine(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_gap: false }
    }

    fn gap(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_gap: true }
    }
}

impl From<NoImport> for Reason {
    fn from(why: NoImport) -> Self {
        match why {
            NoImport::NoType => Self::gap("no resource type of Terraform is known for it"),
            NoImport::Lacks(why) => Self::gap(why),
            NoImport::Needless(why) => Self::fine(why),
        }
    }
}

/// What the cloud or an end makes needless to import.
fn needless(asset: &Asset) -> Option<&'static str> {
    match asset.asset_type {
        AssetType::Principal if asset.built_in => Some("a role of a service of AWS, which makes it itself"),
        AssetType::Key if asset.built_in => Some("a key that AWS manages itself"),
        AssetType::Instance if asset.power == Some(Power::Gone) => Some("the machine is gone"),
        AssetType::Network if asset.built_in => {
            Some("the default network is managed by aws_default_vpc, which takes over without an import")
        }
        AssetType::SecurityGroup if asset.built_in => {
            Some("a default security group is managed by aws_default_security_group, which takes over without an import")
        }
        _ => None,
    }
}

impl Export {
    /// No asset yet. The provider's own ways into the accounts are left out: nobody shall manage them afterwards.
    #[must_use]
    pub fn new(accounts: &[CloudAccount], provider: &ProviderProfileSpec) -> Self {
        let role = |account: &CloudAccount| {
            let role = account.spec.target.aws_role()?;
            Some(("aws_iam_role", role.account_id, role.role_name))
        };
        let google = |account: &CloudAccount| {
            let gcp = account.spec.target.gcp.as_ref()?;
            let project = gcp.service_account_project();
            let id = format!("projects/{project}/serviceAccounts/{}", service_account(&gcp.service_account_name, project));
            Some(("google_service_account", project.to_owned(), id))
        };
        Self {
            ours: accounts.iter().filter_map(|account| role(account).or_else(|| google(account))).collect(),
            partition: provider.aws.as_ref().and_then(|aws| partition::of_arn(&aws.principal_arn)),
            ..Self::default()
        }
    }

    /// Takes one asset.
    pub fn add(&mut self, asset: &Asset) {
        let id = if asset.cloud == Cloud::Azure { asset.account.to_lowercase() } else { asset.account.clone() };
        let key = (asset.cloud, id);
        let default = self.partition;
        let account = self.accounts.entry(key.clone()).or_insert_with(|| Account::new(key.0, &key.1, default));
        account.inventory += 1;
        account.learn(asset);
        if let Err(reason) = self.take(&key, asset) {
            self.skipped.push(Skipped::new(asset, reason));
        }
    }

    fn take(&mut self, key: &(Cloud, String), asset: &Asset) -> Result<(), Reason> {
        if let Some(why) = needless(asset) {
            return Err(Reason::fine(why));
        }
        if asset.id.is_empty() {
            return Err(Reason::gap("the cloud gave no id"));
        }
        let Import { resource, id } = import(asset)?;
        if self.ours.contains(&(resource, key.1.clone(), id.clone())) {
            return Err(Reason::fine("the provider's own way in, which goes when the provider goes"));
        }
        // A network that is shared shows in every account that may use it, under an id that nothing else has. Two states would undo each other's changes.
        let shared = (resource, asset.id.clone());
        if asset.service.starts_with("ec2/") {
            let first = self.unique.entry(shared).or_insert_with(|| key.1.clone());
            if *first != key.1 {
                return Err(Reason::fine(format!("account {first} shows it too, and imports it")));
            }
        }
        let address = address(asset, resource, &id);
        let region = (asset.cloud == Cloud::Aws && asset.region != EVERYWHERE).then(|| asset.region.clone());
        let account = self.accounts.get_mut(key).ok_or_else(|| Reason::gap("its account is not known"))?;
        if account.blocks.contains_key(&address) {
            return Err(Reason::fine("the inventory shows it twice, and it is imported once"));
        }
        account.blocks.insert(address, Block { id, name: asset.name.clone(), region });
        Ok(())
    }

    /// Every account that was read, in the order of cloud and id.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// `skipped.json`: what has no import block and why, and the counts.
    #[must_use]
    pub fn report(&self) -> Report<'_> {
        Report::of(self.accounts.values().collect(), &self.skipped)
    }

    /// What the client lacks: one line for each type of a cloud and reason.
    #[must_use]
    pub fn gaps(&self) -> Vec<Gap> {
        report::gaps(&self.skipped)
    }
}

#[cfg(test)]
mod tests;
