//! A policy where the cloud has no plan that selects by tag: one schedule in each region, attached to each disk that is selected. A disk takes one schedule.
//! Somebody else's is never touched: it is told.

use caretaker_api::backup_policy::{BackupTerms, Tag};
use caretaker_cloud::{AssetType, Cloud, CloudStep, DiskState, Offers, Power, ProtectionState, ScheduleState, source_of};

use super::AccountView;
use super::judge::is_selected;
use crate::inventory::Line;
use crate::inventory::scope::ScopeVerdict;

/// Disks that are attached or taken off in one visit; the rest follow in the next ones.
const AT_ONCE: usize = 100;
/// Conflicts that are told of one region.
const TOLD: usize = 10;
/// Longest key or value of a label of Google Cloud, in characters.
/// Source: <https://cloud.google.com/compute/docs/labeling-resources>
const LABEL: usize = 63;

/// What of an account is selected: it is covered by the scope and has the tag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// Names in the words of [`source_of`](caretaker_cloud::source_of).
    pub sources: std::collections::BTreeSet<String>,
    /// Whether the inventory is complete, so that what is not named is not selected.
    pub is_whole: bool,
}

impl Selected {
    /// Takes one line of the account's inventory, where it is a machine or a disk that is selected.
    pub fn take(&mut self, terms: &BackupTerms, line: &Line) {
        let (asset, is_covered) = (&line.asset, line.verdict == ScopeVerdict::Covered && line.asset.power != Some(Power::Gone));
        let is_of_disks = matches!(asset.asset_type, AssetType::Volume | AssetType::Instance);
        if !is_covered || !is_of_disks || !is_selected(terms, asset) {
            return;
        }
        self.sources.extend(source_of(asset).map(|source| source.name));
    }
}

/// Why a cloud cannot do what the policy asks, with a form that works there; `None` where it can. Nothing is rounded in silence.
#[must_use]
pub fn refusal(terms: &BackupTerms, cloud: Cloud) -> Option<String> {
    let plans = Offers::of(cloud).plans?;
    let (hour, minute) = terms.daily_at.split_once(':').unwrap_or(("0", "0"));
    if plans.on_the_hour && minute != "00" {
        let next = (hour.parse::<u8>().unwrap_or_default() + 1) % 24;
        return Some(format!(
            "dailyAt {} is no time of Google Cloud's, which begins daily snapshots at full hours of UTC only: set dailyAt to {hour}:00 or {next:02}:00",
            terms.daily_at
        ));
    }
    if cloud == Cloud::Gcp { label_fault(&terms.tag) } else { None }
}

/// A tag that nothing on Google Cloud can have.
fn label_fault(tag: &Tag) -> Option<String> {
    let fits = |c: char| (c.is_alphanumeric() && !c.is_uppercase()) || c == '-' || c == '_';
    let is_short = |text: &str| text.chars().count() <= LABEL;
    let is_label = tag.key.chars().next().is_some_and(|first| first.is_alphabetic() && !first.is_uppercase())
        && [&tag.key, &tag.value].iter().all(|text| is_short(text) && text.chars().all(fits));
    (!is_label).then(|| {
        format!(
            "the tag {}={} can be no label on Google Cloud, which takes small letters, digits, hyphens and underscores, {LABEL} at most, and a letter first: \
             set a tag such as backup=daily",
            tag.key, tag.value
        )
    })
}

/// What a schedule does, as the cloud's adapter tells it.
#[must_use]
pub fn runs(terms: &BackupTerms) -> String {
    format!("daily at {}", terms.daily_at)
}

/// The steps that close the gap in a region. The schedule comes before the disks, and is changed while it stays attached: no disk is ever without one.
#[must_use]
pub fn steps(terms: &BackupTerms, (region, name): (&str, &str), (account, state): (&AccountView, &ProtectionState)) -> Vec<CloudStep> {
    let Some(Ok(selected)) = &account.selected else { return Vec::new() };
    let (region, name, at, retention_days) = (region.to_owned(), name.to_owned(), terms.daily_at.clone(), terms.retention_days);
    let here: Vec<&DiskState> = state.disks.iter().filter(|disk| disk.region == region).collect();
    let has_ours = |disk: &&&DiskState| disk.schedules.contains(&name);
    let disks = |disks: Vec<&&DiskState>| disks.into_iter().take(AT_ONCE).map(|disk| disk.id.clone()).collect::<Vec<_>>();
    let bare = disks(here.iter().filter(|disk| disk.is_selected && disk.schedules.is_empty()).collect());
    // Of an inventory that is not whole nothing is concluded.
    let lost = disks(here.iter().filter(|disk| !disk.is_selected && selected.is_whole).filter(has_ours).collect());
    let mut steps = Vec::new();
    match held(state, &region, &name) {
        None if bare.is_empty() => {}
        None => steps.push(CloudStep::CreateSchedule { region: region.clone(), name: name.clone(), at, retention_days }),
        Some(held) if held.runs != runs(terms) || held.retention_days != retention_days || !held.ends_with_disk => {
            steps.push(CloudStep::UpdateSchedule { region: region.clone(), name: name.clone(), at, retention_days });
        }
        Some(_) => {}
    }
    if !lost.is_empty() {
        steps.push(CloudStep::DetachSchedule { region: region.clone(), name: name.clone(), disks: lost });
    }
    if !bare.is_empty() {
        steps.push(CloudStep::AttachSchedule { region, name, disks: bare });
    }
    steps
}

/// Our schedule in a region.
pub(super) fn held<'a>(state: &'a ProtectionState, region: &str, name: &str) -> Option<&'a ScheduleState> {
    state.schedules.iter().find(|held| held.region == region && held.name == name)
}

/// Disks that are selected and have the schedule of somebody else, each with the cure.
#[must_use]
pub fn conflicts(terms: &BackupTerms, (region, name): (&str, &str), state: &ProtectionState) -> Vec<String> {
    let others = |disk: &&DiskState| disk.region == region && disk.is_selected && !disk.schedules.is_empty();
    let all: Vec<&DiskState> = state.disks.iter().filter(others).filter(|disk| !disk.schedules.iter().any(|held| held == name)).collect();
    let mut told: Vec<String> = all.iter().take(TOLD).map(|disk| conflict(terms, disk)).collect();
    if all.len() > TOLD {
        told.push(format!("{} more disks in {region} have the schedule of somebody else", all.len() - TOLD));
    }
    told
}

fn conflict(terms: &BackupTerms, disk: &DiskState) -> String {
    let parts: Vec<&str> = disk.id.rsplit('/').collect();
    let part = |at: usize| parts.get(at).copied().unwrap_or_default();
    let (name, place, project) = (part(0), part(2), part(4));
    let flag = if part(3) == "regions" { "region" } else { "zone" };
    let theirs = disk.schedules.join(", ");
    format!(
        "the disk {name} in {place} has the snapshot schedule {theirs}, which is not this policy's, and Google Cloud takes one for each disk: nothing was changed; \
         the client runs gcloud compute disks remove-resource-policies {name} --project={project} --{flag}={place} --resource-policies={theirs}, or takes the \
         label {}={} from it and from its machine",
        terms.tag.key, terms.tag.value
    )
}

#[cfg(test)]
mod tests;
