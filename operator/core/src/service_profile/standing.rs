//! How a client stands to the profile that it names.

use std::time::Duration;

use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::managed_client::ManagedClientStatus;
use caretaker_api::service_profile::{FIELDS, ProfileStatus, at};
use caretaker_api::{ManagedClient, ServiceProfile};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use serde_json::{Map, Value, json};

use super::limits::unnamed;
use super::{deviations, limit_faults, revision};
use crate::conditions::{ConditionSet, Is};
use crate::managed_client::spec_faults;
use crate::outcome::{Fault, Outcome, Wait, join_faults};

/// Deviations that a status lists.
const LISTED: usize = 100;
/// Wait before a client that has taken a revision is built with it.
const AT_ONCE: Duration = Duration::from_millis(100);
/// Wait before something is looked for again that wakes the client anyway.
const LOOK: Duration = Duration::from_secs(60);

/// How a client stands to the profile that it names.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Standing {
    /// It names none.
    #[default]
    Unnamed,
    /// What its status holds is in force.
    InForce {
        /// A newer revision, whose wave has not come for it.
        newer: Option<String>,
        /// What is wrong with the profile, while what was in force goes on.
        problem: Option<(Reason, String)>,
    },
    /// It takes this: it is written first, and everything is built with it from the next visit on.
    Takes(Box<ProfileStatus>),
    /// Nothing can be taken, and nothing is built.
    Waits(Vec<Fault>),
}

/// How a client stands. `profile` is the one that it names, where there is one.
#[must_use]
pub fn standing(client: &ManagedClient, profile: Option<&ServiceProfile>, now: Timestamp) -> Standing {
    let Some(choice) = &client.spec.profile else { return Standing::Unnamed };
    let held = client.status.as_ref().and_then(|status| status.profile.as_ref()).filter(|held| held.name == choice.name);
    let Some(profile) = profile else {
        let message = format!("ServiceProfile {} does not exist: apply it, or name another (kubectl get serviceprofiles)", choice.name);
        return match held {
            Some(_) => Standing::InForce {
                newer: None,
                problem: Some((Reason::ReferenceMissing, format!("{message}. What it gave stays in force"))),
            },
            None => Standing::Waits(vec![Fault::outside(Reason::ReferenceMissing, "spec.profile.name", message)]),
        };
    };
    let newest = revision(&profile.spec);
    match held {
        Some(held) if held.revision == newest => Standing::InForce { newer: None, problem: None },
        Some(_) if !is_called(profile, &newest, &client.name_any()) => Standing::InForce { newer: Some(newest), problem: None },
        held => match take(client, profile, newest.clone(), now) {
            Ok(taken) => Standing::Takes(Box::new(taken)),
            Err(faults) if held.is_some() => {
                let message = format!("revision {newest} of {} is not taken: {}", choice.name, join_faults(&faults));
                Standing::InForce { newer: Some(newest), problem: Some((Reason::ProfileRefused, message)) }
            }
            Err(faults) => Standing::Waits(faults),
        },
    }
}

/// Whether it is the client's turn: the wave under way is of this revision, and the client is in it.
fn is_called(profile: &ServiceProfile, revision: &str, client: &str) -> bool {
    let Some(status) = &profile.status else { return false };
    let is_of_it = status.change.as_ref().is_some_and(|change| change.revision == revision);
    is_of_it && status.wave.as_ref().is_some_and(|wave| wave.clients.iter().any(|called| called.name == client))
}

/// What a client's status would say with a profile as it is now.
///
/// # Errors
/// Faults of the client with it, or of the profile.
fn take(client: &ManagedClient, profile: &ServiceProfile, revision: String, now: Timestamp) -> Result<ProfileStatus, Vec<Fault>> {
    if profile.metadata.deletion_timestamp.is_some() {
        let message = format!("ServiceProfile {} is being deleted: name another", profile.name_any());
        return Err(vec![Fault::outside(Reason::ReferenceMissing, "spec.profile.name", message)]);
    }
    let faults = refusal(client, profile);
    if !faults.is_empty() {
        return Err(faults);
    }
    let blank = ProfileStatus {
        name: profile.name_any(),
        segment: profile.spec.segment.clone(),
        revision,
        adopted_at: Some(Time(now)),
        defaults: profile.spec.defaults.clone(),
        limits: profile.spec.limits.clone(),
        ..ProfileStatus::default()
    };
    let whole = client.with_defaults(&blank.defaults).unwrap_or_else(|_| client.clone());
    Ok(filled(&whole, blank))
}

/// Why a client cannot take a profile as it is now; empty where it can.
pub(super) fn refusal(client: &ManagedClient, profile: &ServiceProfile) -> Vec<Fault> {
    let mut faults = super::faults(&profile.spec);
    match client.with_defaults(&profile.spec.defaults) {
        Ok(whole) => {
            faults.extend(spec_faults(&whole));
            faults.extend(limit_faults(&profile.spec.limits, &whole.spec));
        }
        Err(error) => faults.push(Fault::spec("spec", error.to_string())),
    }
    faults
}

