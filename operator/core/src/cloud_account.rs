//! `CloudAccount`: when to prove access, when to read, what the answers mean.

pub mod access_status;
pub mod budget;
pub mod claim;
pub mod conversation;
pub mod cross_client_probe;
pub mod intrusion_probe;
mod kit_status;
mod leaving;
mod parent;
mod proof;
mod reading;
pub mod roster;

use std::time::Duration;

use caretaker_api::CloudAccount;
use caretaker_api::cloud_account::{CloudAccountStatus, CloudTarget, KitStatus};
use caretaker_api::condition::{ConditionType, Conditions, Reason};
use caretaker_api::provider_profile::ProviderProfileSpec;
use caretaker_cloud::{CloudError, ErrorClass, ExcessReport, Identity, Narrowing, PermissionGap, Register, Usage};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use crate::cloud_account::access_status::{REGISTER_EVERY, profile, session_policy, take_excess, take_gap, take_register};
use crate::cloud_account::cross_client_probe::{Tried, take_others};
use crate::cloud_account::intrusion_probe::{Refusal, refusals_due, take_refusals};
use crate::cloud_account::proof::{pause, take_proof};
use crate::cloud_account::roster::is_own;
use crate::conditions::{ConditionSet, Is, find};
use crate::handover::ending::AccountEnding;
use crate::inventory::Taken;
use crate::inventory::scope::{self, Named};
use crate::jitter::jittered;
use crate::outcome::{Fault, Outcome, Wait, shortest};
use crate::visit_request::is_asked;

pub use parent::Listing;

pub use leaving::farewell;

/// The kind's own conditions.
pub const CONDITIONS: &[ConditionType] = &[
    ConditionType::KitPublished,
    ConditionType::AccessProven,
    ConditionType::ConfusedDeputyProtected,
    ConditionType::ClientsSeparated,
    ConditionType::PermissionsSufficient,
    ConditionType::LeastPrivilege,
    ConditionType::AccessLasting,
    ConditionType::MembersListed,
    ConditionType::InventoryComplete,
    ConditionType::ScopeAmbiguous,
    ConditionType::StoreReady,
];

/// Time between two proofs of access. This period and the others are spread, see [`jittered`].
const PROVE_EVERY: SignedDuration = SignedDuration::from_mins(10);
/// Time between two looks while the client's grant is awaited.
const GRANT_PAUSE: Duration = Duration::from_secs(30);
/// Wait after an answer that asked for none.
const RETRY_PAUSE: Duration = Duration::from_secs(60);

/// What was seen before anything is called in the cloud.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The provider, where the profile exists.
    pub provider: Option<ProviderProfileSpec>,
    /// What stands in the way to a connector.
    pub way_fault: Option<Fault>,
    /// Whether another object holds the account.
    pub claimed_by_other: bool,
    /// Whether an older object of another client has the same ExternalId, see [`claim::takes_external_id`].
    pub external_id_taken: bool,
    /// What is known of our end there, once a final handover has begun to revoke: we do not knock any more.
    pub ending: Option<AccountEnding>,
}

/// Another object holds the account. Who, is told to nobody.
#[must_use]
pub fn account_claimed(account: &CloudAccount) -> Fault {
    let message = "this account is already looked after by another object: remove one of them";
    Fault::outside(Reason::AccountClaimed, account.spec.target.id_field(), message)
}

/// Another client's account is reached through the service account. Who, is told to nobody.
#[must_use]
pub fn service_account_claimed(account: &CloudAccount) -> Fault {
    let field = if account.spec.target.is_parent() { "spec.gcpFolder.serviceAccountProjectId" } else { "spec.gcp.serviceAccountName" };
    let message = "another client's account is reached through this service account, which must lead into the accounts of one client only: \
                   name one that this client has made for us";
    Fault::outside(Reason::AccountClaimed, field, message)
}

/// Faults of the spec and its surroundings.
#[must_use]
pub fn check(account: &CloudAccount, observed: &Observed) -> Vec<Fault> {
    let mut faults = Vec::new();
    if observed.claimed_by_other {
        faults.push(account_claimed(account));
    }
    faults.extend(observed.way_fault.clone());
    let target = &account.spec.target;
    if observed.provider.as_ref().is_some_and(|provider| is_own(provider, target, &target.id())) {
        let message =
            format!("{} is the provider's own account, which is never read as a client's: give the client's account", target.id());
        faults.push(Fault::spec(target.id_field(), message));
    }
    if observed.external_id_taken {
        let message = "another object has this ExternalId, and an ExternalId keeps clients apart: leave it out, and the operator makes one";
        faults.push(Fault::spec(format!("{}.externalId", if target.is_parent() { "spec.awsOrganization" } else { "spec.aws" }), message));
    }
    if let Some(terms) = &account.spec.scope {
        faults.extend(scope::faults(terms, &[named(account)], "spec.scope"));
    }
    faults
}

