//! What our role's policies allow beyond the manifest.

use aws_sdk_iam::Client;
use caretaker_cloud::access::{is_lasting, unreadable};
use caretaker_cloud::budget::Work;
use caretaker_cloud::runtime::{Listing, after_cut};
use caretaker_cloud::{ExcessReport, ExcessStatement, Result, WantedPermission};
use serde_json::Value;

use crate::call::{Calls, GLOBAL};
use crate::session::Session;

const ATTACHED: &str = "iam:ListAttachedRolePolicies";
const INLINE: &str = "iam:ListRolePolicies";

/// IAM, and the budget of its calls.
pub struct Iam<'a> {
    pub client: Client,
    pub calls: Calls<'a>,
}

impl<'a> Iam<'a> {
    /// IAM of the session's account, for this work.
    pub fn of(session: &'a Session, work: &'a Work) -> Self {
        Self { client: Client::new(&session.config(None)), calls: session.calls(work, GLOBAL) }
    }
}

/// A policy of a role.
pub struct Policy {
    /// Where it stands, for the client: `inline policy NAME` or `policy ARN`.
    pub name: String,
    /// The call that shows its text.
    source: Source,
}

enum Source {
    Inline(String),
    Attached(String),
}

/// Compares our own role's policies with what is wanted. What may not be read is told, and nothing is concluded from it.
pub async fn excess(session: &Session, wanted: &[WantedPermission]) -> Result<ExcessReport> {
    let role = session.grant.role_arn.rsplit('/').next().unwrap_or_default().to_owned();
    let work = Work::once(&session.grant.account_id);
    let iam = Iam::of(session, &work);
    let mut report = ExcessReport::default();
    let policies = match of_role(&iam, &role).await {
        Ok(policies) => policies,
        Err(error) if is_lasting(&error) => {
            report.unknown = Some(unreadable("our role's policies", &error));
            return Ok(report);
        }
        Err(error) => return Err(error),
    };
    for policy in policies {
        match text(&iam, &role, &policy).await {
            Ok(text) => match serde_json::from_str::<Value>(&decode(&text)) {
                Ok(document) => report.statements.extend(beyond(&policy.name, &document, wanted)),
                Err(_) => report.unknown = Some(format!("{}: its text is no JSON", policy.name)),
            },
            Err(error) if is_lasting(&error) => report.unknown = Some(unreadable(&policy.name, &error)),
            Err(error) => return Err(error),
        }
    }
    Ok(report.sorted())
}

/// The policies of a role: attached ones, then inline ones.
pub async fn of_role(Iam { client, calls }: &Iam<'_>, role: &str) -> Result<Vec<Policy>> {
    let mut policies = Vec::new();
    let (mut marker, mut listing) = (None::<String>, Listing::of(ATTACHED));
    loop {
        let request = || client.list_attached_role_policies().role_name(role).set_marker(marker.clone()).send();
        let answer = calls.make(ATTACHED, request).await?;
        policies.extend(
            answer
                .attached_policies()
                .iter()
                .filter_map(|policy| policy.policy_arn())
                .map(|arn| Policy { name: format!("policy {arn}"), source: Source::Attached(arn.to_owned()) }),
        );
        marker = listing.after(after_cut(ATTACHED, answer.is_truncated(), answer.marker())?.as_deref())?;
        if marker.is_none() {
            break;
        }
    }
    let mut listing = Listing::of(INLINE);
    loop {
        let request = || client.list_role_policies().role_name(role).set_marker(marker.clone()).send();
        let answer = calls.make(INLINE, request).await?;
        let names = answer.policy_names().iter();
        policies.extend(names.map(|name| Policy { name: format!("inline policy {name}"), source: Source::Inline(name.clone()) }));
        marker = listing.after(after_cut(INLINE, answer.is_truncated(), answer.marker())?.as_deref())?;
        if marker.is_none() {
            break;
        }
    }
    Ok(policies)
}

/// A policy's text as IAM sends it: encoded for a URL.
async fn text(Iam { client, calls }: &Iam<'_>, role: &str, policy: &Policy) -> Result<String> {
    match &policy.source {
        Source::Inline(name) => {
            let answer = calls.make("iam:GetRolePolicy", || client.get_role_policy().role_name(role).policy_name(name).send()).await?;
            Ok(answer.policy_document().to_owned())
        }
        Source::Attached(arn) => {
            let shown = calls.make("iam:GetPolicy", || client.get_policy().policy_arn(arn).send()).await?;
            let version = shown.policy().and_then(|policy| policy.default_version_id()).unwrap_or_default().to_owned();
            let request = || client.get_policy_version().policy_arn(arn).version_id(&version).send();
            let answer = calls.make("iam:GetPolicyVersion", request).await?;
            Ok(answer.policy_version().and_then(|version| version.document()).unwrap_or_default().to_owned())
        }
    }
}

/// The statements of a policy that allow more than what is wanted. What a Deny takes away again is not subtracted: the statement still says more than it should.
fn beyond(policy: &str, document: &Value, wanted: &[WantedPermission]) -> Vec<ExcessStatement> {
    let statements = match &document["Statement"] {
        Value::Array(all) => all.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    };
    let named = statements.into_iter().enumerate().map(|(index, statement)| {
        let label = statement["Sid"].as_str().filter(|sid| !sid.is_empty()).map_or_else(|| (index + 1).to_string(), str::to_owned);
        ExcessStatement { name: format!("{policy}, statement {label}"), beyond: allowed_beyond(statement, wanted) }
    });
    named.filter(|statement| !statement.beyond.is_empty()).collect()
}

