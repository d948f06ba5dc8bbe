//! `access` and `permissions`: who gets into a client's accounts, what is missing, what is too much, and why each permission is asked for.

use caretaker_api::CloudAccount;
use caretaker_api::cloud_account::{AccessRegister, Cloud, CloudAccountStatus, ExcessStatus, SessionPolicy, WayIn};
use caretaker_api::condition::Reason;
use caretaker_core::cloud_account::access_status::profile;
use caretaker_core::conditions::Is;
use caretaker_core::permissions::sight;
use caretaker_documents::permissions::{CallRow, rows};
use clap::ValueEnum;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt;

use super::account::{Which, status};
use super::output::{Form, json, paragraph, width};

/// What is shown under an account, and where its text begins.
const LABEL: usize = 12;
/// Conditions of the way in; each that is not True is told with its cure.
const TOLD: [&str; 6] =
    ["AccessProven", "ConfusedDeputyProtected", "ClientsSeparated", "PermissionsSufficient", "LeastPrivilege", "AccessLasting"];

/// Which cloud.
#[derive(clap::Args)]
pub struct PermissionsArgs {
    /// The cloud; without it all.
    #[arg(long, value_enum)]
    cloud: Option<CloudName>,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
}

/// A cloud as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CloudName {
    Aws,
    Azure,
    Gcp,
}

impl CloudName {
    const fn cloud(self) -> Cloud {
        match self {
            Self::Aws => Cloud::Aws,
            Self::Azure => Cloud::Azure,
            Self::Gcp => Cloud::Gcp,
        }
    }
}

/// Prints every call with its permission and its reason, from the manifest that the kits are made from. Needs no cluster.
pub fn permissions(args: &PermissionsArgs) -> anyhow::Result<()> {
    let clouds = args.cloud.map_or_else(|| CloudName::value_variants().to_vec(), |cloud| vec![cloud]);
    let rows: Vec<CallRow> = clouds.iter().flat_map(|name| rows(name.cloud())).collect();
    if args.output == Form::Json {
        return json(&rows);
    }
    let width = width();
    let mut last = ("", "");
    for row in rows {
        if last != (row.cloud, row.profile) {
            outln!("{}{} {}", if last == ("", "") { "" } else { "\n" }, row.cloud, row.profile);
            last = (row.cloud, row.profile);
        }
        let permission = if row.permission.is_empty() { "no permission".to_owned() } else { format!("{} on {}", row.permission, row.on) };
        out!("{}", paragraph("  ", &format!("{permission}: {}", row.why), width));
        if row.call != row.permission {
            out!("{}", paragraph("      ", &format!("by {}", row.call), width));
        }
    }
    Ok(())
}

/// Shows the profile, the proof, what is missing, what is too much, and every way in.
pub async fn access(args: Which) -> anyhow::Result<()> {
    let (_, accounts) = args.accounts().await?;
    if args.output == Form::Json {
        return json(&accounts.iter().map(as_json).collect::<Vec<_>>());
    }
    let width = width();
    let all: Vec<String> = accounts.iter().map(|account| report(account, width)).collect();
    out!("{}", all.join("\n"));
    Ok(())
}

fn as_json(account: &CloudAccount) -> serde_json::Value {
    let (status, sight) = (status(account), sight(account.spec.target.cloud()));
    serde_json::json!({
        "account": account.name_any(), "profile": profile(&account.spec.allow), "access": status.access, "conditions": status.conditions,
        "lookedAt": sight.looked_at, "notLookedAt": sight.not_looked_at, "ended": ended(&status).map(|end| &end.message),
    })
}

fn condition<'a>(status: &'a CloudAccountStatus, kind: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == kind)
}

/// What is told of the end by an account that a final handover has ended, or is ending.
fn ended(status: &CloudAccountStatus) -> Option<&Condition> {
    condition(status, "AccessProven").filter(|found| found.reason == Reason::HandedOver.as_str())
}

fn word(status: &CloudAccountStatus, kind: &str) -> String {
    condition(status, kind).map_or_else(|| "Unknown".to_owned(), |found| found.status.clone())
}

