//! Removing our own access: the role loses all permissions but the one for this, is closed to everybody, and loses the last one.
//!
//! IAM deletes no role that still holds a policy, and a role without policies may not delete itself. So an empty role that trusts nobody remains; the
//! client's script deletes it.

use aws_sdk_iam::Client;
use caretaker_cloud::budget::Work;
use caretaker_cloud::{CloudError, ErrorClass, Receipt, Result, StepOutcome};
use serde_json::json;

use crate::call::{Calls, GLOBAL};
use crate::session::Session;

/// Closes the role to everybody.
pub async fn close(session: &Session, role: &str) -> Result<Receipt> {
    let (client, work) = (Client::new(&session.config(None)), Work::once(&session.grant.account_id));
    let nobody = json!({
        "Version": "2012-10-17",
        "Statement": [{"Sid": "RevokedByCaretaker", "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    });
    let request = || client.update_assume_role_policy().role_name(role).policy_document(nobody.to_string()).send();
    iam(session, &work).make("iam:UpdateAssumeRolePolicy", request).await?;
    Ok(Receipt { outcome: StepOutcome::Done, id: None, calls: vec!["iam:UpdateAssumeRolePolicy".into()] })
}

/// Takes all permissions but the last from the role.
pub async fn strip(session: &Session, role: &str, last: &str) -> Result<Receipt> {
    let (client, work) = (Client::new(&session.config(None)), Work::once(&session.grant.account_id));
    let (iam, mut calls) = (iam(session, &work), Vec::new());
    let attached = iam.make("iam:ListAttachedRolePolicies", || client.list_attached_role_policies().role_name(role).send()).await?;
    for arn in attached.attached_policies().iter().filter_map(|policy| policy.policy_arn()) {
        let answer = iam.make("iam:DetachRolePolicy", || client.detach_role_policy().role_name(role).policy_arn(arn).send()).await;
        gone_is_fine(answer.map(drop))?;
        calls.push(format!("iam:DetachRolePolicy {arn}"));
    }
    let inline = iam.make("iam:ListRolePolicies", || client.list_role_policies().role_name(role).send()).await?;
    for name in inline.policy_names().iter().filter(|name| *name != last) {
        delete(&client, &iam, (role, name)).await?;
        calls.push(format!("iam:DeleteRolePolicy {name}"));
    }
    let outcome = if calls.is_empty() { StepOutcome::AlreadyDone } else { StepOutcome::Done };
    Ok(Receipt { outcome, id: None, calls })
}

/// Deletes the policy that allows this.
pub async fn drop_last(session: &Session, role: &str, last: &str) -> Result<Receipt> {
    let (client, work) = (Client::new(&session.config(None)), Work::once(&session.grant.account_id));
    delete(&client, &iam(session, &work), (role, last)).await?;
    Ok(Receipt { outcome: StepOutcome::Done, id: None, calls: vec![format!("iam:DeleteRolePolicy {last}")] })
}

fn iam<'a>(session: &'a Session, work: &'a Work) -> Calls<'a> {
    session.calls(work, GLOBAL)
}

async fn delete(client: &Client, iam: &Calls<'_>, (role, policy): (&str, &str)) -> Result<()> {
    let answer = iam.make("iam:DeleteRolePolicy", || client.delete_role_policy().role_name(role).policy_name(policy).send()).await;
    gone_is_fine(answer.map(drop))
}

fn gone_is_fine(result: std::result::Result<(), CloudError>) -> Result<()> {
    match result {
        Err(error) if error.class == ErrorClass::NotFound => Ok(()),
        other => other,
    }
}