fn allowed_beyond(statement: &Value, wanted: &[WantedPermission]) -> Vec<String> {
    if statement["Effect"] != "Allow" {
        return Vec::new();
    }
    if !statement["NotAction"].is_null() {
        return vec![format!("everything but {}", words(&statement["NotAction"]).join(", "))];
    }
    let (resources, others) = (words(&statement["Resource"]), !statement["NotResource"].is_null());
    let mut beyond = Vec::new();
    for action in words(&statement["Action"]) {
        // A pattern is beyond, whatever it covers, unless the manifest has the very same.
        let on: Vec<&str> =
            wanted.iter().filter(|wanted| wanted.action.eq_ignore_ascii_case(action)).map(|wanted| wanted.resource.as_str()).collect();
        if on.is_empty() {
            beyond.push(action.to_owned());
        } else if !on.contains(&"*") {
            if others {
                beyond.push(format!("{action} on everything but {}", words(&statement["NotResource"]).join(", ")));
            }
            beyond.extend(resources.iter().filter(|resource| !on.contains(resource)).map(|resource| format!("{action} on {resource}")));
        }
    }
    beyond
}

/// A word or a list of words.
pub fn words(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    }
}

/// A text that was encoded for a URL. What is not encoded rightly stays as it is.
pub fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escaped = (*byte == b'%').then(|| text.get(at + 1..at + 3)).flatten().and_then(|hex| u8::from_str_radix(hex, 16).ok());
        decoded.push(escaped.unwrap_or(*byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wanted() -> Vec<WantedPermission> {
        let of = |resource: &str, action: &str| WantedPermission { resource: resource.into(), action: action.into() };
        vec![
            of("*", "ec2:DescribeInstances"),
            of("*", "iam:ListRolePolicies"),
            of("own", "iam:ListRolePolicies"),
            of("own", "iam:DetachRolePolicy"),
        ]
    }

    fn found(statement: Value) -> Vec<String> {
        beyond("policy p", &json!({"Statement": statement}), &wanted()).into_iter().flat_map(|statement| statement.beyond).collect()
    }

    #[test]
    fn only_what_the_manifest_does_not_name_is_beyond() {
        let cases = [
            ("the manifest itself", json!({"Effect": "Allow", "Action": ["ec2:DescribeInstances"], "Resource": "*"}), vec![]),
            ("no letter case", json!({"Effect": "Allow", "Action": "EC2:describeinstances", "Resource": "*"}), vec![]),
            ("narrower than wanted", json!({"Effect": "Allow", "Action": "ec2:DescribeInstances", "Resource": "arn:x"}), vec![]),
            ("another action", json!({"Effect": "Allow", "Action": "ec2:RunInstances", "Resource": "*"}), vec!["ec2:RunInstances"]),
            ("a pattern", json!({"Effect": "Allow", "Action": ["ec2:Describe*"], "Resource": "*"}), vec!["ec2:Describe*"]),
            ("everything", json!({"Effect": "Allow", "Action": "*", "Resource": "*"}), vec!["*"]),
            ("own role only", json!({"Effect": "Allow", "Action": "iam:DetachRolePolicy", "Resource": "own"}), vec![]),
            (
                "own role's action on others",
                json!({"Effect": "Allow", "Action": "iam:DetachRolePolicy", "Resource": ["own", "*"]}),
                vec!["iam:DetachRolePolicy on *"],
            ),
            (
                "on all but some",
                json!({"Effect": "Allow", "Action": "iam:DetachRolePolicy", "NotResource": "x"}),
                vec!["iam:DetachRolePolicy on everything but x"],
            ),
            ("wanted on both", json!({"Effect": "Allow", "Action": "iam:ListRolePolicies", "Resource": "other"}), vec![]),
            (
                "all but some",
                json!({"Effect": "Allow", "NotAction": ["iam:*", "s3:*"], "Resource": "*"}),
                vec!["everything but iam:*, s3:*"],
            ),
            ("a denial", json!({"Effect": "Deny", "Action": "*", "Resource": "*"}), vec![]),
        ];
        for (why, statement, expected) in cases {
            assert_eq!(found(statement), expected, "{why}");
        }
    }

    #[test]
    fn a_statement_is_named_by_its_sid_or_its_place() {
        let allow = |sid: &str| json!({"Sid": sid, "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"});
        let names: Vec<String> =
            beyond("policy p", &json!({"Statement": [allow(""), allow("Reads")]}), &wanted()).into_iter().map(|found| found.name).collect();
        assert_eq!(names, ["policy p, statement 1", "policy p, statement Reads"]);
    }

    #[test]
    fn a_text_is_decoded() {
        assert_eq!(decode("%7B%22a%22%3A%22b+%C3%BC%22%7D"), "{\"a\":\"b+ü\"}");
        assert_eq!(decode("100%"), "100%");
        assert_eq!(decode("%zz%4"), "%zz%4");
        assert_eq!(decode("%ü1"), "%ü1");
    }
}
