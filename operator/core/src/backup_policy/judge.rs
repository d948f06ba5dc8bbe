//! The verdict of one asset: can it be restored as the policy wants it, and if not, why, and what is to be done.
//!
//! A job that ended well is no proof. Only a point that can be restored counts, whoever made it and whichever vault holds it.

use caretaker_api::backup_policy::BackupTerms;
use caretaker_api::words::BackupState;
use caretaker_cloud::{Asset, AssetType, Cloud, Ground, JobState, Offers, PointState, Source};
use jiff::{SignedDuration, Timestamp};

use super::recovery::{Known, LastJob};

/// How a moment is told.
const MOMENT: &str = "%Y-%m-%d %H:%M UTC";

/// What an asset is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Measure<'a> {
    /// The policy.
    pub terms: &'a BackupTerms,
    /// Whether the plan may be made in the asset's account.
    pub may_write: bool,
    /// What its region takes.
    pub ground: &'a Ground,
    /// From when on its lack of a point counts, before the RPO is added.
    pub since: Timestamp,
    /// Now.
    pub now: Timestamp,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The state.
    pub state: BackupState,
    /// The newest moment that can be brought back.
    pub last: Option<Timestamp>,
    /// Why; empty where all is well.
    pub reason: String,
    /// What to do; empty where nothing is.
    pub cure: String,
}

impl Judged {
    /// Whether it is told as a gap.
    #[must_use]
    pub fn is_told(&self) -> bool {
        !self.reason.is_empty() && self.state != BackupState::Waiting
    }
}

/// Whether the policy asks for this asset. Azure keeps the letter case of a tag's key and compares it without.
#[must_use]
pub fn is_selected(terms: &BackupTerms, asset: &Asset) -> bool {
    let wanted = &terms.tag;
    if asset.cloud != Cloud::Azure {
        return asset.tags.get(&wanted.key).is_some_and(|value| *value == wanted.value);
    }
    asset.tags.iter().any(|(key, value)| key.eq_ignore_ascii_case(&wanted.key) && *value == wanted.value)
}

/// The RPO as a time.
#[must_use]
pub fn rpo(terms: &BackupTerms) -> SignedDuration {
    SignedDuration::from_hours(i64::from(terms.rpo_hours))
}

/// Judges an asset that the policy asks for.
#[must_use]
pub fn judge((asset, source): (&Asset, &Source), known: Option<&Known>, measure: Measure<'_>) -> Judged {
    let saved = known.and_then(|known| known.usable);
    let last = saved.filter(|saved| is_of(asset, *saved));
    let bad = known.and_then(|known| bad_job(known, last));
    let hindrance = hindrance(asset, source, (known, measure)).or_else(|| bad.map(|job| told_job(asset, job)));
    let of = |state, (reason, cure): (String, String)| Judged { state, last, reason, cure };
    let rpo = rpo(measure.terms);
    if last.is_some_and(|last| measure.now.duration_since(last) <= rpo) {
        return of(BackupState::Protected, hindrance.unwrap_or_default());
    }
    let first_due = measure.since + rpo;
    if last.is_none() && hindrance.is_none() && measure.now < first_due {
        let reason = format!("the first recovery point is due by {}", first_due.strftime(MOMENT));
        return of(BackupState::Waiting, (reason, String::new()));
    }
    let missing = match saved.filter(|_| last.is_none()) {
        Some(saved) => earlier(asset, saved),
        None => missing(known, last, measure.now),
    };
    let state = match (last, bad) {
        (_, Some(_)) => BackupState::Failing,
        (Some(_), None) => BackupState::Stale,
        (None, None) => BackupState::Unprotected,
    };
    match hindrance {
        Some((why, cure)) => of(state, (format!("{missing}; {why}"), cure)),
        None => of(state, (missing, look(asset, known))),
    }
}

/// Whether a point is of the asset, and not of an earlier one of its name: the ids of Azure and Google Cloud are made of names.
fn is_of(asset: &Asset, saved: Timestamp) -> bool {
    asset.cloud == Cloud::Aws || asset.created.is_none_or(|created| saved >= created)
}