/// Whether the store took nothing at the last visit: it is tried with a few bytes first then, since a reading that cannot be stored costs the client's
/// quota all the same.
#[must_use]
pub fn store_took_nothing(conditions: &Conditions) -> bool {
    let words = [Reason::StoreFull, Reason::StoreReadOnly, Reason::StoreUnreachable].map(Reason::as_str);
    find(conditions, ConditionType::StoreReady).is_some_and(|found| Is::of(found) == Is::False && words.contains(&found.reason.as_str()))
}

/// The account as selectors name it: by its own name, by its parent's, or by its id.
#[must_use]
pub fn named(account: &CloudAccount) -> Named {
    let target = &account.spec.target;
    let parent = account.spec.member.as_ref().map(|member| member.parent.clone());
    Named { names: std::iter::once(account.name_any()).chain(parent).collect(), id: target.id(), cloud: target.cloud() }
}

/// What a visit does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Make the ExternalId.
    pub make_external_id: bool,
    /// Assume the role and ask about permissions.
    pub prove: bool,
    /// Try what must be refused, once the right way in was let in.
    pub prove_refusals: bool,
    /// Read every way in.
    pub register: bool,
    /// Have principals that lead into other clients' accounts try this one's way in, where that is due.
    pub separate: bool,
    /// Read the inventory.
    pub discover: bool,
    /// List a parent's accounts.
    pub list_members: bool,
}

impl Plan {
    /// What is done first, and what is begun once the status tells of it: a reading can last for minutes. What other clients' principals wait for must not
    /// keep this client waiting, so that it goes last.
    #[must_use]
    pub const fn divided(self) -> (Self, Option<Self>) {
        if !self.discover {
            return (self, None);
        }
        let rest = Self {
            make_external_id: false,
            prove: false,
            prove_refusals: false,
            register: false,
            separate: self.separate,
            discover: true,
            list_members: false,
        };
        (Self { separate: false, discover: false, ..self }, Some(rest))
    }
}

/// What to do now. Nothing is called in the cloud before a wait that the cloud asked for is over; it survives a restart in the status.
#[must_use]
pub fn plan(account: &CloudAccount, observed: &Observed, now: Timestamp) -> Plan {
    let status = account.status.clone().unwrap_or_default();
    let generation = account.metadata.generation;
    if !account.spec.is_live() {
        return Plan::default();
    }
    let (has_id, is_parent) = (!account.spec.target.lacks_external_id(), account.spec.target.is_parent());
    let throttled = status.throttled_until.as_ref().is_some_and(|until| until.0 > now);
    if observed.ending.is_some() || throttled || !has_id {
        return Plan { make_external_id: !has_id && observed.ending.is_none(), ..Plan::default() };
    }
    let access = status.access.clone().unwrap_or_default();
    let asked = is_asked(&account.metadata, status.last_handled_request.as_ref());
    let current = access.generation == generation;
    let uid = account.metadata.uid.as_deref().unwrap_or_default();
    let due = |last: &Option<Time>, every: SignedDuration, what: &str| {
        last.as_ref().is_none_or(|last| now.duration_since(last.0) >= jittered(every, uid, what))
    };
    let interval = SignedDuration::from_mins(i64::from(account.spec.discovery_interval_minutes));
    let proven = current && crate::conditions::is_true_at(&status.conditions, ConditionType::AccessProven, generation);
    let read_last = status.inventory.as_ref().and_then(|inventory| inventory.taken_at.clone());
    let principal = observed.provider.as_ref().map(|provider| crate::grant::principal(&account.spec, provider)).unwrap_or_default();
    let register_last = access.register.as_ref().and_then(|register| register.read_at.clone());
    let prove = asked || !proven || due(&access.proven_at, PROVE_EVERY, "prove");
    Plan {
        make_external_id: false,
        prove,
        separate: prove,
        prove_refusals: prove && refusals_due(&access, &status.conditions, (&principal, uid, asked), now),
        register: prove && (asked || access.principal != principal || due(&register_last, REGISTER_EVERY, "register")),
        discover: !is_parent && (asked || !current || due(&read_last, interval, "discover") || budget::is_held_no_more(&status, now)),
        list_members: is_parent && (asked || !current || due(&status.members_listed_at, interval, "members")),
    }
}

