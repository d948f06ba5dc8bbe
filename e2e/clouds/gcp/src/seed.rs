//! What tests and the program start from.

use serde_json::{Value, json};

use crate::os_inventory;
use crate::world::World;

/// The role that a kit makes for reading.
pub const READ_ROLE: &str = "caretakerRead";
/// The role that a kit makes on our own service account, for looking and leaving.
pub const SELF_ROLE: &str = "caretakerSelf";

impl World {
    /// What a client does with the kit: a service account that `principal` may use, with custom roles for reading and leaving, and what the
    /// provider does: the service account may use its project. The e-mail address.
    pub fn add_client_access(&mut self, project: &str, quota_project: &str, principal: &str) -> String {
        let email = self.add_account("caretaker-access", project);
        let member = format!("serviceAccount:{email}");
        let role = |name: &str| format!("projects/{project}/roles/{name}");
        let permissions = |list: &[&str]| list.iter().map(|permission| (*permission).to_owned()).collect::<Vec<_>>();
        let reading = [
            "resourcemanager.projects.get",
            "cloudasset.assets.searchAllResources",
            "cloudasset.assets.listOSInventories",
            "resourcemanager.projects.getIamPolicy",
            "iam.roles.get",
            "cloudasset.assets.exportResource",
            "policyanalyzer.serviceAccountKeyLastAuthenticationActivities.query",
            "spanner.instances.get",
        ];
        self.roles.insert(role(READ_ROLE), permissions(&reading));
        let own = ["iam.serviceAccounts.getIamPolicy", "iam.serviceAccountKeys.list", "iam.serviceAccounts.setIamPolicy"];
        self.roles.insert(role(SELF_ROLE), permissions(&own));
        if let Some(project) = self.projects.get_mut(project) {
            project.policy.bind(&role(READ_ROLE), &member);
        }
        if let Some(account) = self.accounts.get_mut(&email) {
            account.policy.bind("roles/iam.serviceAccountTokenCreator", principal);
            account.policy.bind(&role(SELF_ROLE), &member);
        }
        if let Some(project) = self.projects.get_mut(quota_project) {
            project.policy.bind("roles/serviceusage.serviceUsageConsumer", &member);
        }
        email
    }

    /// Adds machines to a project.
    pub fn add_machines(&mut self, project: &str, count: usize) {
        let Some(held) = self.projects.get_mut(project) else { return };
        let first = held.assets.len();
        let number = held.number.clone();
        held.assets.extend((first..first + count).map(|index| machine(project, &number, index)));
    }

    /// Has VM Manager look into a machine of a project: so many of its packages can be updated.
    pub fn add_os_inventory(&mut self, project: &str, machine: &str, updated: &str, available: usize) {
        if let Some(held) = self.projects.get_mut(project) {
            held.os_inventories.push(os_inventory::row(machine, updated, available));
        }
    }

    /// Deletes a row of a project, as its service does: Cloud Asset keeps a record of it.
    pub fn delete_row(&mut self, project: &str, name: &str, at: &str) {
        if let Some(held) = self.projects.get_mut(project) {
            held.assets.retain(|row| row["name"] != name);
            held.deleted.insert(name.into(), at.into());
        }
    }

    /// Adds a row to a project.
    pub fn add_row(&mut self, project: &str, row: Value) {
        if let Some(held) = self.projects.get_mut(project) {
            held.assets.push(row);
        }
    }
}

fn machine(project: &str, number: &str, index: usize) -> Value {
    let name = format!("vm-{index:06}");
    json!({
        "name": format!("//compute.googleapis.com/projects/{project}/zones/europe-west1-b/instances/{name}"),
        "assetType": "compute.googleapis.com/Instance", "project": format!("projects/{number}"), "displayName": name,
        "location": "europe-west1-b", "labels": {"env": "prod"}, "createTime": "2026-01-01T00:00:00Z", "state": "RUNNING",
        "additionalAttributes": {"internalIPs": [private_address(index)], "machineType": "e2-small"},
    })
}

/// A private address that follows from a number, and no other number's.
#[must_use]
pub fn private_address(number: usize) -> String {
    let [_, a, b, c] = u32::try_from(number + 1).unwrap_or_default().to_be_bytes();
    format!("10.{a}.{b}.{c}")
}