/// The status with deviations and the resolved part, of a client that is read with it.
fn filled(client: &ManagedClient, held: ProfileStatus) -> ProfileStatus {
    let without = client.spec.profile.as_ref().map(|choice| choice.without.as_slice()).unwrap_or_default();
    let mut deviations = deviations(&held.defaults, without, &client.reading.written);
    let deviation_count = u32::try_from(deviations.len()).unwrap_or(u32::MAX);
    deviations.truncate(LISTED);
    ProfileStatus { resolved: resolved(client), deviation_count, deviations, ..held }
}

/// What holds in every field that a profile may set.
pub(super) fn resolved(client: &ManagedClient) -> Map<String, Value> {
    let whole = json!(client.spec);
    let mut found = json!({});
    for path in FIELDS {
        let Some(value) = at(&whole, path) else { continue };
        let mut here = &mut found;
        for name in path.split('.') {
            here = &mut here[name];
        }
        *here = value.clone();
    }
    match found {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// The part of the client's status that tells of its profile.
#[must_use]
pub fn shown(client: &ManagedClient, standing: &Standing) -> Option<ProfileStatus> {
    let held = client.status.as_ref().and_then(|status| status.profile.clone());
    match standing {
        Standing::Unnamed => None,
        Standing::Takes(taken) => Some((**taken).clone()),
        Standing::InForce { .. } => held.map(|held| filled(client, held)),
        Standing::Waits(_) => held,
    }
}

/// The status of a visit that takes a revision and does nothing else, and what it came to.
#[must_use]
pub fn taking(client: &ManagedClient, taken: &ProfileStatus, known: &[ConditionType], now: Timestamp) -> (ManagedClientStatus, Outcome) {
    let last = client.status.clone().unwrap_or_default();
    let mut set = ConditionSet::new(&last.conditions, known, client.metadata.generation.unwrap_or_default(), now);
    let message = format!("takes revision {} of {}", taken.revision, taken.name);
    set.set(ConditionType::ProfileResolved, Is::Unknown, Reason::Progressing, &message);
    let status = ManagedClientStatus { conditions: set.finish(), profile: Some(taken.clone()), ..last };
    (status, Outcome::Waiting(Wait { reason: Reason::Progressing, message, after: AT_ONCE }))
}

/// The conditions that tell of the profile, and what the client waits for.
pub fn condition(set: &mut ConditionSet, client: &ManagedClient, standing: &Standing) -> Vec<Wait> {
    let held = client.status.as_ref().and_then(|status| status.profile.as_ref());
    let kind = ConditionType::ProfileResolved;
    let mut waits = Vec::new();
    match standing {
        Standing::Unnamed => set.set(kind, Is::True, Reason::NotRequested, "no profile is named: the spec stands alone"),
        Standing::Takes(taken) => {
            set.set(kind, Is::Unknown, Reason::Progressing, format!("takes revision {} of {}", taken.revision, taken.name))
        }
        Standing::Waits(faults) => {
            set.set(kind, Is::False, faults.first().map_or(Reason::InvalidSpec, |fault| fault.reason), join_faults(faults));
        }
        Standing::InForce { problem: Some((reason, message)), .. } => {
            set.set(kind, Is::False, *reason, message);
            waits.push(Wait { reason: *reason, message: message.clone(), after: LOOK });
        }
        Standing::InForce { newer, problem: None } => {
            let (name, revision) = held.map(|held| (held.name.as_str(), held.revision.as_str())).unwrap_or_default();
            match newer {
                None => set.set(kind, Is::True, Reason::Settled, format!("{name}, revision {revision}")),
                Some(newer) => set.set(
                    kind,
                    Is::True,
                    Reason::Progressing,
                    format!("{name}, revision {revision}; revision {newer} waits for its wave"),
                ),
            }
        }
    }
    waits.extend(authorizations(set, client));
    waits
}

/// Whether the client has named what the profile in force asks for.
fn authorizations(set: &mut ConditionSet, client: &ManagedClient) -> Option<Wait> {
    let kind = ConditionType::AuthorizationsNamed;
    let Some(limits) = client.limits().filter(|limits| !limits.authorizations.is_empty()) else {
        set.set(kind, Is::True, Reason::NotRequested, "no profile asks for an authorization");
        return None;
    };
    let missing = unnamed(limits, &client.spec);
    if missing.is_empty() {
        set.set(kind, Is::True, Reason::Settled, format!("{} named", limits.authorizations.len()));
        return None;
    }
    let named: Vec<String> = missing
        .iter()
        .map(|needed| if needed.what.is_empty() { needed.kind.clone() } else { format!("{} ({})", needed.kind, needed.what) })
        .collect();
    let message = format!("the profile asks for {}: name it in spec.profile.authorizations", named.join(", "));
    set.set(kind, Is::False, Reason::AuthorizationMissing, &message);
    Some(Wait { reason: Reason::AuthorizationMissing, message, after: LOOK })
}
