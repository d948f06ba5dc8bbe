//! Whether what leads into other clients' accounts is kept out of this one: which principals try, when, and what the answers mean.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use caretaker_api::cloud_account::{AccessStatus, Cloud, CloudAccountStatus, OthersStatus};
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::provider_profile::ProviderProfileSpec;
use caretaker_api::{CloudAccount, ProviderProfile};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use crate::cloud_account::intrusion_probe::{REFUSALS_AGAIN, REFUSALS_EVERY, Refusal, keep_or_wait};
use crate::conditions::{ConditionSet, Is};
use crate::digest::sha256_hex;
use crate::grant::partition;
use crate::jitter::jittered;
use crate::visit_request::is_asked;

/// Most principals that try at one round, beside those that were let in before.
const MOST: usize = 3;
/// Time after which those that could not try do so again: each attempt may leave a failed event in the client's audit log.
const UNKNOWN_AGAIN: SignedDuration = SignedDuration::from_hours(24);
/// Most principals that are noted as let in.
const MAX_LET_IN: usize = 10;
/// Characters of a principal's digest.
const DIGEST: usize = 12;

/// A principal of another profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// Name of the ProviderProfile whose it is.
    pub profile: String,
    /// Digest of the principal: its name often holds another client's, who is nobody's business here.
    pub mark: String,
}

/// One round of attempts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Who tries.
    pub others: Vec<Other>,
    /// How many principals lead into other clients' accounts.
    pub known: usize,
    /// Digest of all principals that there are.
    pub digest: String,
    /// Whether the own principal leads into other clients' accounts as well, on a cloud that has no ExternalId to keep them apart.
    pub is_shared: bool,
    /// Those that were let in before and that some profile still has.
    still_let_in: Vec<String>,
}

/// A round and what its attempts came to, in its order.
#[derive(Clone, Debug)]
pub struct Tried {
    /// The round.
    pub round: Round,
    /// The answers.
    pub answers: Vec<Refusal>,
}

/// Who a profile is on a cloud, in one letter case where the cloud knows none.
fn principal_of(spec: &ProviderProfileSpec, cloud: Cloud) -> Option<String> {
    match cloud {
        Cloud::Aws => spec.aws.as_ref().map(|aws| aws.principal_arn.clone()),
        Cloud::Azure => spec.azure.as_ref().map(|azure| format!("{}/{}", azure.tenant_id, azure.client_id).to_ascii_lowercase()),
        Cloud::Gcp => spec.gcp.as_ref().map(|gcp| gcp.principal.clone()),
    }
}

/// Whether a profile has signed in on a cloud: the refusal of who cannot sign in proves nothing.
fn has_signed_in(profile: &ProviderProfile, cloud: Cloud) -> bool {
    profile.status.as_ref().is_some_and(|status| match cloud {
        Cloud::Aws => status.aws.is_some(),
        Cloud::Azure => status.azure.is_some(),
        Cloud::Gcp => status.gcp.is_some(),
    })
}

fn mark(principal: &str) -> String {
    sha256_hex(principal).chars().take(DIGEST).collect()
}

/// The profiles with another principal than the account's own that could let it in, by principal. On AWS no role of one partition can be assumed
/// from another.
fn strangers<'a>(
    (account, own): (&CloudAccount, &ProviderProfileSpec),
    profiles: &'a [ProviderProfile],
) -> (String, BTreeMap<String, Vec<&'a ProviderProfile>>) {
    let cloud = account.spec.target.cloud();
    let own = principal_of(own, cloud).unwrap_or_default();
    let mut strangers: BTreeMap<String, Vec<&ProviderProfile>> = BTreeMap::new();
    for profile in profiles.iter().filter(|profile| profile.metadata.deletion_timestamp.is_none()) {
        let Some(principal) = principal_of(&profile.spec, cloud).filter(|principal| *principal != own) else { continue };
        if cloud != Cloud::Aws || partition(&principal) == partition(&own) {
            strangers.entry(principal).or_default().push(profile);
        }
    }
    (own, strangers)
}

