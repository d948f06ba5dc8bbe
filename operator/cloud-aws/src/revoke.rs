//! Removing our own access: the role loses all permissions but the one for this, is closed to everybody, and loses the last one.
//!
//! IAM deletes no role that still holds a policy, and a role without policies may not delete itself. So an empty role that trusts nobody remains; the
//! client's script deletes it.

use aws_sdk_iam::Client;
use caretaker_cloud::{CloudError, ErrorClass, Receipt, Result, StepOutcome};
use serde_json::json;

use crate::errors::classify;
use crate::session::Link;

/// Closes the role to everybody.
pub async fn close(link: &Link, role: &str) -> Result<Receipt> {
    let client = Client::new(&link.config(None).await);
    let nobody = json!({
        "Version": "2012-10-17",
        "Statement": [{"Sid": "RevokedByCaretaker", "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    });
    client
        .update_assume_role_policy()
        .role_name(role)
        .policy_document(nobody.to_string())
        .send()
        .await
        .map_err(|error| classify("iam:UpdateAssumeRolePolicy", &error))?;
    Ok(Receipt { outcome: StepOutcome::Done, id: None, calls: vec!["iam:UpdateAssumeRolePolicy".into()] })
}

/// Takes all permissions but the last from the role.
pub async fn strip(link: &Link, role: &str, last: &str) -> Result<Receipt> {
    let client = Client::new(&link.config(None).await);
    let mut calls = Vec::new();
    let attached = client
        .list_attached_role_policies()
        .role_name(role)
        .send()
        .await
        .map_err(|error| classify("iam:ListAttachedRolePolicies", &error))?;
    for arn in attached.attached_policies().iter().filter_map(|policy| policy.policy_arn()) {
        let answer = client.detach_role_policy().role_name(role).policy_arn(arn).send().await;
        gone_is_fine(answer.map(drop).map_err(|error| classify("iam:DetachRolePolicy", &error)))?;
        calls.push(format!("iam:DetachRolePolicy {arn}"));
    }
    let inline = client.list_role_policies().role_name(role).send().await.map_err(|error| classify("iam:ListRolePolicies", &error))?;
    for name in inline.policy_names().iter().filter(|name| *name != last) {
        delete(&client, role, name).await?;
        calls.push(format!("iam:DeleteRolePolicy {name}"));
    }
    let outcome = if calls.is_empty() { StepOutcome::AlreadyDone } else { StepOutcome::Done };
    Ok(Receipt { outcome, id: None, calls })
}

/// Deletes the policy that allows this.
pub async fn drop_last(link: &Link, role: &str, last: &str) -> Result<Receipt> {
    let client = Client::new(&link.config(None).await);
    delete(&client, role, last).await?;
    Ok(Receipt { outcome: StepOutcome::Done, id: None, calls: vec![format!("iam:DeleteRolePolicy {last}")] })
}

async fn delete(client: &Client, role: &str, policy: &str) -> Result<()> {
    let answer = client.delete_role_policy().role_name(role).policy_name(policy).send().await;
    gone_is_fine(answer.map(drop).map_err(|error| classify("iam:DeleteRolePolicy", &error)))
}

fn gone_is_fine(result: std::result::Result<(), CloudError>) -> Result<()> {
    match result {
        Err(error) if error.class == ErrorClass::NotFound => Ok(()),
        other => other,
    }
}
