//! How a changed profile goes out: told first, then wave by wave.
//!
//! A wave is over when each of its clients has the revision, and is Ready again where it was Ready before. Between two waves `rollout.pause` passes in which that
//! stays so. `rollout.paused` stops before the next wave. A client that is paused, that is leaving or that is gone is in no wave.

use std::time::Duration;

use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::lifecycle::Phase;
use caretaker_api::names;
use caretaker_api::service_profile::{PlannedChange, ProfileStatus, RevisionInUse, RolloutTerms, ServiceProfileStatus, Wave, WaveClient};
use caretaker_api::{ManagedClient, ServiceProfile};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;

use super::{CONDITIONS, change, revision};
use crate::conditions::{ConditionSet, Is, is_true_at};
use crate::outcome::{Fault, Outcome, Wait};

/// Time between two looks at a profile that all its clients have.
const RESYNC: Duration = Duration::from_secs(60 * 60);
/// Time between two looks at a wave; its clients' changes wake the profile anyway.
const LOOK: Duration = Duration::from_secs(15);
/// Shortest time in which a change is shown before its first wave, so that it is never shown and begun by one write.
const SHORTEST_PREVIEW: SignedDuration = SignedDuration::from_secs(1);
/// Clients that a message names.
const NAMED: usize = 3;

/// Time between two waves; `None` where it is no time.
pub(super) fn pause(terms: &RolloutTerms) -> Option<SignedDuration> {
    terms.pause.parse().ok().filter(|pause: &SignedDuration| !pause.is_negative())
}

/// Clients of one wave, at least one.
pub(super) fn wave_size(terms: &RolloutTerms, clients: usize) -> usize {
    let size = match &terms.wave_size {
        IntOrString::Int(number) => usize::try_from(*number).unwrap_or(1),
        IntOrString::String(text) => {
            let percent: usize = text.trim_end_matches('%').parse().unwrap_or(100);
            (clients * percent).div_ceil(100)
        }
    };
    size.max(1)
}

/// The revision of this profile that a client has.
fn held<'a>(client: &'a ManagedClient, profile: &str) -> Option<&'a ProfileStatus> {
    client.status.as_ref()?.profile.as_ref().filter(|held| held.name == profile)
}

fn is_ready(client: &ManagedClient) -> bool {
    let conditions = client.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    is_true_at(conditions, ConditionType::Ready, client.metadata.generation)
}

/// Whether a client is left as it is: nothing is done for it, or it is on its way out.
fn is_left_alone(client: &ManagedClient) -> bool {
    let status = client.status.as_ref();
    let phase = status.and_then(|status| status.lifecycle.as_ref()).map(|lifecycle| lifecycle.phase);
    client.annotations().get(names::PAUSED).is_some_and(|value| value == "true")
        || client.metadata.deletion_timestamp.is_some()
        || status.is_some_and(|status| status.handed_over_by.is_some())
        || matches!(phase, Some(Phase::Offboarding | Phase::Closed))
}

/// Why a wave is not over: clients that have not taken the revision, or are not Ready again.
fn open(wave: &Wave, clients: &[&ManagedClient], (profile, newest): (&str, &str)) -> Vec<String> {
    let of = |called: &WaveClient| clients.iter().find(|client| client.name_any() == called.name).filter(|client| !is_left_alone(client));
    let why = |called: &WaveClient| {
        let client = of(called)?;
        let has_it = held(client, profile).is_some_and(|held| held.revision == newest);
        match (has_it, called.was_ready && !is_ready(client)) {
            (false, _) => Some(format!("{} has not taken it", called.name)),
            (true, true) => Some(format!("{} is not Ready again", called.name)),
            (true, false) => None,
        }
    };
    wave.clients.iter().filter_map(why).collect()
}

/// A wave that is under way, in words.
fn told(wave: &Wave, open: &[String]) -> String {
    let more = if open.len() > NAMED { format!(" and {} more", open.len() - NAMED) } else { String::new() };
    format!("wave {}: {}{more}", wave.number, open[..open.len().min(NAMED)].join(", "))
}

/// What stands before the next wave.
enum Next {
    /// A wave begins now.
    Begins(Wave),
    /// Something is waited for.
    Waits(Reason, String, Duration),
}

