//! What a new revision changes for the clients that have an earlier one, told before anything goes out.

use std::collections::BTreeSet;

use caretaker_api::service_profile::{ChangeRow, PlannedChange, ProfileStatus, leaves, merged, taken};
use caretaker_api::{ManagedClient, ServiceProfile};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::shown_value;
use super::standing::{refusal, resolved};
use crate::outcome::join_faults;

/// Rows that a status lists.
const ROWS: usize = 50;
/// Refusals that a status lists.
const REFUSALS: usize = 10;

/// Fields that change for one client: what holds now and what would hold, defaults of the API included.
fn rows(client: &ManagedClient, held: &ProfileStatus, profile: &ServiceProfile) -> Vec<ChangeRow> {
    let after = client.with_defaults(&profile.spec.defaults).ok().filter(|after| after.reading.unread.is_empty());
    let (before, after) = match after {
        Some(after) => (Value::Object(resolved(client)), Value::Object(resolved(&after))),
        // It could not take it; what was written is told all the same.
        None => {
            let without = client.spec.profile.as_ref().map(|choice| choice.without.as_slice()).unwrap_or_default();
            let whole = |defaults| merged(&taken(defaults, without), &client.reading.written);
            (whole(&held.defaults), whole(&profile.spec.defaults))
        }
    };
    let (before, after) = (leaves(&before), leaves(&after));
    let row =
        |path: &str, from: Option<String>, to: Option<String>| ChangeRow { client: client.name_any(), path: path.to_owned(), from, to };
    let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let mut rows: Vec<ChangeRow> = paths
        .into_iter()
        .filter(|path| before.get(*path) != after.get(*path))
        .map(|path| row(path, before.get(path).map(shown_value), after.get(path).map(shown_value)))
        .collect();
    if held.limits != profile.spec.limits {
        rows.push(row("(limits)", Some(shown_value(&json!(held.limits))), Some(shown_value(&json!(profile.spec.limits)))));
    }
    rows
}

/// The change for these clients, each with what it has. It keeps the moment at which its revision was first shown.
pub(super) fn planned(
    profile: &ServiceProfile,
    revision: &str,
    behind: &[(&ManagedClient, &ProfileStatus)],
    now: Timestamp,
) -> PlannedChange {
    let last = profile.status.as_ref().and_then(|status| status.change.as_ref()).filter(|change| change.revision == revision);
    let announced_at = last.and_then(|change| change.announced_at.clone()).or(Some(Time(now)));
    let mut change = PlannedChange { revision: revision.to_owned(), announced_at, ..PlannedChange::default() };
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    change.clients = count(behind.len());
    for (client, held) in behind {
        let rows = rows(client, held, profile);
        change.affected += u32::from(!rows.is_empty());
        change.fields += count(rows.len());
        change.rows.extend(rows.into_iter().take(ROWS - change.rows.len()));
        let faults = refusal(client, profile);
        if !faults.is_empty() && change.refusals.len() < REFUSALS {
            change.refusals.push(format!("{}: {}", client.name_any(), join_faults(&faults)));
        }
    }
    change
}