/// What a visit did.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// The kit in the cluster.
    pub kit: Option<KitStatus>,
    /// Why the kit could not be put there: nothing else waits for it.
    pub kit_fault: Option<(Reason, String)>,
    /// Whether an ExternalId was made: the rest follows at the next visit.
    pub made_external_id: bool,
    /// The role that was tried.
    pub principal: String,
    /// How far our sessions are narrowed.
    pub narrowing: Option<Narrowing>,
    /// The answer to the assumption of the role.
    pub proof: Option<Result<Identity, CloudError>>,
    /// What is missing of the manifest.
    pub gap: Option<Result<PermissionGap, CloudError>>,
    /// What is granted beyond it.
    pub excess: Option<Result<ExcessReport, CloudError>>,
    /// Every way in.
    pub register: Option<Result<Register, CloudError>>,
    /// The attempts without and with a wrong credential or ExternalId.
    pub refusals: Vec<Refusal>,
    /// The attempts with principals that lead into other clients' accounts.
    pub others: Option<Tried>,
    /// Whether the reading is begun now: it follows in the same visit, once this is told.
    pub reads_next: bool,
    /// The new inventory.
    pub inventory: Option<Result<Taken, CloudError>>,
    /// What the reading used of its request budgets, and when it ended.
    pub usage: Option<(Usage, Timestamp)>,
    /// A fault of the store.
    pub store_fault: Option<(Reason, String)>,
    /// A parent's accounts.
    pub members: Option<Result<Listing, CloudError>>,
}

impl Done {
    /// Whether nothing that was found out first keeps a reading from being begun.
    #[must_use]
    pub const fn lets_read(&self) -> bool {
        !self.made_external_id && !matches!(self.proof, Some(Err(_)))
    }

    /// The answer to a question beside the proof with which the cloud asked to wait. It says nothing of the proof, which may have succeeded.
    fn throttled(&self) -> Option<&CloudError> {
        let gap = self.gap.as_ref().and_then(|gap| gap.as_ref().err());
        let excess = self.excess.as_ref().and_then(|excess| excess.as_ref().err());
        let register = self.register.as_ref().and_then(|register| register.as_ref().err());
        let inventory = self.inventory.as_ref().and_then(|inventory| inventory.as_ref().err());
        [gap, excess, register, inventory].into_iter().flatten().find(|error| matches!(error.class, ErrorClass::Throttled(_)))
    }
}

/// The new status and what the visit came to.
#[must_use]
pub fn status(account: &CloudAccount, observed: &Observed, faults: &[Fault], done: &Done, now: Timestamp) -> (CloudAccountStatus, Outcome) {
    let mut status = account.status.clone().unwrap_or_default();
    let generation = account.metadata.generation;
    let mut set = ConditionSet::new(&status.conditions, CONDITIONS, generation.unwrap_or_default(), now);
    begin(&mut status, account, now);
    if let Some(fault) = faults.first() {
        set.set(ConditionType::AccessProven, Is::False, fault.reason, &fault.message);
        status.conditions = set.finish();
        return (status, Outcome::Refused(faults.to_vec()));
    }
    kit_status::take(&mut status, &mut set, done);
    if let Some(ending) = &observed.ending {
        leaving::take(&mut status, &mut set, ending);
        status.conditions = set.finish();
        return (status, Outcome::Ended(ending.message.clone(), Duration::from_secs(3600)));
    }
    parent::not_asked_for(account, &mut set);
    let mut waits = Vec::new();
    if let Some(member) = account.spec.member.as_ref().filter(|member| !member.is_live()) {
        let outcome = parent::not_live(account, member, &mut set);
        status.conditions = set.finish();
        return (status, outcome);
    }
    if done.made_external_id {
        waits.push(Wait { reason: Reason::Progressing, message: "the ExternalId was made".into(), after: Duration::from_millis(100) });
    }
    if let Some(proof) = &done.proof {
        take_proof(&mut status, &mut set, (proof, done), (generation, now), &mut waits);
    }
    let access = status.access.get_or_insert_default();
    access.profile = Some(profile(&account.spec.allow));
    if access.principal.is_empty() {
        access.principal.clone_from(&done.principal);
    }
    if let Some(narrowing) = done.narrowing {
        access.session_policy = session_policy(narrowing);
    }
    take_refusals(account, &mut status, &mut set, &done.refusals, (generation, now));
    take_others(account, &mut status, &mut set, done.others.as_ref(), (generation, now));
    take_gap(account, &mut status, &mut set, done.gap.as_ref());
    take_excess(&mut status, &mut set, done.excess.as_ref());
    take_register(account, &mut status, &mut set, done.register.as_ref(), now);
    if let Some(error) = done.throttled() {
        pause(&mut status, error, now);
    }
    reading::take((account, now), &mut status, &mut set, done, &mut waits);
    if let Some((usage, ended)) = &done.usage {
        status.budget = Some(budget::status(usage, *ended));
    }
    if let Some(answer) = &done.members {
        let own = |id: &str| observed.provider.as_ref().is_some_and(|provider| is_own(provider, &account.spec.target, id));
        waits.extend(parent::take_members(account, &mut status, &mut set, (answer, &own), (&done.principal, now)));
    }
    let outcome = conclude(account, &status, &set, waits, now);
    status.conditions = set.finish();
    (status, outcome)
}

