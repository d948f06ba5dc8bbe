//! Snapshot schedules of Compute Engine: what is there, and the steps that make, repair and attach them. A schedule is found by its name, which is ours to
//! choose. A disk takes one: somebody else's is never taken off.

mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use caretaker_cloud::budget::Work;
use caretaker_cloud::{CloudError, CloudStep, ErrorClass, Intent, ProtectionState, Receipt, Result, ScheduleState, StepOutcome};
use serde_json::{Value, json};

use crate::call::http::{Call, url};
use crate::recovery::List;
use crate::session::Session;

/// What is asked for of a policy, a machine and a disk.
const POLICY: &str = "nextPageToken,items(name,snapshotSchedulePolicy(schedule,retentionPolicy))";
const MACHINE: &str = "nextPageToken,unreachables,items/*/warning/code,items/*/instances(selfLink,disks(source,type))";
const DISK: &str = "nextPageToken,unreachables,items/*/warning/code,items/*/disks(selfLink,resourcePolicies)";
/// Label of the snapshots that our schedules make.
const LABEL: (&str, &str) = ("managed-by", "caretaker");
/// Looks at an operation, and the pause before each: a minute in all.
const LOOKS: u32 = 60;
/// See [`LOOKS`].
const PAUSE: Duration = Duration::from_secs(1);

/// Reads what is there of an intent. A list that leaves a zone out is an error: nobody may conclude that a disk is selected no more.
pub async fn read(session: &Session, of: &Intent) -> Result<ProtectionState> {
    let (mut state, mut kinds) = (ProtectionState::default(), BTreeMap::new());
    if of.regions.is_empty() {
        return Ok(state);
    }
    let list = List::of(session);
    for region in &of.regions {
        let call = "compute:resourcePolicies.list";
        list.each(call, (&format!("regions/{region}/resourcePolicies"), POLICY, &[]), |page| {
            for row in page["items"].as_array().into_iter().flatten() {
                let name = row["name"].as_str().unwrap_or_default().to_owned();
                if name == of.name {
                    state.schedules.push(read::schedule(row, region));
                }
                kinds.insert((region.clone(), name), row["snapshotSchedulePolicy"].is_object());
            }
        })
        .await?;
    }
    let (mut by_machine, mut cut) = (BTreeSet::new(), None);
    if of.sources.iter().any(|source| source.contains("/instances/")) {
        let call = "compute:instances.aggregatedList";
        list.each(call, ("aggregated/instances", MACHINE, &[]), |page| {
            cut = cut.take().or_else(|| read::cut(page));
            by_machine.extend(read::scoped(page, "instances").filter_map(|row| read::disks_of(row, &of.sources)).flatten());
        })
        .await?;
        whole(call, cut.take())?;
    }
    let call = "compute:disks.aggregatedList";
    list.each(call, ("aggregated/disks", DISK, &[]), |page| {
        cut = cut.take().or_else(|| read::cut(page));
        let found = read::scoped(page, "disks").filter_map(|row| read::disk(row, of, (&by_machine, &kinds)));
        state.disks.extend(found);
    })
    .await?;
    whole(call, cut)?;
    state.disks.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(state)
}

fn whole(call: &str, cut: Option<String>) -> Result<()> {
    cut.map_or(Ok(()), |why| Err(CloudError::new(ErrorClass::Unreachable, call, format!("the list is not whole: {why}"))))
}

/// One step under way: the calls that it made so far.
struct Writer<'a> {
    session: &'a Session,
    work: Work,
    calls: Vec<String>,
}

/// Does one step.
pub async fn perform(session: &Session, step: &CloudStep) -> Result<Receipt> {
    let mut writer = Writer { session, work: Work::once(&session.grant.client), calls: Vec::new() };
    let (outcome, id) = match step {
        CloudStep::CreateSchedule { region, name, at, retention_days } => {
            (writer.create((region, name), (at, *retention_days)).await?, name)
        }
        CloudStep::UpdateSchedule { region, name, at, retention_days } => {
            (writer.update((region, name), (at, *retention_days)).await?, name)
        }
        CloudStep::AttachSchedule { region, name, disks } => (writer.each((region, name), disks, true).await?, name),
        CloudStep::DetachSchedule { region, name, disks } => (writer.each((region, name), disks, false).await?, name),
        other => {
            let message = format!("not a step on Google Cloud in this release: {}", other.describe());
            return Err(CloudError::new(ErrorClass::Unsupported, "perform", message));
        }
    };
    Ok(Receipt { outcome, id: Some(id.clone()), calls: writer.calls })
}

/// What of a schedule is ours: when it runs, and how long its snapshots are kept, also those of a disk that is gone. Where they are stored, their labels and
/// whether the guest is flushed is said when it is made, and is the client's from then on.
fn terms((at, days): (&str, u32)) -> Value {
    json!({
        "schedule": {"dailySchedule": {"daysInCycle": 1, "startTime": at}},
        "retentionPolicy": {"maxRetentionDays": days, "onSourceDiskDelete": "APPLY_RETENTION_POLICY"},
    })
}

