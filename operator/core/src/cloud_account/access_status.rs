//! What the ways into an account mean: the profile, what is missing of it, what is beyond it, and the register.

use caretaker_api::CloudAccount;
use caretaker_api::cloud_account::{
    AccessProfile, AccessRegister, AccessStatus, Capability, Cloud, CloudAccountStatus, ExcessStatement, ExcessStatus, MissingPermission,
    SessionPolicy, WayIn,
};
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::words::WayKind;
use caretaker_cloud::{CloudError, ExcessReport, Narrowing, PermissionGap, Purpose, Register};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::conditions::{ConditionSet, Is};
use crate::kit::purposes;
use crate::permissions;

/// Most entries of a list in the status.
const MAX_ENTRIES: usize = 50;
/// Most permissions or roles of one entry.
const MAX_PARTS: usize = 10;
/// Longest text of the cloud's in the status, in characters.
const MAX_TEXT: usize = 256;
/// Time between two readings of the register.
pub const REGISTER_EVERY: SignedDuration = SignedDuration::from_hours(24);
/// How long before its end a way in is warned of.
const WARN_BEFORE: SignedDuration = SignedDuration::from_hours(24 * 30);

/// The profile of what is allowed.
#[must_use]
pub fn profile(allow: &[Capability]) -> AccessProfile {
    if allow.contains(&Capability::Revoke) {
        AccessProfile::Full
    } else if allow.contains(&Capability::Backup) || allow.contains(&Capability::RestoreTest) {
        AccessProfile::Backup
    } else {
        AccessProfile::ReadOnly
    }
}

/// How the policy of our sessions was widened; `None` where it was not.
#[must_use]
pub const fn session_policy(narrowing: Narrowing) -> Option<SessionPolicy> {
    match narrowing {
        Narrowing::Purpose => None,
        Narrowing::Families => Some(SessionPolicy::Families),
        Narrowing::Nothing => Some(SessionPolicy::Absent),
    }
}

/// What stays of the last generation's access: what was found out about the same principal and costs the client something to find out again.
#[must_use]
pub fn carry(access: AccessStatus, generation: Option<i64>, principal: &str) -> AccessStatus {
    if access.generation == generation {
        return access;
    }
    if access.principal != principal {
        return AccessStatus::default();
    }
    let AccessStatus { refusals_proven_at, refusals_tried_at, others, register, .. } = access;
    AccessStatus { refusals_proven_at, refusals_tried_at, others, register, ..AccessStatus::default() }
}

/// What is missing of the profile.
pub fn take_gap(
    account: &CloudAccount,
    status: &mut CloudAccountStatus,
    set: &mut ConditionSet,
    gap: Option<&Result<PermissionGap, CloudError>>,
) {
    let kind = ConditionType::PermissionsSufficient;
    let gap = match gap {
        None => return,
        Some(Err(error)) => return set.set(kind, Is::Unknown, Reason::Unreachable, error.to_string()),
        Some(Ok(gap)) => gap,
    };
    let missing = missing(account.spec.target.cloud(), &account.spec.allow, &gap.missing);
    let named: Vec<String> = missing.iter().map(|missing| format!("{} (without it we cannot {})", missing.action, missing.step)).collect();
    let named = named.join(", ");
    status.access.get_or_insert_default().missing = missing;
    match (gap.known, named.is_empty()) {
        (true, true) => set.set(kind, Is::True, Reason::Proven, "every permission of the manifest is granted"),
        (true, false) => {
            set.set(kind, Is::False, Reason::PermissionsMissing, format!("missing: {named}; let the client apply the grant kit again"));
        }
        (false, nothing) => {
            let found = if nothing { String::new() } else { format!("; missing at least: {named}") };
            let message = "the cloud does not tell what is granted: what is missing shows at the first call that needs it";
            set.set(kind, Is::Unknown, Reason::Denied, format!("{message}{found}"));
        }
    }
}