fn digest((own, strangers): (&str, &BTreeMap<String, Vec<&ProviderProfile>>), cloud: Cloud) -> String {
    let can_try = |profiles: &[&ProviderProfile]| profiles.iter().any(|profile| has_signed_in(profile, cloud));
    let all: Vec<String> = strangers.iter().map(|(principal, profiles)| format!("{principal} {}", can_try(profiles))).collect();
    mark(&format!("{own}\n{}", all.join("\n")))
}

/// Whether a round is due. It is asked for only where the right way in was let in just before.
#[must_use]
pub fn is_due((account, own): (&CloudAccount, &ProviderProfileSpec), profiles: &[ProviderProfile], asked: bool, now: Timestamp) -> bool {
    let access = account.status.as_ref().and_then(|status| status.access.as_ref());
    let Some(last) = access.and_then(|access| access.others.as_ref()) else { return true };
    let Some(tried_at) = &last.tried_at else { return true };
    let (since, uid) = (now.duration_since(tried_at.0), account.metadata.uid.as_deref().unwrap_or_default());
    let (own, strangers) = strangers((account, own), profiles);
    let hour = jittered(REFUSALS_AGAIN, uid, "separation");
    if !last.let_in.is_empty() {
        return asked || since >= hour;
    }
    let is_other_world = last.digest != digest((&own, &strangers), account.spec.target.cloud());
    let every = if last.unknown > 0 { UNKNOWN_AGAIN } else { REFUSALS_EVERY };
    (asked || is_other_world) && since >= hour || since >= jittered(every, uid, "separation")
}

/// The round of now, where one is due. `accounts` are all that there are, which are asked for only then.
#[must_use]
pub fn due_round<A: Borrow<CloudAccount>>(
    own: (&CloudAccount, &ProviderProfileSpec),
    profiles: &[ProviderProfile],
    accounts: impl FnOnce() -> Vec<A>,
    now: Timestamp,
) -> Option<Round> {
    let last = own.0.status.as_ref().and_then(|status| status.last_handled_request.as_ref());
    is_due(own, profiles, is_asked(&own.0.metadata, last), now).then(|| round(own, &accounts(), profiles, now))
}

/// The round of now: all that were let in before, and a few of those that lead into other clients' accounts, others each week.
#[must_use]
pub fn round<A: Borrow<CloudAccount>>(
    (account, own): (&CloudAccount, &ProviderProfileSpec),
    accounts: &[A],
    profiles: &[ProviderProfile],
    now: Timestamp,
) -> Round {
    let cloud = account.spec.target.cloud();
    let (own, strangers) = strangers((account, own), profiles);
    let is_others =
        |other: &&CloudAccount| other.namespace() != account.namespace() && other.spec.is_live() && other.spec.target.cloud() == cloud;
    let in_use: BTreeSet<&str> = accounts
        .iter()
        .map(<A as Borrow<CloudAccount>>::borrow)
        .filter(is_others)
        .map(|other| other.spec.provider_profile.as_str())
        .collect();
    let is_in_use = |profile: &&ProviderProfile| in_use.contains(profile.name_any().as_str());
    let last =
        account.status.as_ref().and_then(|status| status.access.as_ref()).and_then(|access| access.others.clone()).unwrap_or_default();

    let (mut holes, mut others) = (Vec::new(), Vec::new());
    let (week, uid) = (now.as_second() / REFUSALS_EVERY.as_secs(), account.metadata.uid.as_deref().unwrap_or_default());
    for (principal, profiles) in &strangers {
        let mark = mark(principal);
        let tries = |profile: &ProviderProfile| Other { profile: profile.name_any(), mark: mark.clone() };
        if last.let_in.contains(&mark) {
            holes.extend(profiles.first().map(|profile| tries(profile)));
        } else if let Some(profile) =
            profiles.iter().find(|profile| has_signed_in(profile, cloud)).filter(|_| profiles.iter().any(is_in_use))
        {
            others.push((sha256_hex(format!("{uid}/{week}/{mark}")), tries(profile)));
        }
    }
    others.sort_by(|(one, _), (other, _)| one.cmp(other));
    let has_own = |profile: &&ProviderProfile| is_in_use(profile) && principal_of(&profile.spec, cloud).as_ref() == Some(&own);
    Round {
        known: holes.len() + others.len(),
        digest: digest((&own, &strangers), cloud),
        is_shared: cloud != Cloud::Aws && profiles.iter().any(|profile| has_own(&profile)),
        still_let_in: holes.iter().map(|hole| hole.mark.clone()).collect(),
        others: holes.into_iter().chain(others.into_iter().take(MOST).map(|(_, other)| other)).collect(),
    }
}

