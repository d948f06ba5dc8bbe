//! The status of a `ManagedClient`: its own conditions, and its children's, mirrored.

use std::time::Duration;

use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::destination::DestinationStatus;
use caretaker_api::exit_terms::Deadline;
use caretaker_api::ledger::LedgerHead;
use caretaker_api::managed_client::{ManagedClientStatus, ReadinessStatus};
use caretaker_api::names::client_namespace;
use caretaker_api::{CloudAccount, ManagedClient};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;

use super::accounts::Wanted;
use super::ended::{end, end_monitoring, told_before};
use super::erasure::{self, Erased};
use super::reports::latest_report;
use super::{CONDITIONS, Observed, accounts, agreements, deadlines, delivery, destination, external_ids, lifecycle, outcome, readiness};
use crate::billing::{self, Counted, Due};
use crate::conditions::{ConditionSet, Is, find};
use crate::handover::ending::Ending;
use crate::isolation::{self, Began};
use crate::outcome::{Fault, Outcome, Wait};
use crate::responsibility;
use crate::service_profile::{self, Standing};

/// Time between two looks at a client that is as it should be.
pub(super) const RESYNC: Duration = Duration::from_secs(60 * 60);
/// Time between two looks while children are on their way; their changes wake the client anyway.
const CHILD_PAUSE: Duration = Duration::from_secs(60);

/// What the visit found, beside what it did.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Whether namespace and guards are in place.
    pub namespace_ready: bool,
    /// Why not, where an object of the name is somebody else's.
    pub failure: Option<String>,
    /// Objects that others change again and again, with manager and field, and when they are put back.
    pub contested: Vec<Wait>,
    /// What a try of the client's destination of bundles found, where one was due.
    pub destination: Option<DestinationStatus>,
    /// What came of the beginning of an isolation test, where one was due.
    pub isolation: Option<Began>,
    /// What was counted for the client's bill, where that was due.
    pub billing: Option<(Due, Counted)>,
    /// What was erased of the client's data.
    pub erased: Erased,
}

/// The new status and what the visit came to.
#[must_use]
pub fn status(
    client: &ManagedClient,
    observed: &Observed,
    faults: &[Fault],
    report: &Report,
    now: Timestamp,
) -> (ManagedClientStatus, Outcome) {
    if let Standing::Takes(taken) = &observed.standing {
        return service_profile::taking(client, taken, CONDITIONS, now);
    }
    let last = client.status.clone().unwrap_or_default();
    let mut set = ConditionSet::new(&last.conditions, CONDITIONS, client.metadata.generation.unwrap_or_default(), now);
    let mut waits = service_profile::condition(&mut set, client, &observed.standing);
    namespace_condition(&mut set, report, faults);
    let wanted = accounts::accounts(client, observed);
    mirror_accounts(&mut set, &wanted, observed, &mut waits);
    mirror_scope(&mut set, observed);
    let ledger = ledger(&mut set, observed, &last);
    mirror_children(&mut set, client, observed, &mut waits);
    waits.extend(report.contested.iter().cloned());
    sum_children(&wanted, (client, observed), &mut waits);
    let finished = observed.ending.as_ref().filter(|ending| ending.finished_by().is_some());
    let handed_over_by = last.handed_over_by.clone().or_else(|| finished.and_then(Ending::finished_by).map(str::to_owned));
    let ended = handed_over_by.as_ref().map(|by| finished.map_or_else(|| told_before(&last, by), Ending::of_all));
    let tried = destination::shown(client, report.destination.as_ref());
    let deadlines = deadlines::deadlines(client, &observed.handovers, now);
    deadlines::condition(&mut set, &deadlines);
    agreements::condition(&mut set, &client.spec, now);
    let readiness = readiness(&mut set, (client, observed), (tried.as_ref(), &deadlines), now);
    tell_end(&mut set, ended.as_deref(), deadlines::is_served(client, now));
    let seen = (&observed.isolation_stage, &observed.isolation);
    let (isolation, look) = isolation::settle(client, seen, report.isolation.as_ref(), &mut set, now);
    if let Some(open) = set.get(ConditionType::Isolated).filter(|condition| Is::of(condition) == Is::False) {
        waits.push(Wait { reason: reason_of(&open.reason), message: open.message.clone(), after: CHILD_PAUSE });
    }
    let standing = erasure::standing(client, observed, now);
    let erasure = erasure::settle(client, (&standing, &report.erased), &mut set, now);
    let (delivery, turn) = delivery::settle(client, (observed, ended.is_some()), &mut set, now);
    let (lifecycle, gates) = lifecycle::settle(client, observed, &set, now);
    let look = look.into_iter().chain(turn).chain(lifecycle::look((client, observed), (&lifecycle, &gates), now)).min();
    let outcome = outcome::of(faults, (ended, erasure::next(&standing, now)), waits, look);
    let status = ManagedClientStatus {
        responsibility: responsibility::terms::settle(client, &mut set, now),
        conditions: set.finish(),
        namespace: Some(client_namespace(&client.name_any())),
        accounts: u32::try_from(wanted.iter().filter(|wanted| wanted.is_live_account()).count()).unwrap_or(u32::MAX),
        assets: accounts::assets(observed),
        external_ids: external_ids(client, observed),
        isolation,
        destination: tried,
        ledger,
        readiness,
        lifecycle: Some(lifecycle),
        gates,
        deadlines,
        erasure,
        delivery: Some(delivery),
        billing: billing::settle(client, report.billing.as_ref()),
        handed_over_by,
        profile: service_profile::shown(client, &observed.standing),
        ..last
    };
    (status, outcome)
}