/// What a session may do beyond its purpose.
fn wider(policy: SessionPolicy) -> String {
    let what = match policy {
        SessionPolicy::Families => "cut down to families of actions such as ec2:Describe*",
        SessionPolicy::Absent => "not cut down: each may do all that the role may",
    };
    format!("{what} ({}), since AWS takes no larger policy beside the session tags of the provider's credentials", policy.as_str())
}

fn day(time: &Time) -> String {
    time.0.to_string().chars().take(10).collect()
}

/// One account on lines of at most this width.
fn report(account: &CloudAccount, width: usize) -> String {
    let status = status(account);
    let access = status.access.clone().unwrap_or_default();
    let shown = if status.account.is_empty() {
        format!("{} {}", account.spec.target.cloud().as_str(), account.spec.target.id())
    } else {
        status.account.clone()
    };
    let mut text = paragraph("", &format!("{}: {shown}, profile {}", account.name_any(), profile(&account.spec.allow).as_str()), width);
    let mut line = |label: &str, value: &str| text.push_str(&paragraph(&format!("  {label:LABEL$}"), value, width));
    if let Some(end) = ended(&status) {
        line("way in", if access.principal.is_empty() { "never known" } else { &access.principal });
        line("ended", &end.message);
        return text;
    }
    line("way in", if access.principal.is_empty() { "not known yet" } else { &access.principal });
    let proven = access.proven_at.as_ref().map_or_else(|| "never".to_owned(), |time| time.0.to_string());
    line("proven", &format!("{}, last {proven}", word(&status, "AccessProven")));
    if let Some(policy) = access.session_policy {
        line("sessions", &wider(policy));
    }
    line("outsiders", &format!("refused: {}", word(&status, "ConfusedDeputyProtected")));
    line("clients", &format!("other clients' principals refused: {}", word(&status, "ClientsSeparated")));
    match condition(&status, "PermissionsSufficient").map(Is::of) {
        Some(Is::True) => line("missing", "nothing"),
        _ if access.missing.is_empty() => line("missing", "not known"),
        _ => {
            access.missing.iter().for_each(|missing| line("missing", &format!("{}: without it we cannot {}", missing.action, missing.step)))
        }
    }
    excess(access.excess.as_ref(), &mut line);
    if account.spec.target.is_parent() {
        line("ways in", "read for each of its accounts");
    } else {
        register(access.register.as_ref(), &mut line);
    }
    let mut told = Vec::new();
    for kind in TOLD {
        let Some(found) = condition(&status, kind).filter(|found| Is::of(found) != Is::True) else { continue };
        // One cause often stands behind several.
        if !told.contains(&(&found.reason, &found.message)) {
            text.push_str(&paragraph("  ", &format!("{kind} is {} ({}): {}", found.status, found.reason, found.message), width));
            told.push((&found.reason, &found.message));
        }
    }
    text
}