/// The next wave, or what stands before it. `wave` is the one under way, and is told when it is over.
fn next(
    profile: &ServiceProfile,
    (clients, behind): (&[&ManagedClient], &[&ManagedClient]),
    (change, wave): (&PlannedChange, &mut Option<Wave>),
    now: Timestamp,
) -> Next {
    let since = match wave {
        None => change.announced_at.as_ref().map(|at| at.0),
        Some(wave) => {
            let open = open(wave, clients, (&profile.name_any(), &change.revision));
            if !open.is_empty() {
                wave.settled_at = None;
                return Next::Waits(Reason::Progressing, told(wave, &open), LOOK);
            }
            Some(wave.settled_at.get_or_insert(Time(now)).0)
        }
    };
    if behind.is_empty() {
        return Next::Waits(Reason::Progressing, "the clients that are left are paused or on their way out".into(), RESYNC);
    }
    let number = wave.as_ref().map_or(1, |wave| wave.number + 1);
    if profile.spec.rollout.paused {
        let message = format!("spec.rollout.paused: wave {number} does not begin, {} client(s) keep an earlier revision", behind.len());
        return Next::Waits(Reason::RolloutPaused, message, RESYNC);
    }
    let pause = pause(&profile.spec.rollout).unwrap_or(SignedDuration::ZERO);
    let due = since.unwrap_or(now) + if wave.is_none() { pause.max(SHORTEST_PREVIEW) } else { pause };
    if due > now {
        let message = format!(
            "wave {number} begins at {due:.0}, for {} of {} client(s)",
            wave_size(&profile.spec.rollout, clients.len()).min(behind.len()),
            behind.len()
        );
        return Next::Waits(Reason::Progressing, message, due.duration_since(now).unsigned_abs().max(Duration::from_millis(200)));
    }
    let called = behind.iter().take(wave_size(&profile.spec.rollout, clients.len()));
    let clients = called.map(|client| WaveClient { name: client.name_any(), was_ready: is_ready(client) }).collect();
    Next::Begins(Wave { number, began_at: Some(Time(now)), settled_at: None, clients })
}

/// Clients with what they have of a profile, and those of them that have an earlier revision.
type Members<'a> = Vec<(&'a ManagedClient, &'a ProfileStatus)>;

fn members<'a>(clients: &[&'a ManagedClient], profile: &str, newest: &str) -> (Members<'a>, Members<'a>) {
    let all: Members<'a> = clients.iter().filter_map(|client| Some((*client, held(client, profile)?))).collect();
    let behind = all.iter().filter(|(_, held)| held.revision != newest).copied().collect();
    (all, behind)
}

fn deviations(members: &Members<'_>) -> u32 {
    members.iter().map(|(_, held)| held.deviation_count).sum()
}

/// Deviations of the clients that name a profile, and how many of them have an earlier revision.
#[must_use]
pub fn figures(profile: &ServiceProfile, clients: &[ManagedClient]) -> (u32, u32) {
    let (all, behind) = members(&clients.iter().collect::<Vec<_>>(), &profile.name_any(), &revision(&profile.spec));
    (deviations(&all), u32::try_from(behind.len()).unwrap_or(u32::MAX))
}

/// The new status and what the visit came to. `clients` are all that name the profile.
#[must_use]
pub fn status(profile: &ServiceProfile, clients: &[ManagedClient], faults: &[Fault], now: Timestamp) -> (ServiceProfileStatus, Outcome) {
    let last = profile.status.clone().unwrap_or_default();
    let name = profile.name_any();
    let newest = revision(&profile.spec);
    let mut set = ConditionSet::new(&last.conditions, CONDITIONS, profile.metadata.generation.unwrap_or_default(), now);
    let mut all: Vec<&ManagedClient> = clients.iter().collect();
    all.sort_by_key(|client| client.name_any());
    let (pairs, behind) = members(&all, &name, &newest);
    let mut status = ServiceProfileStatus {
        revision: newest.clone(),
        clients: u32::try_from(all.len()).unwrap_or(u32::MAX),
        behind: u32::try_from(behind.len()).unwrap_or(u32::MAX),
        deviations: deviations(&pairs),
        revisions: revisions(&pairs),
        ..last
    };
    if !faults.is_empty() {
        set.set(ConditionType::RolledOut, Is::False, faults[0].reason, &faults[0].message);
        status.conditions = set.finish();
        return (status, Outcome::Refused(faults.to_vec()));
    }
    if status.change.as_ref().is_some_and(|change| change.revision != newest) {
        status.wave = None;
    }
    let is_over = behind.is_empty() && status.wave.as_ref().is_none_or(|wave| open(wave, &all, (&name, &newest)).is_empty());
    let outcome = if is_over {
        (status.change, status.wave) = (None, None);
        set.set(ConditionType::RolledOut, Is::True, Reason::Settled, format!("each of {} client(s) has revision {newest}", pairs.len()));
        Outcome::Settled(RESYNC)
    } else {
        let planned = change::planned(profile, &newest, &behind, now);
        let movable: Vec<&ManagedClient> = behind.iter().map(|(client, _)| *client).filter(|client| !is_left_alone(client)).collect();
        let found = next(profile, (&all, &movable), (&planned, &mut status.wave), now);
        status.change = Some(planned);
        let (reason, message, after) = match found {
            Next::Begins(wave) => {
                let message = told(&wave, &open(&wave, &all, (&name, &newest)));
                status.wave = Some(wave);
                (Reason::Progressing, message, LOOK)
            }
            Next::Waits(reason, message, after) => (reason, message, after),
        };
        set.set(ConditionType::RolledOut, Is::False, reason, &message);
        Outcome::Waiting(Wait { reason, message, after })
    };
    status.conditions = set.finish();
    (status, outcome)
}

/// How many clients have which revision.
fn revisions(pairs: &[(&ManagedClient, &ProfileStatus)]) -> Vec<RevisionInUse> {
    let mut counted = std::collections::BTreeMap::<&str, u32>::new();
    for (_, held) in pairs {
        *counted.entry(&held.revision).or_default() += 1;
    }
    counted.into_iter().map(|(revision, clients)| RevisionInUse { revision: revision.to_owned(), clients }).collect()
}