/// What a round came to. Who was let in counts as let in until it is refused: an answer that does not come closes no hole.
pub fn take_others(
    account: &CloudAccount,
    status: &mut CloudAccountStatus,
    set: &mut ConditionSet,
    tried: Option<&Tried>,
    (generation, now): (Option<i64>, Timestamp),
) {
    let kind = ConditionType::ClientsSeparated;
    let Some(tried) = tried else {
        keep_or_wait(status, set, (kind, generation), |access| access.others.is_some());
        return;
    };
    let count = |is: fn(&Refusal) -> bool| u32::try_from(tried.answers.iter().filter(|answer| is(answer)).count()).unwrap_or(u32::MAX);
    let mut let_in: BTreeSet<String> = tried.round.still_let_in.iter().cloned().collect();
    for (other, answer) in tried.round.others.iter().zip(&tried.answers) {
        match answer {
            Refusal::LetIn => drop(let_in.insert(other.mark.clone())),
            Refusal::Refused => drop(let_in.remove(&other.mark)),
            Refusal::Unknown(_) => {}
        }
    }
    let others = OthersStatus {
        tried_at: Some(Time(now)),
        digest: tried.round.digest.clone(),
        known: u32::try_from(tried.round.known).unwrap_or(u32::MAX),
        refused: count(|answer| matches!(answer, Refusal::Refused)),
        unknown: count(|answer| matches!(answer, Refusal::Unknown(_))),
        let_in: let_in.into_iter().take(MAX_LET_IN).collect(),
    };
    let (is, reason, message) = meaning(account.spec.target.cloud(), &others, tried);
    set.set(kind, is, reason, message);
    status.access.get_or_insert_with(AccessStatus::default).others = Some(others);
}

fn meaning(cloud: Cloud, others: &OthersStatus, tried: &Tried) -> (Is, Reason, String) {
    let shared = if tried.round.is_shared { SHARED } else { "" };
    let cause = tried.answers.iter().find_map(|answer| if let Refusal::Unknown(cause) = answer { Some(cause.as_str()) } else { None });
    let untried = cause.map(|cause| format!("; {} could not be tried, the first because: {cause}", others.unknown)).unwrap_or_default();
    if let Some(first) = others.let_in.first() {
        let message = format!(
            "{} of other ProviderProfiles let in here, which lead into other clients' accounts (the operator's log says whose {first} is): {}{untried}",
            if others.let_in.len() == 1 { "a principal was".to_owned() } else { format!("{} principals were", others.let_in.len()) },
            cure(cloud),
        );
        return (Is::False, Reason::NotRefused, message);
    }
    if others.known == 0 {
        let message =
            format!("no principal of another ProviderProfile leads into other clients' accounts on this cloud: none was tried{shared}");
        return (Is::Unknown, Reason::NotRequested, message);
    }
    if others.refused == 0 {
        return (
            Is::Unknown,
            Reason::Unreachable,
            format!("no principal that leads into other clients' accounts was refused{untried}{shared}"),
        );
    }
    let message = format!(
        "{} of the {} principals that lead into other clients' accounts tried to get in and were refused{untried}{shared}",
        others.refused, others.known
    );
    (Is::True, Reason::Proven, message)
}

/// What a principal that is shared means.
const SHARED: &str = "; this account's own principal leads into accounts of other clients as well, and this cloud has no ExternalId to keep them \
                      apart: give each client a ProviderProfile with a principal of its own";

/// What ends it that another client's principal gets in.
const fn cure(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Aws => "the client must restore the Principal of the grant kit in the role's trust policy",
        Cloud::Azure => {
            "the client must leave the grant kit's principal alone in the delegation, and take every other of the provider's out of the role assignments \
             on the subscription and above it, and out of the groups that have one"
        }
        Cloud::Gcp => {
            "the client must leave the grant kit's principal alone in the role roles/iam.serviceAccountTokenCreator on the service account and above it"
        }
    }
}

#[cfg(test)]
mod tests;