/// The actions with the steps that do not work without them.
fn missing(cloud: Cloud, allow: &[Capability], actions: &[String]) -> Vec<MissingPermission> {
    let rows = || {
        permissions::entry(cloud)
            .iter()
            .chain(purposes(allow).into_iter().chain([Purpose::Members]).flat_map(|purpose| permissions::actions(cloud, purpose)))
    };
    let step = |action: &str| {
        let mut whys: Vec<&str> = rows().filter(|row| row.name == action).map(|row| row.why).collect();
        whys.dedup();
        whys.join("; ")
    };
    actions.iter().map(|action| MissingPermission { action: action.clone(), step: step(action) }).collect()
}

/// What is granted beyond the profile. It is a warning only.
pub fn take_excess(status: &mut CloudAccountStatus, set: &mut ConditionSet, excess: Option<&Result<ExcessReport, CloudError>>) {
    let kind = ConditionType::LeastPrivilege;
    let report = match excess {
        None => return,
        Some(Err(error)) => return set.set(kind, Is::Unknown, Reason::Unreachable, error.to_string()),
        Some(Ok(report)) => report,
    };
    let access = status.access.get_or_insert_default();
    let profile = access.profile.unwrap_or_default().as_str();
    let excess = bounded_excess(report);
    match (excess.statements.first(), &excess.unknown) {
        (Some(first), _) => {
            let message = format!(
                "{} statement(s) grant more than the profile {profile} needs; {}: {}; let the client take that away",
                excess.total,
                first.name,
                first.beyond.join(", ")
            );
            set.set(kind, Is::False, Reason::PermissionsExcess, message);
        }
        (None, Some(unknown)) => {
            let message = format!("the cloud does not tell all that is granted, so nothing can be said of what is too much: {unknown}");
            set.set(kind, Is::Unknown, Reason::Denied, message);
        }
        (None, None) => set.set(kind, Is::True, Reason::Proven, format!("nothing beyond the profile {profile} is granted")),
    }
    access.excess = Some(excess);
}

fn bounded_excess(report: &ExcessReport) -> ExcessStatus {
    let statements = report.statements.iter().take(MAX_ENTRIES).map(|statement| ExcessStatement {
        name: cut(&statement.name),
        beyond: statement.beyond.iter().take(MAX_PARTS).map(|part| cut(part)).collect(),
        total: count(statement.beyond.len()),
    });
    ExcessStatus { statements: statements.collect(), total: count(report.statements.len()), unknown: report.unknown.as_deref().map(cut) }
}

/// The register of ways in, and the warning before one of them ends. Of a parent none is read: its accounts have theirs.
pub fn take_register(
    account: &CloudAccount,
    status: &mut CloudAccountStatus,
    set: &mut ConditionSet,
    register: Option<&Result<Register, CloudError>>,
    now: Timestamp,
) {
    if account.spec.target.is_parent() {
        return;
    }
    if let Some(Ok(register)) = register {
        status.access.get_or_insert_default().register = Some(bounded_register(register, now));
    }
    let kind = ConditionType::AccessLasting;
    let Some(held) = status.access.as_ref().and_then(|access| access.register.as_ref()) else {
        if let Some(Err(error)) = register {
            set.set(kind, Is::Unknown, Reason::Unreachable, error.to_string());
        } else {
            set.set(kind, Is::Unknown, Reason::Pending, "the ways in are not read yet");
        }
        return;
    };
    let soon = held.ways.iter().filter_map(|way| Some((way.expires.as_ref()?.0, way))).min_by_key(|(time, _)| *time);
    match soon.filter(|(time, _)| time.duration_since(now) <= WARN_BEFORE) {
        Some((time, way)) => {
            let date = time.to_zoned(TimeZone::UTC).date();
            let message = format!("{} of {} to {} ends on {date}: renew it, or let it end on purpose", way.kind, way.principal, way.scope);
            set.set(kind, Is::False, Reason::Expiring, message);
        }
        None if !held.unread.is_empty() => {
            set.set(kind, Is::Unknown, Reason::Denied, format!("not every way in could be read: {}", held.unread.join("; ")));
        }
        None => set.set(kind, Is::True, Reason::Settled, "no way in that was found ends within 30 days"),
    }
}

