//! Removing our own access: our principal leaves the policy of the client's service account.

use caretaker_cloud::{CloudError, ErrorClass, Receipt, Result, StepOutcome};
use serde_json::{Value, json};

use crate::call::http::{Call, url};
use crate::session::Session;

/// The role that lets a principal make tokens of a service account.
pub const TOKEN_CREATOR: &str = "roles/iam.serviceAccountTokenCreator";
const GET: &str = "iam:serviceAccounts.getIamPolicy";
const SET: &str = "iam:serviceAccounts.setIamPolicy";

/// Removes `member` from the service account's policy. A write replaces the whole policy, so it names the version that was read: who
/// changed it meanwhile makes it a conflict, and nothing is lost.
pub async fn remove_binding(session: &Session, project_id: &str, member: &str) -> Result<Receipt> {
    if project_id != session.grant.project_id {
        return Err(CloudError::new(ErrorClass::Invalid, "perform", format!("the session is in {}", session.grant.project_id)));
    }
    let endpoint = &session.shared.services.endpoints.iam;
    let path = |verb: &str| format!("/v1/projects/-/serviceAccounts/{}:{verb}", session.grant.service_account);
    let reach = session.reach_of_writes();
    // Without the version, conditional bindings would come without their conditions and be written back so.
    let read = url(endpoint, &path("getIamPolicy"), &[("options.requestedPolicyVersion", "3")])?;
    let mut policy = session.call(GET, reach, read, Call { post: true, ..Call::default() }).await?;
    if !drop_member(&mut policy, member) {
        return Ok(Receipt { outcome: StepOutcome::AlreadyDone, id: None, calls: vec![GET.into()] });
    }
    if policy["etag"].as_str().is_none_or(str::is_empty) {
        return Err(CloudError::new(ErrorClass::Unreachable, GET, "the policy came without an etag: it could overwrite somebody's change"));
    }
    let request = json!({"policy": policy});
    session.call(SET, reach, url(endpoint, &path("setIamPolicy"), &[])?, Call { json: Some(&request), ..Call::default() }).await?;
    Ok(Receipt { outcome: StepOutcome::Done, id: None, calls: vec![GET.into(), SET.into()] })
}

/// Whether a binding names the member. One that was deleted stands there with its number, and has its rights again where it is undeleted.
/// Source: <https://cloud.google.com/iam/docs/principal-identifiers>
fn is(held: &str, member: &str) -> bool {
    held == member || held.strip_prefix("deleted:").and_then(|held| held.split("?uid=").next()) == Some(member)
}

/// Takes a member out of every binding of the role, conditional ones included. Whether it was in one.
fn drop_member(policy: &mut Value, member: &str) -> bool {
    let Some(bindings) = policy["bindings"].as_array_mut() else { return false };
    let mut found = false;
    for binding in bindings.iter_mut().filter(|binding| binding["role"] == TOKEN_CREATOR) {
        if let Some(members) = binding["members"].as_array_mut() {
            let before = members.len();
            members.retain(|held| !held.as_str().is_some_and(|held| is(held, member)));
            found |= members.len() < before;
        }
    }
    bindings.retain(|binding| binding["members"].as_array().is_none_or(|members| !members.is_empty()));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_member_of_this_role_goes() {
        let ours = "serviceAccount:us@provider.iam.gserviceaccount.com";
        let condition = json!({"title": "until", "expression": "true"});
        let mut policy = json!({"version": 3, "etag": "abc", "bindings": [
            {"role": TOKEN_CREATOR, "members": [ours, "user:owner@client.example", format!("deleted:{ours}?uid=123")]},
            {"role": TOKEN_CREATOR, "members": [ours], "condition": condition},
            {"role": "roles/iam.serviceAccountUser", "members": [ours]},
        ]});
        assert!(drop_member(&mut policy, ours));
        let left = json!({"version": 3, "etag": "abc", "bindings": [
            {"role": TOKEN_CREATOR, "members": ["user:owner@client.example"]},
            {"role": "roles/iam.serviceAccountUser", "members": [ours]},
        ]});
        assert_eq!(policy, left);
        assert!(!drop_member(&mut policy, ours), "again it changes nothing");
        assert!(!drop_member(&mut json!({"etag": "abc"}), ours));
    }
}