impl Writer<'_> {
    async fn create(&mut self, (region, name): (&str, &str), wanted: (&str, u32)) -> Result<StepOutcome> {
        if self.schedule((region, name)).await?.is_some() {
            return Ok(StepOutcome::AlreadyDone);
        }
        let mut policy = terms(wanted);
        // The disk's own region, as on AWS: the default is a group of countries, which may hold others than the client's.
        policy["snapshotProperties"] = json!({"labels": {LABEL.0: LABEL.1}, "storageLocations": [region]});
        let body =
            json!({"name": name, "description": "Made by Caretaker. A change by hand is put back.", "snapshotSchedulePolicy": policy});
        let call = Call { json: Some(&body), ..Call::default() };
        match self.write("compute:resourcePolicies.insert", &format!("regions/{region}/resourcePolicies"), call).await {
            Err(error) if error.class == ErrorClass::Conflict => Ok(StepOutcome::AlreadyDone),
            answer => answer.map(|()| StepOutcome::Done),
        }
    }

    /// Changed where it is, so that no disk is without it meanwhile.
    async fn update(&mut self, (region, name): (&str, &str), (at, days): (&str, u32)) -> Result<StepOutcome> {
        let Some(held) = self.schedule((region, name)).await? else {
            let message = format!("the snapshot schedule {name} is gone; it is made again");
            return Err(CloudError::new(ErrorClass::NotFound, "compute:resourcePolicies.get", message));
        };
        let (region_of, runs) = (region.to_owned(), read::daily(at));
        let wanted = ScheduleState { region: region_of, name: name.into(), runs, retention_days: days, ends_with_disk: true };
        if held == wanted {
            return Ok(StepOutcome::AlreadyDone);
        }
        let body = json!({"snapshotSchedulePolicy": terms((at, days))});
        let call = Call { json: Some(&body), patch: true, ..Call::default() };
        self.write("compute:resourcePolicies.patch", &format!("regions/{region}/resourcePolicies/{name}"), call).await?;
        Ok(StepOutcome::Done)
    }

    /// Attaches a schedule to disks, or takes it off. A disk that refuses stops no other: the first refusal is told once all were tried.
    async fn each(&mut self, (region, name): (&str, &str), disks: &[String], is_on: bool) -> Result<StepOutcome> {
        let (mut outcome, mut failed) = (StepOutcome::AlreadyDone, Vec::new());
        for disk in disks {
            match self.one((region, name), disk, is_on).await {
                Ok(true) => outcome = StepOutcome::Done,
                Ok(false) => {}
                // To wait is asked of all of them.
                Err(error) if matches!(error.class, ErrorClass::Throttled(_)) => return Err(error),
                Err(error) => failed.push((disk, error)),
            }
        }
        let count = failed.len();
        let Some((disk, mut error)) = failed.into_iter().next() else { return Ok(outcome) };
        let more = if count > 1 { format!("; {} more disks refused", count - 1) } else { String::new() };
        error.message = format!("{}: {}{more}", disk.rsplit('/').next().unwrap_or(disk), error.message);
        Err(error)
    }

    /// One disk; whether anything was changed. What is gone needs no schedule.
    async fn one(&mut self, (region, name): (&str, &str), disk: &str, is_on: bool) -> Result<bool> {
        let path = read::within(disk, &self.session.grant.project_id)
            .ok_or_else(|| CloudError::new(ErrorClass::Invalid, "perform", format!("{disk} is no disk of this project")))?;
        let of = if path.starts_with("regions/") { "regionDisks" } else { "disks" };
        let shown = match self.get(&format!("compute:{of}.get"), &path).await {
            Err(error) if error.class == ErrorClass::NotFound => return Ok(false),
            shown => shown?,
        };
        let held = read::attached(&shown).any(|(_, held)| held == name);
        if held == is_on {
            return Ok(false);
        }
        let verb = if is_on { "addResourcePolicies" } else { "removeResourcePolicies" };
        let body =
            json!({"resourcePolicies": [format!("projects/{}/regions/{region}/resourcePolicies/{name}", self.session.grant.project_id)]});
        self.write(&format!("compute:{of}.{verb}"), &format!("{path}/{verb}"), Call { json: Some(&body), ..Call::default() }).await?;
        Ok(true)
    }

    async fn schedule(&mut self, (region, name): (&str, &str)) -> Result<Option<ScheduleState>> {
        match self.get("compute:resourcePolicies.get", &format!("regions/{region}/resourcePolicies/{name}")).await {
            Ok(row) => Ok(Some(read::schedule(&row, region))),
            Err(error) if error.class == ErrorClass::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A write, to the end of the operation that it begins.
    async fn write(&mut self, operation: &str, path: &str, call: Call<'_>) -> Result<()> {
        let mut at = self.call(operation, path, call).await?;
        for _ in 0..LOOKS {
            if at["status"] == "DONE" {
                return read::failure(&at).map_or(Ok(()), |(code, message)| {
                    Err(CloudError::new(ErrorClass::Invalid, operation, format!("{code}: {message}")).with_code(code))
                });
            }
            let unnamed = || CloudError::new(ErrorClass::Unreachable, operation, "the operation has no address");
            let path = at["selfLink"].as_str().and_then(|link| read::within(link, &self.session.grant.project_id)).ok_or_else(unnamed)?;
            tokio::time::sleep(PAUSE).await;
            let of = if path.starts_with("regions/") { "compute:regionOperations.get" } else { "compute:zoneOperations.get" };
            at = self.get(of, &path).await?;
        }
        let message = format!("it has not ended within {LOOKS} s; the next visit looks again");
        Err(CloudError::new(ErrorClass::Unreachable, operation, message))
    }

    async fn get(&mut self, operation: &str, path: &str) -> Result<Value> {
        self.call(operation, path, Call::default()).await
    }

    async fn call(&mut self, operation: &str, path: &str, call: Call<'_>) -> Result<Value> {
        let services = &self.session.shared.services;
        let path = format!("/compute/v1/projects/{}/{path}", self.session.grant.project_id);
        let url = url(&services.endpoints.service("compute"), &path, &[])?;
        let reach = self.session.reach_of_writes();
        if !self.calls.iter().any(|made| made == operation) {
            self.calls.push(operation.to_owned());
        }
        self.session.call_for(&self.work, operation, reach, (url, Call { pays_itself: true, ..call })).await
    }
}