fn tell_end(set: &mut ConditionSet, ended: Option<&str>, is_served: bool) {
    match ended {
        Some(message) => end(set, message),
        None => set.set(ConditionType::HandedOver, Is::False, Reason::NotRequested, ""),
    }
    if !is_served {
        end_monitoring(set);
    }
}

/// Blockers of an exit that a message names.
const NAMED_BLOCKERS: usize = 2;

/// Whether the client could leave today. Nobody asks once an exit has begun.
fn readiness(
    set: &mut ConditionSet,
    (client, observed): (&ManagedClient, &Observed),
    shown: (Option<&DestinationStatus>, &[Deadline]),
    now: Timestamp,
) -> Option<ReadinessStatus> {
    let has_left = client.status.as_ref().is_some_and(|status| status.handed_over_by.is_some());
    if observed.leaving || observed.ending.is_some() || has_left {
        set.set(ConditionType::ExitReady, Is::False, Reason::Progressing, "a final exit has begun; its Handover tells how far it is");
        return None;
    }
    let rated = readiness::rate((client, observed), shown, set, now);
    if rated.blockers.is_empty() {
        set.set(ConditionType::ExitReady, Is::True, Reason::Settled, format!("{} of {} questions passed", rated.passed, rated.checked));
    } else {
        let named: Vec<&str> = rated.blockers.iter().take(NAMED_BLOCKERS).map(|blocker| blocker.message.as_str()).collect();
        let more = match rated.blockers.len() - named.len() {
            0 => String::new(),
            more => format!("; and {more} more, see kubectl caretaker readiness {}", client.name_any()),
        };
        set.set(ConditionType::ExitReady, Is::False, Reason::ExitBlocked, format!("{}{more}", named.join("; ")));
    }
    Some(rated)
}

/// Faults of a ledger that a message names.
const NAMED_FAULTS: usize = 3;

