//! Every way of the provider into an account: roles that trust it, and users with keys that are evidently its own.

use aws_sdk_iam::types::{Role, User};
use aws_smithy_types::DateTime;
use caretaker_cloud::access::MAX_WAYS;
use caretaker_cloud::budget::Work;
use caretaker_cloud::runtime::{Listing, after_cut};
use caretaker_cloud::{Register, Result, WayIn, WayKind};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::policies::{self, Iam, decode, words};
use crate::session::Session;

const LIST_ROLES: &str = "iam:ListRoles";
const LIST_USERS: &str = "iam:ListUsers";
/// Rows in one page of IAM: at most 1,000.
/// Source: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html>
const PAGE: i32 = 500;
/// What the name of a user begins with, or a part of its path, that is evidently ours.
const OUR_NAME: &str = "caretaker";

/// Reads the register.
pub async fn ways_in(session: &Session) -> Result<Register> {
    let work = Work::once(&session.grant.account_id);
    let (iam, mut register) = (Iam::of(session, &work), Register::default());
    roles(session, &iam, &mut register).await?;
    users(session, &iam, &mut register).await?;
    Ok(register.sorted())
}

async fn roles(session: &Session, iam: &Iam<'_>, register: &mut Register) -> Result<()> {
    let listed = trusting(session, iam).await;
    let Some(found) = register.take("roles", listed)? else { return Ok(()) };
    for (number, (role, trusted)) in found.into_iter().enumerate() {
        let mut way = WayIn::new(WayKind::Role, trusted, role.arn());
        if number < MAX_WAYS {
            let name = role.role_name();
            let shown = iam.calls.make("iam:GetRole", || iam.client.get_role().role_name(name).send()).await;
            let shown = register.take(&format!("the last use of role {name}"), shown)?;
            way.last_used = shown.and_then(|shown| day(shown.role()?.role_last_used()?.last_used_date()));
            let held = policies::of_role(iam, name).await;
            let held = register.take(&format!("the policies of role {name}"), held)?;
            way.grants = held.unwrap_or_default().into_iter().map(|policy| policy.name).collect();
        }
        register.ways.push(way);
    }
    Ok(())
}

/// The roles that trust the provider, with whom exactly they trust.
async fn trusting(session: &Session, Iam { client, calls }: &Iam<'_>) -> Result<Vec<(Role, String)>> {
    let mut found = Vec::new();
    let (mut marker, mut listing) = (None::<String>, Listing::of(LIST_ROLES));
    loop {
        let request = || client.list_roles().max_items(PAGE).set_marker(marker.clone()).send();
        let answer = calls.make(LIST_ROLES, request).await?;
        for role in answer.roles() {
            let trust = decode(role.assume_role_policy_document().unwrap_or_default());
            if let Some(trusted) = trusted(&trust, &session.shared.expected_principal) {
                found.push((role.clone(), trusted));
            }
        }
        marker = listing.after(after_cut(LIST_ROLES, answer.is_truncated(), answer.marker())?.as_deref())?;
        if marker.is_none() {
            break;
        }
    }
    Ok(found)
}

/// Whom of the provider's a trust policy lets in. A text that cannot be understood could let in anybody, so it counts.
fn trusted(document: &str, provider: &str) -> Option<String> {
    let Ok(document) = serde_json::from_str::<Value>(document) else { return Some("not told: the trust policy is no JSON".into()) };
    let account = provider.split(':').nth(4).unwrap_or_default();
    let statements = match &document["Statement"] {
        Value::Array(all) => all.iter().collect(),
        one => vec![one],
    };
    let mut found = Vec::new();
    for statement in statements.into_iter().filter(|statement| statement["Effect"] == "Allow") {
        if !statement["NotPrincipal"].is_null() {
            found.push("everybody but some".to_owned());
        }
        let principal = &statement["Principal"];
        let named = if principal.is_object() { words(&principal["AWS"]) } else { words(principal) };
        for name in named {
            if is_deleted(name) {
                found.push(format!("{name}, a principal that was deleted: nobody can use it, and whose it was cannot be told"));
            } else if name == "*" {
                found.push("everybody".to_owned());
            } else if name == account || name.split(':').nth(4) == Some(account) {
                found.push(name.to_owned());
            }
        }
    }
    found.sort();
    found.dedup();
    (!found.is_empty()).then(|| found.join(", "))
}

/// AWS puts the id of a principal in the place of its ARN once it is deleted. One of the same name that is made later is another.
/// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>
fn is_deleted(name: &str) -> bool {
    let is_id = |rest: &str| rest.len() >= 12 && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    ["AIDA", "AROA"].iter().any(|kind| name.strip_prefix(kind).is_some_and(is_id))
}