/// Takes out of the last status what does not hold any more.
fn begin(status: &mut CloudAccountStatus, account: &CloudAccount, now: Timestamp) {
    let target = &account.spec.target;
    if !was_kind(status, target) {
        status.members.clear();
        status.members_listed_at = None;
    }
    status.account = format!("{} {}", target.kind(), target.id());
    if status.throttled_until.as_ref().is_some_and(|until| until.0 <= now) {
        status.throttled_until = None;
    }
}

/// Whether the last visit, if there was one, was to an account or a parent of this kind. The members of another kind are none of this one's.
#[must_use]
pub fn was_kind(status: &CloudAccountStatus, target: &CloudTarget) -> bool {
    status.account.split(' ').next().is_none_or(|kind| kind.is_empty() || kind == target.kind())
}

fn conclude(account: &CloudAccount, status: &CloudAccountStatus, set: &ConditionSet, waits: Vec<Wait>, now: Timestamp) -> Outcome {
    if let Some(until) = &status.throttled_until {
        let after = Duration::try_from(until.0.duration_since(now)).unwrap_or_default();
        return Outcome::Waiting(Wait {
            reason: Reason::Throttled,
            message: "the cloud asked to wait; until when stands in status.throttledUntil".into(),
            after,
        });
    }
    if let Some(wait) = shortest(waits) {
        return Outcome::Waiting(wait);
    }
    if !set.is_true(ConditionType::AccessProven) {
        return Outcome::Waiting(Wait { reason: Reason::WaitingForGrant, message: "access is not proven".into(), after: GRANT_PAUSE });
    }
    if let Some(condition) = set.get(ConditionType::InventoryComplete).filter(|condition| Is::of(condition) != Is::True) {
        let reason = match Is::of(condition) {
            _ if reading::is_running(condition) => Reason::Progressing,
            Is::False => Reason::Incomplete,
            Is::True | Is::Unknown => Reason::CoverageUnknown,
        };
        return Outcome::Waiting(Wait { reason, message: condition.message.clone(), after: RETRY_PAUSE });
    }
    if let Some(condition) = set.get(ConditionType::MembersListed).filter(|condition| Is::of(condition) != Is::True) {
        return Outcome::Waiting(Wait { reason: Reason::Pending, message: condition.message.clone(), after: RETRY_PAUSE });
    }
    for kind in [ConditionType::ConfusedDeputyProtected, ConditionType::ClientsSeparated] {
        if let Some(condition) = set.get(kind).filter(|condition| Is::of(condition) == Is::False) {
            return Outcome::Waiting(Wait { reason: Reason::NotRefused, message: condition.message.clone(), after: RETRY_PAUSE });
        }
    }
    if let Some(wait) = kit_status::wait(set) {
        return Outcome::Waiting(wait);
    }
    let minutes = u64::from(account.spec.discovery_interval_minutes).min(10);
    Outcome::Settled(Duration::from_secs(minutes * 60))
}

#[cfg(test)]
mod plan_tests;