fn excess(excess: Option<&ExcessStatus>, line: &mut impl FnMut(&str, &str)) {
    let Some(excess) = excess else { return line("excess", "not known") };
    for statement in &excess.statements {
        let more = match left(statement.total, statement.beyond.len()) {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        line("excess", &format!("{}: {}{more}", statement.name, statement.beyond.join(", ")));
    }
    match left(excess.total, excess.statements.len()) {
        0 => {}
        more => line("excess", &format!("and {more} more statements")),
    }
    match &excess.unknown {
        Some(unknown) => line("excess", &format!("not all is known: {unknown}")),
        None if excess.statements.is_empty() => line("excess", "nothing"),
        None => {}
    }
}

/// How many of a list are not shown.
fn left(total: u32, shown: usize) -> u32 {
    total.saturating_sub(u32::try_from(shown).unwrap_or(u32::MAX))
}

fn register(register: Option<&AccessRegister>, line: &mut impl FnMut(&str, &str)) {
    let Some(register) = register else { return line("ways in", "not read yet") };
    let read = register.read_at.as_ref().map(day).unwrap_or_default();
    line("ways in", &format!("{} found on {read}", register.total));
    register.ways.iter().for_each(|way| line("", &describe(way)));
    match left(register.total, register.ways.len()) {
        0 => {}
        more => line("", &format!("and {more} more")),
    }
    register.unread.iter().for_each(|unread| line("not read", unread));
}

fn describe(way: &WayIn) -> String {
    let mut text = format!("{}: {} to {}", way.kind, way.principal, way.scope);
    if !way.grants.is_empty() {
        text.push_str(&format!(", with {}", way.grants.join(", ")));
    }
    if let Some(day) = &way.last_used {
        text.push_str(&format!("; last used {day}"));
    }
    if let Some(ends) = &way.expires {
        text.push_str(&format!("; ends {}", day(ends)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(status: &serde_json::Value) -> CloudAccount {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": "prod"},
            "spec": {"aws": {"accountId": "111122223333"}, "allow": ["Backup"]}, "status": status,
        }))
        .unwrap()
    }

    fn whole() -> serde_json::Value {
        serde_json::json!({
            "account": "aws 111122223333",
            "conditions": [{
                "type": "LeastPrivilege", "status": "False", "reason": "PermissionsExcess", "lastTransitionTime": "2026-11-26T00:00:00Z",
                "message": "1 statement(s) grant more than the profile Backup needs",
            }],
            "access": {
                "principal": "arn:aws:iam::111122223333:role/CaretakerAccess", "provenAt": "2026-11-26T10:00:00Z",
                "missing": ["ec2:DescribeVolumes: list disks"],
                "excess": {"statements": [{"name": "inline policy extra, statement All", "beyond": ["s3:*"], "total": 12}], "total": 1},
                "register": {
                    "readAt": "2026-11-26T10:00:00Z", "total": 60,
                    "ways": [{
                        "kind": "AccessKey", "principal": "arn:aws:iam::111122223333:user/caretaker-old key AKIAIOSFODNN7EXAMPLE",
                        "scope": "account 111122223333", "grants": ["status Active"], "lastUsed": "2026-11-25", "expires": "2026-12-01T00:00:00Z",
                    }],
                    "unread": ["roles: iam:ListRoles was refused (AccessDenied)"],
                },
            },
        })
    }

    #[test]
    fn everything_is_told_within_the_width() {
        let text = report(&account(&whole()), 80);
        for part in [
            "prod: aws 111122223333, profile Backup",
            "role/CaretakerAccess",
            "ec2:DescribeVolumes: without it we cannot list disks",
            "inline policy extra, statement All: s3:*, and 11 more",
            "60 found on 2026-11-26",
            "last used 2026-11-25",
            "and 59 more",
            "iam:ListRoles was refused",
            "LeastPrivilege is False (PermissionsExcess)",
        ] {
            assert!(text.replace("\n              ", " ").contains(part), "{part} is not in\n{text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    /// N07: an auditor read "outsiders refused: False" and one way in of an account that refuses us.
    #[test]
    fn an_account_that_was_left_tells_its_end_and_nothing_else() {
        let mut left = whole();
        left["conditions"] = serde_json::json!(TOLD.map(|kind| serde_json::json!({
            "type": kind, "status": if kind == "AccessProven" { "False" } else { "Unknown" }, "reason": "HandedOver",
            "lastTransitionTime": "2026-11-26T00:00:00Z", "message": "our access has ended: refused 3 times in a row since 2026-11-26 10:00 UTC",
        })));
        let text = report(&account(&left), 100);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[0].starts_with("prod: aws") && lines[1].starts_with("way in") && lines[2].starts_with("ended"), "{text}");
        assert!(text.contains("refused 3 times in a row since 2026-11-26 10:00 UTC"), "{text}");
        assert_eq!(as_json(&account(&left))["ended"], "our access has ended: refused 3 times in a row since 2026-11-26 10:00 UTC");
        assert!(as_json(&account(&whole()))["ended"].is_null());
    }

    #[test]
    fn what_is_not_known_is_never_told_as_nothing() {
        let text = report(&account(&serde_json::json!({})), 80);
        for part in ["missing     not known", "excess      not known", "ways in     not read yet", "profile Backup"] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(!text.contains("nothing"), "{text}");
    }
}
