//! Every call that the operator makes in a client's cloud, with its permission and its reason: the permission manifest, for people.

use caretaker_api::cloud_account::Cloud;
use caretaker_cloud::Purpose;
use caretaker_cloud::manifest::{Action, On, Sight, azure_roles};
use caretaker_core::permissions::{PURPOSES, actions, entry, sight};
use serde::Serialize;

/// One call with its permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallRow {
    /// `aws`, `azure` or `gcp`.
    pub cloud: &'static str,
    /// The access profile that needs it first: `ReadOnly`, `Backup` or `Full`; `Parent` where only a parent does.
    pub profile: &'static str,
    /// The call in the cloud's own words.
    pub call: &'static str,
    /// The permission that it needs; empty where it needs none.
    pub permission: &'static str,
    /// What the permission is granted on; `nothing` where none is needed.
    pub on: &'static str,
    /// What it is for.
    pub why: &'static str,
}

/// All calls on a cloud, in the order of the manifest.
#[must_use]
pub fn rows(cloud: Cloud) -> Vec<CallRow> {
    let row = |purpose: Purpose, action: &Action| CallRow {
        cloud: cloud.as_str(),
        profile: profile_of(purpose),
        call: action.call,
        permission: action.name,
        on: place(cloud, purpose, action),
        why: action.why,
    };
    let entry = entry(cloud).iter().map(|action| row(Purpose::Read, action));
    entry.chain(PURPOSES.iter().flat_map(|purpose| actions(cloud, *purpose).iter().map(move |action| row(*purpose, action)))).collect()
}

fn profile_of(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Read => "ReadOnly",
        Purpose::Backup => "Backup",
        Purpose::RestoreTest => "RestoreTest",
        Purpose::Revoke => "Full",
        Purpose::Members => "Parent",
    }
}

fn place(cloud: Cloud, purpose: Purpose, action: &Action) -> &'static str {
    match (cloud, action.on) {
        (_, _) if action.name.is_empty() => "nothing",
        (Cloud::Aws, On::Account) if action.name.starts_with("sts:") => "the trust policy of our role",
        (Cloud::Aws, On::Account) => "the account",
        (Cloud::Azure, On::Account) => "the subscription",
        (Cloud::Gcp, On::Account) if purpose == Purpose::Members => "the folder",
        (Cloud::Gcp, On::Account) => "the project",
        (Cloud::Gcp, On::OwnPrincipal) => "our service account",
        (_, On::OwnPrincipal) => "our role",
        (_, On::BackupRole) => "the role of the backup service",
    }
}

/// The whole list as a page for a person.
#[must_use]
pub fn page() -> String {
    let mut text = String::from(
        "# Every call that Caretaker makes in a client's cloud\n\n\
         Made from the permission manifest, from which the grant kits, the session policies on AWS and the check of granted permissions are made too.\n\
         `kubectl caretaker permissions` prints the same. A profile includes the ones before it: `ReadOnly`, `Backup` (spec.allow has Backup), `Full`\n\
         (spec.allow has Revoke; backups only where it has Backup as well). `Parent` is for awsOrganization, azureTenant and gcpFolder only, on the account\n\
         or folder that lists.\n",
    );
    for (cloud, name) in [(Cloud::Aws, "AWS"), (Cloud::Azure, "Azure"), (Cloud::Gcp, "Google Cloud")] {
        text.push_str(&format!("\n## {name}\n\n| profile | call | permission | granted on | why |\n| --- | --- | --- | --- | --- |\n"));
        for row in rows(cloud) {
            let permission = if row.permission.is_empty() { "none".to_owned() } else { format!("`{}`", row.permission) };
            text.push_str(&format!("| {} | `{}` | {permission} | {} | {} |\n", row.profile, row.call, row.on, row.why));
        }
        if cloud == Cloud::Azure {
            text.push_str("\nAzure delegates built-in roles whole. The kit delegates:\n\n");
            for role in PURPOSES.iter().flat_map(|purpose| azure_roles(*purpose)) {
                text.push_str(&format!("- {} (`{}`): {}\n", role.name, role.id, role.why));
            }
        }
        let Sight { looked_at, not_looked_at } = sight(cloud);
        text.push_str("\nThe register of ways in (`status.access.register`) looks at:\n\n");
        looked_at.iter().for_each(|place| text.push_str(&format!("- {place}\n")));
        text.push_str("\nIt does not look at:\n\n");
        not_looked_at.iter().for_each(|place| text.push_str(&format!("- {place}\n")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_every_permission_of_the_manifest() {
        let page = page();
        for cloud in [Cloud::Aws, Cloud::Azure, Cloud::Gcp] {
            for action in PURPOSES.iter().flat_map(|purpose| actions(cloud, *purpose)).chain(entry(cloud)) {
                assert!(page.contains(action.name) && page.contains(action.call) && page.contains(action.why), "{action:?}");
            }
        }
        for row in rows(Cloud::Gcp).into_iter().filter(|row| row.permission.starts_with("resourcemanager.")) {
            let expected = if row.profile == "Parent" { "the folder" } else { "the project" };
            assert_eq!(row.on, expected, "{row:?}");
        }
        assert!(!page.contains("| | "), "no cell of a call is empty");
    }
}