fn earlier(asset: &Asset, saved: Timestamp) -> String {
    let made = asset.created.unwrap_or(saved).strftime(MOMENT);
    format!(
        "there is no usable recovery point of it: the newest under its name, of {}, is of an earlier one, since this one was made at {made}",
        saved.strftime(MOMENT)
    )
}

/// An asset that the policy asks for no more, of which something was saved.
#[must_use]
pub fn lost_tag(terms: &BackupTerms, known: &Known) -> Option<Judged> {
    let last = known.usable.filter(|_| known.is_ours)?;
    let tag = format!("{}={}", terms.tag.key, terms.tag.value);
    Some(Judged {
        state: BackupState::Unselected,
        last: Some(last),
        reason: format!("it has lost the tag {tag} since it was saved last, at {}", last.strftime(MOMENT)),
        cure: format!("give it the tag {tag} again; if it is not to be saved, exclude it in spec.scope with the reason"),
    })
}

/// What keeps every further point from being made. That we write no plan keeps nobody else from it: where others save, it is no hindrance.
fn hindrance(asset: &Asset, source: &Source, (known, measure): (Option<&Known>, Measure<'_>)) -> Option<(String, String)> {
    let (region, service) = (asset.cloud.region_of(&asset.region), source.service);
    if !measure.terms.regions.iter().any(|named| named == region) {
        return Some((format!("the policy is not about {region}"), format!("add {region} to the regions of spec.backups")));
    }
    if let Some(by) = known.and_then(|known| known.hindrance.as_deref()) {
        return Some((by.why.clone(), by.cure.clone()));
    }
    let others_save = known.is_some_and(|known| known.usable.is_some() && !known.is_ours);
    // Where no plan is ours, that others have none is known only once the first point is overdue. Where a plan selects by
    // tag it is told at once.
    if Offers::of(asset.cloud).plans.is_none_or(|plans| !plans.selects_by_tag && !measure.may_write) {
        return None;
    }
    if !measure.may_write && !others_save {
        let why = "no plan is written here, since the account lacks the capability Backup".to_owned();
        return Some((why, "add Backup to the account's allow, and have the client apply the kit again".into()));
    }
    (measure.ground.takes.get(service) == Some(&false)).then(|| {
        let cure = format!(
            "the client runs in this account: aws backup update-region-settings --region {region} --resource-type-opt-in-preference {service}=true"
        );
        (format!("AWS Backup leaves out {service} in {region}"), cure)
    })
}

/// Where nothing says why there is no point: who has to save it, and with what.
const fn unplanned(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Gcp => {
            "see what status.plans says of its region; where the account lacks the capability Backup no schedule is attached by us, and the client attaches one to \
             the disk, or to each disk of the machine: gcloud compute disks add-resource-policies"
        }
        _ => {
            "no plan is written on this cloud in this release; the client protects the machine in a Recovery Services vault of its region: az backup protection \
             enable-for-vm"
        }
    }
}

/// The last job, where it ended badly and no point came after it.
fn bad_job(known: &Known, last: Option<Timestamp>) -> Option<&LastJob> {
    let job = known.job.as_deref().filter(|job| job.state.is_bad())?;
    last.is_none_or(|last| job.created > last).then_some(job)
}

fn told_job(asset: &Asset, job: &LastJob) -> (String, String) {
    let how = match job.state {
        JobState::Partial => "saved a part only",
        JobState::Aborted => "was stopped",
        JobState::Expired => "did not begin within its window",
        _ => "failed",
    };
    let said = if job.message.is_empty() { String::new() } else { format!(": {}", job.message.trim()) };
    let cure = Some(cure_of(&job.message)).filter(|_| asset.cloud == Cloud::Aws).flatten();
    (format!("the job of {} {how}{said}", job.created.strftime(MOMENT)), cure.map_or_else(|| show(asset, &job.id), str::to_owned))
}

