//! The data in the bundle, file by file. The inventories are copied from the store by the controller; what is written for people is made in the crate
//! `documents`.

use std::collections::BTreeMap;

use caretaker_api::handover::{FinalReading, Frozen, HandoverMode};
use caretaker_api::{BackupPolicy, CloudAccount, ManagedClient, ProviderProfile};
use caretaker_cloud::Purpose;
use caretaker_cloud::manifest::{Action, aws_actions, azure_roles, gcp_permissions};
use serde_json::{Value, json};

use super::iac::Export;
use crate::cloud_account::access_status::profile;
use crate::grant;
use crate::kit::parents::parent_purposes;
use crate::kit::purposes;
use crate::permissions::sight;

/// What is said of a parent's ways in.
const OF_ACCOUNTS: &str =
    "the ways in are read for each account of this parent, not for the parent's own grant by which its accounts are listed";

/// Everything that goes in.
pub struct Inputs<'a> {
    /// Rehearsal or final.
    pub mode: HandoverMode,
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
    /// Monitoring objects as they stand in the cluster.
    pub monitoring: &'a [Value],
    /// Backup policies.
    pub policies: &'a [BackupPolicy],
    /// What the client's code imports.
    pub export: &'a Export,
    /// Gaps that the controller found, such as an inventory file that the store has lost.
    pub further_gaps: &'a [Value],
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

fn name_of<K: kube::ResourceExt>(object: &K) -> String {
    object.name_any()
}