async fn users(session: &Session, iam: &Iam<'_>, register: &mut Register) -> Result<()> {
    let listed = ours(session, iam).await;
    let Some(found) = register.take("users", listed)? else { return Ok(()) };
    for (number, user) in found.into_iter().enumerate() {
        let name = user.user_name();
        let mut way = WayIn::new(WayKind::User, user.arn(), format!("account {}", session.grant.account_id));
        way.last_used = day(user.password_last_used());
        register.ways.push(way);
        if number < MAX_WAYS {
            let keys = iam.calls.make("iam:ListAccessKeys", || iam.client.list_access_keys().user_name(name).send()).await;
            let keys = register.take(&format!("the access keys of user {name}"), keys)?;
            for key in keys.iter().flat_map(|keys| keys.access_key_metadata()) {
                let id = key.access_key_id().unwrap_or_default();
                let mut way =
                    WayIn::new(WayKind::AccessKey, format!("{} key {id}", user.arn()), format!("account {}", session.grant.account_id));
                way.grants.extend(key.status().map(|status| format!("status {}", status.as_str())));
                let request = || iam.client.get_access_key_last_used().access_key_id(id).send();
                let used = iam.calls.make("iam:GetAccessKeyLastUsed", request).await;
                let used = register.take(&format!("the last use of access key {id}"), used)?;
                way.last_used = used.and_then(|used| day(used.access_key_last_used()?.last_used_date()));
                register.ways.push(way);
            }
        }
    }
    Ok(())
}

async fn ours(session: &Session, Iam { client, calls }: &Iam<'_>) -> Result<Vec<User>> {
    let mut found = Vec::new();
    let (mut marker, mut listing) = (None::<String>, Listing::of(LIST_USERS));
    loop {
        let request = || client.list_users().max_items(PAGE).set_marker(marker.clone()).send();
        let answer = calls.make(LIST_USERS, request).await?;
        let account = session.shared.expected_principal.split(':').nth(4).unwrap_or_default();
        found.extend(answer.users().iter().filter(|user| is_ours(user.user_name(), user.path(), account)).cloned());
        marker = listing.after(after_cut(LIST_USERS, answer.is_truncated(), answer.marker())?.as_deref())?;
        if marker.is_none() {
            break;
        }
    }
    Ok(found)
}

/// Whether a user is evidently the provider's.
fn is_ours(name: &str, path: &str, account: &str) -> bool {
    let (name, path) = (name.to_ascii_lowercase(), path.to_ascii_lowercase());
    name.starts_with(OUR_NAME) || path.contains(OUR_NAME) || !account.is_empty() && path.contains(account)
}

fn day(time: Option<&DateTime>) -> Option<Date> {
    let time = Timestamp::from_second(time?.secs()).ok()?;
    Some(time.to_zoned(TimeZone::UTC).date())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const US: &str = "arn:aws:iam::999999999999:user/caretaker";

    fn trust(principal: Value) -> String {
        json!({"Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]}).to_string()
    }

    #[test]
    fn a_role_that_trusts_us_in_any_form_is_found() {
        let cases = [
            (trust(json!({"AWS": US})), Some(US)),
            (trust(json!({"AWS": "arn:aws:iam::999999999999:root"})), Some("arn:aws:iam::999999999999:root")),
            (trust(json!({"AWS": ["arn:aws:iam::111111111111:root", "999999999999"]})), Some("999999999999")),
            (trust(json!({"AWS": "*"})), Some("everybody")),
            (trust(json!("*")), Some("everybody")),
            (
                trust(json!({"AWS": "AROAEXAMPLEEXAMPLE123"})),
                Some("AROAEXAMPLEEXAMPLE123, a principal that was deleted: nobody can use it, and whose it was cannot be told"),
            ),
            (trust(json!({"AWS": "arn:aws:iam::111111111111:role/AROAEXAMPLEEXAMPLE123"})), None),
            (trust(json!({"Service": "ec2.amazonaws.com"})), None),
            (trust(json!({"AWS": "arn:aws:iam::111111111111:user/999999999999"})), None),
            (json!({"Statement": {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"}}).to_string(), None),
            (json!({"Statement": {"Effect": "Allow", "NotPrincipal": {"AWS": "x"}}}).to_string(), Some("everybody but some")),
            ("{".to_owned(), Some("not told: the trust policy is no JSON")),
        ];
        for (document, expected) in cases {
            assert_eq!(trusted(&document, US).as_deref(), expected, "{document}");
        }
    }

    #[test]
    fn a_user_is_ours_where_that_is_evident() {
        assert!(is_ours("Caretaker-legacy", "/", "999999999999"));
        assert!(is_ours("jo", "/partners/999999999999/", "999999999999"));
        assert!(is_ours("jo", "/caretaker/", ""));
        assert!(!is_ours("jo", "/", ""));
        assert!(!is_ours("deploy", "/apps/", "999999999999"));
    }
}
