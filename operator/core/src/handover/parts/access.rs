//! 03: every way in that the provider has. The scripts that close it are written by `documents`.

use caretaker_api::CloudAccount;
use caretaker_cloud::Purpose;
use caretaker_cloud::manifest::{Action, aws_actions, azure_roles, gcp_permissions};
use kube::ResourceExt;
use serde_json::{Value, json};

use super::{File, Gap, Part};
use crate::cloud_account::access_status::profile;
use crate::grant;
use crate::handover::contents::Inputs;
use crate::kit::parents::parent_purposes;
use crate::kit::purposes;
use crate::permissions::sight;

pub(super) struct Access;

const PATH: &str = "03-access";

/// What is said of a parent's ways in.
const OF_ACCOUNTS: &str =
    "the ways in are read for each account of this parent, not for the parent's own grant by which its accounts are listed";

impl Part for Access {
    fn path(&self) -> &'static str {
        PATH
    }

    fn holds(&self) -> &'static str {
        "every way in that the provider has, and the scripts that close it"
    }

    fn files(&self, inputs: &Inputs<'_>) -> Vec<File> {
        let entries: Vec<Value> = inputs.accounts.iter().filter_map(|account| entry(inputs, account)).collect();
        let register = json!({"provider": inputs.profile.spec.display_name, "principals": entries});
        vec![File::json("03-access/access-register.json", &register)]
    }

    fn gaps(&self, inputs: &Inputs<'_>) -> Vec<Gap> {
        let gap = |account: &CloudAccount, reason: &str| Gap::new(PATH, reason).of(account.name_any());
        let mut gaps = Vec::new();
        for account in inputs.accounts {
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
}

fn entry(inputs: &Inputs<'_>, account: &CloudAccount) -> Option<Value> {
    let (spec, name) = (&account.spec, account.name_any());
    let (target, provider) = (&spec.target, &inputs.profile.spec);
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