impl Inputs<'_> {
    /// The files of data but the inventories, by path.
    #[must_use]
    pub fn files(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("01-contract/managed-client.json".to_owned(), pretty(&json!({"name": name_of(self.client), "spec": self.client.spec}))),
            ("02-inventory/coverage.json".to_owned(), pretty(&json!(self.readings))),
            ("03-access/access-register.json".to_owned(), pretty(&self.access_register())),
            ("05-monitoring/objects.json".to_owned(), pretty(&json!(self.monitoring))),
            ("06-backup/policies.json".to_owned(), pretty(&self.backup())),
            ("14-gaps.json".to_owned(), pretty(&json!(self.gaps()))),
        ])
    }

    fn access_register(&self) -> Value {
        let entries: Vec<Value> = self.accounts.iter().filter_map(|account| self.register_entry(account)).collect();
        json!({"provider": self.profile.spec.display_name, "principals": entries})
    }

    fn register_entry(&self, account: &CloudAccount) -> Option<Value> {
        let (spec, name) = (&account.spec, name_of(account));
        let (target, provider) = (&spec.target, &self.profile.spec);
        let purposes = purposes(&spec.allow);
        let names = |actions: fn(Purpose) -> &'static [Action]| -> Vec<&'static str> {
            purposes.iter().flat_map(|purpose| actions(*purpose)).map(|action| action.name).collect()
        };
        let mut entry = json!({
            "account": name, "cloud": target.cloud().as_str(), "accountId": target.id(), "principal": grant::principal(spec, provider),
        });
        match (&target.aws, &target.azure, &target.gcp) {
            (Some(aws), _, _) => {
                entry["trusted"] = json!(provider.aws.as_ref()?.principal_arn);
                entry["externalId"] = json!(aws.external_id);
                entry["actions"] = json!(names(aws_actions));
            }
            (_, Some(_), _) => {
                let azure = provider.azure.as_ref()?;
                entry["trusted"] = json!(format!("service principal {} of tenant {}", azure.principal_id, azure.tenant_id));
                // A delegation grants roles whole: both of them, whatever the account allows us.
                let all = [Purpose::Read, Purpose::Revoke];
                entry["roles"] = json!(all.into_iter().flat_map(azure_roles).map(|role| role.name).collect::<Vec<_>>());
            }
            (_, _, Some(_)) => {
                entry["trusted"] = json!(provider.gcp.as_ref()?.principal);
                entry["actions"] = json!(names(gcp_permissions));
            }
            _ => {
                entry["kind"] = json!(target.kind());
                entry["trusted"] = match (&target.aws_organization, &target.azure_tenant) {
                    (Some(_), _) => json!(provider.aws.as_ref()?.principal_arn),
                    (_, Some(_)) => json!(format!("tenant {}, by the delegation of each subscription", provider.azure.as_ref()?.tenant_id)),
                    _ => json!(provider.gcp.as_ref()?.principal),
                };
                let actions = if target.aws_organization.is_some() { aws_actions } else { gcp_permissions };
                if let Some(organization) = &target.aws_organization {
                    entry["externalId"] = json!(organization.external_id);
                }
                if target.azure_tenant.is_none() {
                    let purposes = parent_purposes(spec);
                    let names = purposes.iter().flat_map(|purpose| actions(*purpose)).map(|action| action.name);
                    entry["actions"] = json!(names.collect::<Vec<_>>());
                }
            }
        }
        entry["profile"] = json!(profile(&spec.allow));
        let access = account.status.as_ref().and_then(|status| status.access.clone()).unwrap_or_default();
        entry["missing"] = json!(access.missing);
        entry["excess"] = json!(access.excess);
        entry["waysIn"] = if target.is_parent() {
            json!({"found": null, "lookedAt": [], "notLookedAt": [OF_ACCOUNTS]})
        } else {
            let sight = sight(target.cloud());
            json!({"found": access.register, "lookedAt": sight.looked_at, "notLookedAt": sight.not_looked_at})
        };
        Some(entry)
    }

    /// What the access register does not tell of the accounts.
    fn register_gaps(&self) -> Vec<Value> {
        let gap = |account: &CloudAccount, reason: &str| json!({"part": "03-access", "account": name_of(account), "reason": reason});
        let mut gaps = Vec::new();
        for account in self.accounts {
            if account.spec.target.is_parent() {
                // A tenant has no grant of its own, so nothing of it is left unread.
                if account.spec.target.azure_tenant.is_none() {
                    gaps.push(gap(account, OF_ACCOUNTS));
                }
                continue;
            }
            let register = account.status.as_ref().and_then(|status| status.access.as_ref()?.register.as_ref());
            let Some(register) = register else {
                gaps.push(gap(account, "the provider's ways into the account were never read"));
                continue;
            };
            gaps.extend(register.unread.iter().map(|line| gap(account, line)));
            if u32::try_from(register.ways.len()).is_ok_and(|listed| listed < register.total) {
                gaps.push(gap(account, &format!("only {} of {} ways in are listed", register.ways.len(), register.total)));
            }
        }
        gaps
    }

    fn backup(&self) -> Value {
        json!(
            self.policies
                .iter()
                .map(|policy| json!({"name": name_of(policy), "spec": policy.spec, "status": policy.status}))
                .collect::<Vec<_>>()
        )
    }

    /// Everything that is not delivered or not complete, and why.
    #[must_use]
    pub fn gaps(&self) -> Vec<Value> {
        let mut gaps = self.further_gaps.to_vec();
        gaps.extend(self.export.gaps().into_iter().map(|gap| json!(gap)));
        gaps.extend(self.register_gaps());
        for reading in self.readings {
            if !reading.gap.is_empty() {
                gaps.push(json!({"part": "02-inventory", "account": reading.account, "reason": reading.gap}));
            }
            for note in reading.inventory.iter().flat_map(|inventory| &inventory.coverage.notes) {
                gaps.push(json!({"part": "02-inventory", "account": reading.account, "reason": note}));
            }
            for gap in reading.inventory.iter().flat_map(|inventory| &inventory.coverage.gaps) {
                gaps.push(json!({
                    "part": "02-inventory", "account": reading.account, "region": gap.region, "service": gap.service,
                    "verdict": gap.verdict, "reason": gap.cause,
                }));
            }
        }
        if self.client.spec.monitoring.is_some() && self.monitoring.is_empty() {
            gaps.push(json!({"part": "05-monitoring", "reason": "no monitoring object stands in the cluster"}));
        }
        if self.client.spec.backups.is_some() {
            for account in
                self.accounts.iter().filter(|account| account.spec.target.aws_role().is_none() && !account.spec.target.is_parent())
            {
                gaps.push(json!({
                    "part": "06-backup", "account": name_of(account),
                    "reason": format!("no backup plan is made on {} in this release", account.spec.target.cloud().as_str()),
                }));
            }
        }
        if self.policies.is_empty() {
            gaps.push(json!({"part": "06-backup", "reason": "no backup policy was agreed"}));
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made<T: serde::de::DeserializeOwned>(value: Value) -> T {
        serde_json::from_value(value).unwrap()
    }

    fn account(name: &str, target: &Value) -> CloudAccount {
        made(json!({"apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": name}, "spec": target}))
    }

    #[test]
    fn of_a_parent_the_ways_in_are_those_of_its_accounts() {
        let client: ManagedClient = made(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": "acme"},
            "spec": {
                "displayName": "Acme", "contacts": {"vendorManager": {"name": "Jo", "email": "jo@acme.example"}},
                "accounts": [], "exit": {"recipients": ["age1"]},
            },
        }));
        let profile: ProviderProfile = made(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ProviderProfile", "metadata": {"name": "p"},
            "spec": {"displayName": "Care", "contacts": [], "aws": {"principalArn": "arn:aws:iam::999999999999:user/caretaker"}},
        }));
        let accounts = [
            account("org", &json!({"awsOrganization": {"accountId": "000000000001", "externalId": "e1"}})),
            account("tenant", &json!({"azureTenant": {"tenantId": "aaaaaaaa-0000-4000-8000-000000000001"}})),
            account("org-1", &json!({"aws": {"accountId": "000000000002", "externalId": "e1"}})),
        ];
        let inputs = Inputs {
            mode: HandoverMode::Rehearsal,
            frozen: &Frozen::default(),
            client: &client,
            profile: &profile,
            accounts: &accounts,
            readings: &[],
            monitoring: &[],
            policies: &[],
            export: &Export::default(),
            further_gaps: &[],
        };
        let gaps = inputs.register_gaps();
        let said: Vec<(&str, bool)> =
            gaps.iter().map(|gap| (gap["account"].as_str().unwrap(), gap["reason"].as_str().unwrap().contains("never read"))).collect();
        assert_eq!(said, [("org", false), ("org-1", true)]);
        let entry = inputs.register_entry(&accounts[0]).unwrap();
        assert_eq!(entry["waysIn"]["notLookedAt"], json!([OF_ACCOUNTS]));
        assert!(!inputs.register_entry(&accounts[2]).unwrap()["waysIn"]["lookedAt"].as_array().unwrap().is_empty());
    }
}