/// The end of the ledger, and whether it is whole. A store that does not answer leaves both as they were.
fn ledger(set: &mut ConditionSet, observed: &Observed, last: &ManagedClientStatus) -> Option<LedgerHead> {
    let Some((head, faults)) = &observed.ledger else {
        set.keep(ConditionType::LedgerIntact);
        return last.ledger.clone();
    };
    if faults.is_empty() {
        let message = match head.number {
            0 => "empty: nothing was written in the client's clouds, and no exit was begun, since it is kept".to_owned(),
            _ => String::new(),
        };
        set.set(ConditionType::LedgerIntact, Is::True, Reason::Settled, &message);
        return (head.number > 0).then(|| LedgerHead { segments: head.number, digest: head.digest.clone() });
    }
    let named: Vec<String> = faults.iter().take(NAMED_FAULTS).map(ToString::to_string).collect();
    let more = match faults.len() - named.len() {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let message = format!(
        "{}{more}. Put the segments back from a copy of the store, and keep what is there: it shows what was done to them. Exits and backups go on",
        named.join("; ")
    );
    set.set(ConditionType::LedgerIntact, Is::False, Reason::LedgerBroken, &message);
    // The end that was recorded while all was whole stays: a chain that was replaced is not taken for good after a restart.
    last.ledger.clone()
}

fn namespace_condition(set: &mut ConditionSet, report: &Report, faults: &[Fault]) {
    if let Some(fault) = faults.first() {
        set.set(ConditionType::NamespaceReady, Is::False, fault.reason, &fault.message);
    } else if let Some(failure) = &report.failure {
        set.set(ConditionType::NamespaceReady, Is::False, Reason::Failed, failure);
    } else if let Some(wait) = report.contested.first() {
        set.set(ConditionType::NamespaceReady, Is::False, wait.reason, &wait.message);
    } else if report.namespace_ready {
        set.set(ConditionType::NamespaceReady, Is::True, Reason::Settled, "namespace and guards are in place");
    }
}

/// Each child counts with its own `Ready`, whatever it is that it is not ready for. What the conditions above have told already is told there first.
fn sum_children(wanted: &[Wanted<'_>], (client, observed): (&ManagedClient, &Observed), waits: &mut Vec<Wait>) {
    let mut wait = |noun: String, conditions: &[Condition], generation: Option<i64>| {
        let ready = find(conditions, ConditionType::Ready).filter(|condition| condition.observed_generation == generation);
        let (reason, message) = match ready {
            Some(condition) if condition.status == Is::True.as_str() => return,
            Some(condition) => (reason_of(&condition.reason), format!("{noun} is not ready: {}", condition.message)),
            None => (Reason::Pending, format!("{noun}: not looked at yet")),
        };
        waits.push(Wait { reason, message, after: CHILD_PAUSE });
    };
    for wanted in wanted.iter().filter(|wanted| wanted.is_live_account() || wanted.target.is_parent()) {
        let noun = if wanted.target.is_parent() { "parent" } else { "account" };
        let account = observed.accounts.iter().find(|account| account.name_any() == wanted.name);
        let conditions = account.and_then(|account| account.status.as_ref()).map(|status| status.conditions.as_slice()).unwrap_or_default();
        wait(format!("{noun} {}", wanted.name), conditions, account.and_then(|account| account.metadata.generation));
    }
    if let Some(stack) = observed.monitoring.as_ref().filter(|_| client.spec.monitoring.is_some()).map(child_view) {
        wait("the monitoring".into(), stack.conditions, stack.generation);
    }
    if let Some(policy) = observed.backups.as_ref().filter(|_| client.spec.backups.is_some()).map(child_view) {
        wait("the backup policy".into(), policy.conditions, policy.generation);
    }
}

/// How many of how many, and the first that is not as it should be: one account that refuses never hides the others.
fn mirror_accounts(set: &mut ConditionSet, wanted: &[Wanted<'_>], observed: &Observed, waits: &mut Vec<Wait>) {
    mirror_parents(set, wanted, observed, waits);
    let ended = accounts::ended(wanted);
    let tail = if ended == 0 { String::new() } else { format!("; {ended} suspended, closed or gone") };
    let all = wanted.iter().filter(|wanted| wanted.is_live_account()).count();
    for kind in [ConditionType::AccessProven, ConditionType::InventoryComplete] {
        let (mut worst, mut good): (Option<(Is, Reason, String)>, usize) = (None, 0);
        for wanted in wanted.iter().filter(|wanted| wanted.is_live_account() || wanted.target.is_parent()) {
            match judge(wanted, observed, kind) {
                None => good += usize::from(!wanted.target.is_parent()),
                Some(found) if worst.as_ref().is_none_or(|(held, ..)| *held == Is::Unknown && found.0 == Is::False) => worst = Some(found),
                Some(_) => {}
            }
        }
        match worst {
            None if all == 0 => {
                set.set(kind, Is::Unknown, Reason::CoverageUnknown, format!("the parents list no account yet{tail}"));
                let message = "the parents list no account yet".to_owned();
                waits.push(Wait { reason: Reason::CoverageUnknown, message, after: CHILD_PAUSE });
            }
            None => set.set(kind, Is::True, Reason::Settled, format!("{good} of {all} accounts{tail}")),
            Some((is, reason, first)) => {
                let message = if all > 1 { format!("{good} of {all} accounts; {first}{tail}") } else { first };
                set.set(kind, is, reason, &message);
                waits.push(Wait { reason, message, after: CHILD_PAUSE });
            }
        }
    }
}

/// A warning, and no reason to wait: it is True where any account has it.
fn mirror_scope(set: &mut ConditionSet, observed: &Observed) {
    let kind = ConditionType::ScopeAmbiguous;
    let asked: Vec<&CloudAccount> =
        observed.accounts.iter().filter(|account| account.spec.is_live() && !account.spec.target.is_parent()).collect();
    let known = asked.iter().filter_map(|account| Some((account.name_any(), current(account, kind)?)));
    let known: Vec<(String, &Condition)> = known.collect();
    if let Some((name, condition)) = known.iter().find(|(_, condition)| Is::of(condition) == Is::True) {
        set.set(kind, Is::True, reason_of(&condition.reason), format!("account {name}: {}", condition.message));
    } else if !known.is_empty() && known.len() == asked.len() && known.iter().all(|(_, condition)| Is::of(condition) == Is::False) {
        set.set(kind, Is::False, Reason::Settled, "every asset is covered or excluded");
    } else {
        set.set(kind, Is::Unknown, Reason::Pending, "not every account was looked at yet");
    }
}

/// A warning, and no reason to wait: what the policy says of recovery points.
fn mirror_protection(set: &mut ConditionSet, client: &ManagedClient, observed: &Observed) {
    let kind = ConditionType::BackupsProtected;
    if client.spec.backups.is_none() {
        return set.set(
            kind,
            Is::Unknown,
            Reason::NotRequested,
            "spec.backups is not set: nothing is backed up, so that nothing is said of it",
        );
    }
    let policy = observed.backups.as_ref().map(child_view);
    match policy.and_then(|policy| find(policy.conditions, kind)) {
        Some(told) => set.set(kind, Is::of(told), reason_of(&told.reason), &told.message),
        None => set.set(kind, Is::Unknown, Reason::Pending, "the recovery points were not read yet"),
    }
}

/// What is not as it should be with one condition of one account.
fn judge(wanted: &Wanted<'_>, observed: &Observed, kind: ConditionType) -> Option<(Is, Reason, String)> {
    let account = observed.accounts.iter().find(|account| account.name_any() == wanted.name);
    let noun = if wanted.target.is_parent() { "parent" } else { "account" };
    match account.and_then(|account| current(account, kind)) {
        Some(condition) if Is::of(condition) == Is::True => None,
        Some(condition) => {
            Some((Is::of(condition), reason_of(&condition.reason), format!("{noun} {}: {}", wanted.name, condition.message)))
        }
        None => Some((Is::Unknown, Reason::Pending, format!("{noun} {}: not looked at yet", wanted.name))),
    }
}

fn mirror_parents(set: &mut ConditionSet, wanted: &[Wanted<'_>], observed: &Observed, waits: &mut Vec<Wait>) {
    let kind = ConditionType::MembersListed;
    let parents: Vec<&Wanted<'_>> = wanted.iter().filter(|wanted| wanted.target.is_parent()).collect();
    if parents.is_empty() {
        return set.set(kind, Is::True, Reason::NotRequested, "there is no parent");
    }
    match parents.iter().find_map(|parent| judge(parent, observed, kind)) {
        None => {
            let members = wanted.iter().filter(|wanted| wanted.member.is_some()).count();
            set.set(kind, Is::True, Reason::Settled, format!("{members} accounts of {} parent(s)", parents.len()));
        }
        Some((is, reason, message)) => {
            set.set(kind, is, reason, &message);
            waits.push(Wait { reason, message, after: CHILD_PAUSE });
        }
    }
}

/// A child's conditions with the generation they must speak of.
struct ChildView<'a> {
    conditions: &'a [Condition],
    generation: Option<i64>,
}

fn child_view<K>(child: &K) -> ChildView<'_>
where
    K: ResourceExt + kube::core::object::HasStatus,
    K::Status: HasConditions,
{
    ChildView { conditions: child.status().map(HasConditions::list).unwrap_or_default(), generation: child.meta().generation }
}

/// Statuses with standard conditions.
pub trait HasConditions {
    /// The conditions.
    fn list(&self) -> &[Condition];
}

impl HasConditions for caretaker_api::monitoring_stack::MonitoringStackStatus {
    fn list(&self) -> &[Condition] {
        &self.conditions
    }
}

impl HasConditions for caretaker_api::backup_policy::BackupPolicyStatus {
    fn list(&self) -> &[Condition] {
        &self.conditions
    }
}

fn mirror_children(set: &mut ConditionSet, client: &ManagedClient, observed: &Observed, waits: &mut Vec<Wait>) {
    let spec = &client.spec;
    let monitoring = observed.monitoring.as_ref().map(child_view);
    mirror_child(set, ConditionType::MonitoringReady, spec.monitoring.is_some(), monitoring, waits);
    let backups = observed.backups.as_ref().map(child_view);
    mirror_child(set, ConditionType::BackupsReady, spec.backups.is_some(), backups, waits);
    let levels = latest_report(&observed.reports).map(child_view);
    mirror_protection(set, client, observed);
    mirror_child(set, ConditionType::LevelsCollected, spec.service_levels.is_some(), levels, waits);
}

fn mirror_child(set: &mut ConditionSet, kind: ConditionType, wanted: bool, child: Option<ChildView<'_>>, waits: &mut Vec<Wait>) {
    if !wanted {
        set.set(kind, Is::True, Reason::NotRequested, "not asked for");
        return;
    }
    let condition =
        child.and_then(|child| find(child.conditions, kind).filter(|condition| condition.observed_generation == child.generation).cloned());
    match condition {
        Some(condition) if Is::of(&condition) == Is::True => set.set(kind, Is::True, reason_of(&condition.reason), &condition.message),
        Some(condition) => {
            let reason = reason_of(&condition.reason);
            set.set(kind, Is::of(&condition), reason, &condition.message);
            waits.push(Wait { reason, message: condition.message, after: CHILD_PAUSE });
        }
        None => {
            set.set(kind, Is::Unknown, Reason::Pending, "not looked at yet");
            waits.push(Wait { reason: Reason::Pending, message: format!("{kind}: not looked at yet"), after: CHILD_PAUSE });
        }
    }
}

fn current(account: &CloudAccount, kind: ConditionType) -> Option<&Condition> {
    let status = account.status.as_ref()?;
    find(&status.conditions, kind).filter(|condition| condition.observed_generation == account.metadata.generation)
}

fn reason_of(word: &str) -> Reason {
    Reason::ALL.iter().copied().find(|reason| reason.as_str() == word).unwrap_or(Reason::ChildNotReady)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn client() -> ManagedClient {
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": "acme", "generation": 1},
            "spec": {
                "displayName": "Acme", "contacts": {"vendorManager": {"name": "Jo", "email": "jo@x.example"}},
                "accounts": [{"name": "prod", "aws": {"accountId": "222222222222"}}],
                "exit": {"recipients": ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]},
            },
        }))
        .unwrap()
    }

    /// An account whose own conditions are good, with this `Ready`.
    fn account(is: &str, reason: &str, message: &str, generation: i64) -> CloudAccount {
        let condition = |kind: &str, is: &str, reason: &str, message: &str, generation: i64| json!({"type": kind, "status": is, "reason": reason, "message": message, "observedGeneration": generation, "lastTransitionTime": "2026-11-28T01:00:00Z"});
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount",
            "metadata": {"name": "prod", "namespace": "client-acme", "generation": 2},
            "spec": {"aws": {"accountId": "222222222222"}},
            "status": {"account": "aws 222222222222", "conditions": [
                condition("AccessProven", "True", "Proven", "", 2),
                condition("InventoryComplete", "True", "Settled", "", 2),
                condition("Ready", is, reason, message, generation),
            ]},
        }))
        .unwrap()
    }

    fn told(account: CloudAccount, report: &Report) -> (ManagedClientStatus, Outcome) {
        let observed = Observed { profile_exists: true, accounts: vec![account], ..Observed::default() };
        status(&client(), &observed, &[], report, Timestamp::UNIX_EPOCH)
    }

    /// M1: the client said `Ready=True` while its account could not be visited.
    #[test]
    fn a_client_is_ready_only_with_all_its_children() {
        let report = Report { namespace_ready: true, ..Report::default() };
        let cases = [
            ("the account is ready", account("True", "Settled", "", 2), None),
            ("its visits fail", account("False", "Failed", "no answer", 2), Some((Reason::Failed, "account prod is not ready: no answer"))),
            ("nobody can tell", account("Unknown", "Failed", "x", 2), Some((Reason::Failed, "account prod is not ready: x"))),
            (
                "what it says is of an older spec",
                account("True", "Settled", "", 1),
                Some((Reason::Pending, "account prod: not looked at yet")),
            ),
        ];
        for (why, account, expected) in cases {
            let (_, outcome) = told(account, &report);
            match (outcome, expected) {
                (Outcome::Settled(_), None) => {}
                (Outcome::Waiting(wait), Some((reason, message))) => {
                    assert_eq!((wait.reason, wait.message.as_str()), (reason, message), "{why}")
                }
                (outcome, expected) => panic!("{why}: {outcome:?}, expected {expected:?}"),
            }
        }
    }

    /// N07: the client read as if its accounts were still looked after.
    #[test]
    fn after_the_exit_the_client_says_that_it_ended_also_when_the_handover_is_gone() {
        let handover = |step: &str, is: &str| {
            serde_json::from_value::<caretaker_api::Handover>(json!({
                "apiVersion": "caretaker.dev/v1alpha1", "kind": "Handover", "metadata": {"name": "final"}, "spec": {"mode": "Final"},
                "status": {
                    "step": step,
                    "conditions": [{"type": "HandedOver", "status": is, "reason": "Settled", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
                    "revocations": [{"account": "prod", "principal": "role", "by": "Operator", "refusals": 3, "refusedSince": "2026-01-01T00:00:00Z", "verifiedAt": "2026-01-01T00:01:00Z"}],
                },
            }))
            .unwrap()
        };
        let report = Report { namespace_ready: true, ..Report::default() };
        let visit = |client: &ManagedClient, ending: Option<Ending>| {
            let accounts = vec![account("True", "Settled", "", 2)];
            let observed = Observed { profile_exists: true, accounts, ending, ..Observed::default() };
            status(client, &observed, &[], &report, Timestamp::UNIX_EPOCH)
        };
        let revoking = visit(&client(), Ending::of(&[handover("Revoke", "False")]));
        assert!(revoking.0.handed_over_by.is_none() && matches!(revoking.1, Outcome::Settled(_)), "{revoking:?}");

        let first = visit(&client(), Ending::of(&[handover("Done", "True")]));
        let later = visit(&ManagedClient { status: Some(first.0.clone()), ..client() }, None);
        for (told, outcome) in [first, later] {
            let Outcome::Ended(message, _) = outcome else { panic!("{outcome:?}") };
            assert!(message.contains("1 of 1 account(s)") && message.contains("since 2026-01-01 00:00 UTC"), "{message}");
            let said = |kind| find(&told.conditions, kind).map(|found| (found.status.as_str(), found.reason.as_str())).unwrap();
            for (kind, expected) in [
                (ConditionType::NamespaceReady, ("True", "Settled")),
                (ConditionType::HandedOver, ("True", "HandedOver")),
                (ConditionType::AccessProven, ("False", "HandedOver")),
                (ConditionType::InventoryComplete, ("Unknown", "HandedOver")),
                (ConditionType::ScopeAmbiguous, ("Unknown", "HandedOver")),
                (ConditionType::MembersListed, ("True", "NotRequested")),
                (ConditionType::BackupsReady, ("True", "NotRequested")),
            ] {
                assert_eq!(said(kind), expected, "{kind}");
            }
            assert_eq!(told.handed_over_by.as_deref(), Some("final"));
        }
    }

    /// K17, N09: a war is told while it lasts; a repair leaves the condition as it is.
    #[test]
    fn a_contested_object_is_told_and_a_repair_is_none_of_the_condition_s() {
        let wait = Wait { reason: Reason::Contested, message: "ContestedBy bob spec.hard.pods".into(), after: Duration::from_secs(30) };
        let war = Report { namespace_ready: true, contested: vec![wait.clone()], ..Report::default() };
        let (status, outcome) = told(account("True", "Settled", "", 2), &war);
        let condition = find(&status.conditions, ConditionType::NamespaceReady).unwrap();
        assert_eq!((condition.status.as_str(), condition.reason.as_str(), &condition.message), ("False", "Contested", &wait.message));
        assert_eq!(outcome, Outcome::Waiting(wait), "it is looked at again when the pause is over");
        let mut client = client();
        client.status = Some(status);
        let observed = Observed { profile_exists: true, accounts: vec![account("True", "Settled", "", 2)], ..Observed::default() };
        let over = Report { namespace_ready: true, ..Report::default() };
        let (status, _) = super::status(&client, &observed, &[], &over, Timestamp::UNIX_EPOCH);
        let condition = find(&status.conditions, ConditionType::NamespaceReady).unwrap();
        assert_eq!((condition.status.as_str(), condition.reason.as_str()), ("True", "Settled"));
    }
}