/// What ends first stands first, so that a bound never hides it.
fn bounded_register(register: &Register, now: Timestamp) -> AccessRegister {
    let mut ways: Vec<&caretaker_cloud::WayIn> = register.ways.iter().collect();
    ways.sort_by_key(|way| (way.expires.is_none(), way.expires));
    let ways = ways.into_iter().take(MAX_ENTRIES).map(|way| WayIn {
        kind: kind_of(way.kind),
        principal: cut(&way.principal),
        scope: cut(&way.scope),
        grants: way.grants.iter().take(MAX_PARTS).map(|grant| cut(grant)).collect(),
        last_used: way.last_used.map(|day| day.to_string()),
        expires: way.expires.map(Time),
    });
    AccessRegister {
        read_at: Some(Time(now)),
        total: count(register.ways.len()),
        ways: ways.collect(),
        unread: register.unread.iter().take(MAX_ENTRIES).map(|line| cut(line)).collect(),
    }
}

const fn kind_of(kind: caretaker_cloud::WayKind) -> WayKind {
    use caretaker_cloud::WayKind as Seen;
    match kind {
        Seen::Role => WayKind::Role,
        Seen::User => WayKind::User,
        Seen::AccessKey => WayKind::AccessKey,
        Seen::Delegation => WayKind::Delegation,
        Seen::EligibleDelegation => WayKind::EligibleDelegation,
        Seen::Binding => WayKind::Binding,
        Seen::Impersonation => WayKind::Impersonation,
        Seen::ServiceAccountKey => WayKind::ServiceAccountKey,
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// A text of the cloud's on one line and of bounded length.
fn cut(text: &str) -> String {
    let mut cut: String = text.chars().take(MAX_TEXT).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(MAX_TEXT).is_some() {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use caretaker_cloud::WayKind;
    use serde_json::json;

    use super::*;
    use crate::cloud_account::intrusion_probe::Refusal;
    use crate::cloud_account::{self, Done, Observed};
    use crate::conditions::find;
    use crate::outcome::Outcome;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn account(allow: &[Capability]) -> CloudAccount {
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": "prod", "generation": 1},
            "spec": {"aws": {"accountId": "111122223333", "externalId": "abc123"}, "allow": allow},
        }))
        .unwrap()
    }

    /// A visit that proves everything, with these answers.
    fn visited(account: &CloudAccount, gap: PermissionGap, excess: ExcessReport, register: Register) -> (CloudAccountStatus, Outcome) {
        let done = Done {
            principal: "role".into(),
            proof: Some(Ok(caretaker_cloud::Identity { account: "111122223333".into(), principal: "session".into() })),
            gap: Some(Ok(gap)),
            excess: Some(Ok(excess)),
            register: Some(Ok(register)),
            refusals: vec![Refusal::Refused, Refusal::Refused],
            ..Done::default()
        };
        cloud_account::status(account, &Observed::default(), &[], &done, at("2026-11-26T10:00:00Z"))
    }

    fn known(missing: &[&str]) -> PermissionGap {
        PermissionGap { missing: missing.iter().map(|action| (*action).to_owned()).collect(), known: true }
    }

    fn statement(name: &str, beyond: &[&str]) -> caretaker_cloud::ExcessStatement {
        caretaker_cloud::ExcessStatement { name: name.into(), beyond: beyond.iter().map(|part| (*part).to_owned()).collect() }
    }

    fn said(status: &CloudAccountStatus, kind: ConditionType) -> (String, String, String) {
        let condition = find(&status.conditions, kind).unwrap();
        (condition.status.clone(), condition.reason.clone(), condition.message.clone())
    }

    #[test]
    fn the_profile_follows_from_what_is_allowed() {
        use Capability::{Backup, Revoke};
        for (allow, expected) in [
            (vec![], AccessProfile::ReadOnly),
            (vec![Backup], AccessProfile::Backup),
            (vec![Backup, Revoke], AccessProfile::Full),
            (vec![Revoke], AccessProfile::Full),
        ] {
            assert_eq!(profile(&allow), expected, "{allow:?}");
        }
    }

    #[test]
    fn a_wider_session_is_told_until_it_is_narrow_again() {
        let mut account = account(&[]);
        for (narrowing, expected) in [
            (Some(Narrowing::Purpose), None),
            (Some(Narrowing::Families), Some(SessionPolicy::Families)),
            (None, Some(SessionPolicy::Families)),
            (Some(Narrowing::Nothing), Some(SessionPolicy::Absent)),
            (Some(Narrowing::Purpose), None),
        ] {
            let done = Done { principal: "role".into(), narrowing, ..Done::default() };
            let (status, _) = cloud_account::status(&account, &Observed::default(), &[], &done, at("2026-11-26T10:00:00Z"));
            assert_eq!(status.access.as_ref().unwrap().session_policy, expected, "{narrowing:?}");
            account.status = Some(status);
        }
    }

    #[test]
    fn what_is_missing_names_the_step_that_will_not_work() {
        let gap = known(&["ec2:DescribeVolumes", "iam:ListRolePolicies", "sts:SetSourceIdentity"]);
        let account = account(&[Capability::Revoke]);
        let (status, _) = visited(&account, gap, ExcessReport::default(), Register::default());
        let access = status.access.clone().unwrap();
        assert_eq!(access.profile, Some(AccessProfile::Full));
        let steps: Vec<&str> = access.missing.iter().map(|missing| missing.step.as_str()).collect();
        let expected = [
            "list disks",
            "find permissions of ours beyond this list; see what our role holds",
            "let your audit log say which object of ours acted",
        ];
        assert_eq!(steps, expected);
        let (is, reason, message) = said(&status, ConditionType::PermissionsSufficient);
        assert_eq!((is.as_str(), reason.as_str()), ("False", "PermissionsMissing"));
        assert!(message.contains("ec2:DescribeVolumes (without it we cannot list disks)"), "{message}");
    }

    #[test]
    fn too_much_is_a_warning_that_names_the_statement() {
        let account = account(&[]);
        let report = ExcessReport {
            statements: vec![statement("inline policy extra, statement All", &["s3:*"])],
            unknown: Some("policy x: iam:GetPolicy was refused (AccessDenied)".into()),
        };
        let (status, _) = visited(&account, known(&[]), report, Register::default());
        let (is, reason, message) = said(&status, ConditionType::LeastPrivilege);
        assert_eq!((is.as_str(), reason.as_str()), ("False", "PermissionsExcess"));
        assert!(message.contains("inline policy extra, statement All: s3:*") && message.contains("ReadOnly"), "{message}");
    }

    #[test]
    fn warnings_make_nothing_wait() {
        let account = account(&[]);
        let with = |report: ExcessReport, register: Register| {
            let (status, outcome) = visited(&account, known(&[]), report, register);
            // The inventory is not read in this visit: that alone is waited for.
            let Outcome::Waiting(wait) = outcome else { panic!("{outcome:?}") };
            (wait.reason, said(&status, ConditionType::LeastPrivilege).0, said(&status, ConditionType::AccessLasting).0)
        };
        let excess = ExcessReport { statements: vec![statement("p", &["*"])], unknown: None };
        let mut key = caretaker_cloud::WayIn::new(WayKind::ServiceAccountKey, "us", "them");
        key.expires = Some(at("2026-12-01T00:00:00Z"));
        let ending = Register { ways: vec![key], unread: Vec::new() };
        let good = with(ExcessReport::default(), Register::default());
        let bad = with(excess, ending);
        assert_eq!((good.1.as_str(), good.2.as_str(), bad.1.as_str(), bad.2.as_str()), ("True", "True", "False", "False"));
        assert_eq!(good.0, bad.0, "the outcome is the same");
    }

    #[test]
    fn what_is_not_told_is_unknown() {
        let account = account(&[]);
        let report = ExcessReport { statements: Vec::new(), unknown: Some("our role's policies: refused".into()) };
        let register = Register { ways: Vec::new(), unread: vec!["roles: refused".into()] };
        let gap = PermissionGap { missing: vec!["sts:SetSourceIdentity".into()], known: false };
        let (status, _) = visited(&account, gap, report, register);
        for kind in [ConditionType::PermissionsSufficient, ConditionType::LeastPrivilege, ConditionType::AccessLasting] {
            assert_eq!(said(&status, kind).0, "Unknown", "{kind}");
        }
        assert!(said(&status, ConditionType::PermissionsSufficient).2.contains("missing at least: sts:SetSourceIdentity"));
        assert!(said(&status, ConditionType::AccessLasting).2.contains("roles: refused"));
    }

    #[test]
    fn the_status_is_bounded_and_says_how_much_it_leaves_out() {
        let account = account(&[]);
        let many: Vec<String> = (0..30).map(|number| format!("s3:Action{number}")).collect();
        let statements = (0..60)
            .map(|number| caretaker_cloud::ExcessStatement { name: format!("{number:02} {}", "x\n".repeat(300)), beyond: many.clone() });
        let mut ways: Vec<caretaker_cloud::WayIn> =
            (0..60).map(|number| caretaker_cloud::WayIn::new(WayKind::Role, format!("{number:02}"), "role")).collect();
        ways[59].expires = Some(at("2026-12-01T00:00:00Z"));
        let excess = ExcessReport { statements: statements.collect(), unknown: None };
        let (status, _) = visited(&account, known(&[]), excess, Register { ways, unread: Vec::new() });
        let access = status.access.clone().unwrap();
        let (excess, register) = (access.excess.unwrap(), access.register.unwrap());
        assert_eq!((excess.statements.len(), excess.total), (50, 60));
        assert_eq!((excess.statements[0].beyond.len(), excess.statements[0].total), (10, 30));
        assert!(excess.statements[0].name.chars().count() <= 257 && !excess.statements[0].name.contains('\n'));
        assert_eq!((register.ways.len(), register.total), (50, 60));
        assert_eq!(register.ways[0].principal, "59", "what ends first is never left out");
        assert!(said(&status, ConditionType::AccessLasting).2.contains("ends on 2026-12-01"));
    }

    #[test]
    fn an_unchanged_world_reads_to_the_same_status() {
        let mut account = account(&[]);
        let report = ExcessReport { statements: vec![statement("p", &["*"])], unknown: None };
        let mut way = caretaker_cloud::WayIn::new(WayKind::Role, "us", "role");
        way.last_used = Some("2026-11-25".parse().unwrap());
        let register = Register { ways: vec![way], unread: Vec::new() };
        let (first, _) = visited(&account, known(&[]), report.clone(), register.clone());
        account.status = Some(first.clone());
        let (second, _) = visited(&account, known(&[]), report, register);
        assert_eq!(first, second);
        let quiet = cloud_account::status(
            &account,
            &Observed::default(),
            &[],
            &Done { principal: "role".into(), ..Done::default() },
            at("2026-11-26T10:05:00Z"),
        );
        assert_eq!(quiet.0, first, "a visit that asks nothing changes nothing");
    }

    #[test]
    fn an_edit_that_leaves_the_door_as_it_is_costs_the_client_nothing() {
        let mut account = account(&[]);
        let (status, _) = visited(&account, known(&[]), ExcessReport::default(), Register::default());
        account.metadata.generation = Some(2);
        account.status = Some(status);
        let done = Done {
            principal: "role".into(),
            proof: Some(Ok(caretaker_cloud::Identity { account: "111122223333".into(), principal: "session".into() })),
            ..Done::default()
        };
        let now = at("2026-11-26T11:00:00Z");
        let (status, _) = cloud_account::status(&account, &Observed::default(), &[], &done, now);
        let condition = find(&status.conditions, ConditionType::ConfusedDeputyProtected).unwrap();
        assert_eq!((condition.status.as_str(), condition.observed_generation), ("True", Some(2)), "found out of the same role");
        assert!(status.access.clone().unwrap().register.is_some());
        let done = Done { principal: "another".into(), ..done };
        let (status, _) = cloud_account::status(&account, &Observed::default(), &[], &done, now);
        assert_eq!(said(&status, ConditionType::ConfusedDeputyProtected).0, "Unknown");
        assert!(status.access.unwrap().register.is_none());
    }
}