/// What helps against reasons that AWS Backup often gives.
/// Source: <https://docs.aws.amazon.com/aws-backup/latest/devguide/troubleshooting.html>
fn cure_of(message: &str) -> Option<&'static str> {
    let text = message.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["versioning"]) {
        Some("the client switches versioning on for the bucket: AWS Backup saves no other")
    } else if has(&["cannot be assumed", "insufficient privileges", "not authorized", "access denied", "accessdenied"]) {
        Some(
            "the client applies the kit again: the role of the backup service lacks a right, or may not be assumed by backup.amazonaws.com",
        )
    } else if has(&["retention", "lock configuration"]) {
        Some("set retentionDays to what the vault's lock allows")
    } else if has(&["kms", "key "]) {
        Some("the client lets the role of the backup service use the key of this asset, and sees that the key is enabled")
    } else {
        None
    }
}

/// What is there instead of a point within the RPO.
fn missing(known: Option<&Known>, last: Option<Timestamp>, now: Timestamp) -> String {
    let mut text = match last {
        Some(last) => format!("the newest usable recovery point is {} old, of {}", age(now, last), last.strftime(MOMENT)),
        None => "there is no usable recovery point".to_owned(),
    };
    let newer = |at: Timestamp| last.is_none_or(|last| at > last);
    if let Some(other) = known.and_then(|known| known.other.as_deref()).filter(|other| newer(other.created)) {
        let how = match other.state {
            PointState::Partial => "is not whole",
            PointState::Creating => "is still being made",
            PointState::Stopped => "is kept up to date no more",
            PointState::Expired => "has expired and could not be deleted",
            PointState::Deleting => "is being deleted",
            PointState::Usable | PointState::Unknown => "is in a state that this release does not know",
        };
        text.push_str(&format!("; one of {} {how}", other.created.strftime(MOMENT)));
        if !other.message.is_empty() {
            text.push_str(&format!(": {}", other.message.trim()));
        }
    }
    let done = known.and_then(|known| known.job.as_deref()).filter(|job| job.state == JobState::Completed && newer(job.created));
    if let Some(job) = done {
        text.push_str(&format!("; the job of {} says that it is completed, and left none", job.created.strftime(MOMENT)));
    }
    text
}

/// The command that shows a job.
fn show(asset: &Asset, job: &str) -> String {
    match asset.cloud {
        Cloud::Aws => format!("aws backup describe-backup-job --region {} --backup-job-id {job}", asset.region),
        Cloud::Azure => format!("az backup job show --ids {job}"),
        Cloud::Gcp if job.contains("/snapshots/") => {
            format!("gcloud compute snapshots describe https://www.googleapis.com/compute/v1/{job}")
        }
        Cloud::Gcp if job.contains("/backupRuns/") => {
            let parts: Vec<&str> = job.split('/').collect();
            let part = |at: usize| parts.get(at).copied().unwrap_or_default();
            format!("gcloud sql backups describe {} --instance {} --project {}", part(5), part(3), part(1))
        }
        Cloud::Gcp => format!("gcloud compute operations describe https://www.googleapis.com/compute/v1/{job}"),
    }
}

/// Where to look where nothing says why.
fn look(asset: &Asset, known: Option<&Known>) -> String {
    match known.and_then(|known| known.job.as_deref()) {
        Some(job) => show(asset, &job.id),
        None if known.is_some_and(|known| known.is_under_way) => "a job is under way: look again when it has ended".into(),
        None if Offers::of(asset.cloud).plans.is_some_and(|plans| plans.selects_by_tag) => {
            "no job was made for it: see that the plan's selection is as status.plans says, and that the tag has exactly these letters"
                .into()
        }
        None if asset.asset_type == AssetType::Database => "the client switches automated backups on: gcloud sql instances patch".into(),
        None => unplanned(asset.cloud).into(),
    }
}

/// An age in words.
fn age(now: Timestamp, then: Timestamp) -> String {
    let hours = now.duration_since(then).as_hours().max(0);
    if hours < 48 { format!("{hours} hours") } else { format!("{} days", hours / 24) }
}

#[cfg(test)]
mod tests;
