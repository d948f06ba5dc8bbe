//! What the clouds' recovery points and jobs tell, kept for each source and not for each point: memory grows with what is saved, not with how often.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use caretaker_cloud::{BackupJob, CloudError, Ground, Hindrance, JobState, PointState, RecoveryPoint, RecoverySink, Source};
use jiff::Timestamp;

use super::evidence::Evidence;

/// What is known of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The newest moment that can be brought back.
    pub usable: Option<Timestamp>,
    /// The same of points that leave out no disk: of a machine, the moment to which each of its disks can be brought back.
    pub whole: Option<Timestamp>,
    /// What keeps further points from being made.
    pub hindrance: Option<Box<Hindrance>>,
    /// The newest point that is none of that, where it is newer.
    pub other: Option<Box<OtherPoint>>,
    /// The newest job that has come to an end.
    pub job: Option<Box<LastJob>>,
    /// Whether a job is under way.
    pub is_under_way: bool,
    /// Whether a vault of ours holds a point of it.
    pub is_ours: bool,
    /// Whether it was met in the inventory.
    pub is_met: bool,
}

/// A point that cannot be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherPoint {
    /// When it was made.
    pub created: Timestamp,
    /// How far it is.
    pub state: PointState,
    /// What the cloud says.
    pub message: String,
}

/// The end of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastJob {
    /// The cloud's own id.
    pub id: String,
    /// When it was made.
    pub created: Timestamp,
    /// How it ended.
    pub state: JobState,
    /// What the cloud says.
    pub message: String,
}

/// An account and a region of it.
pub type Where = (String, String);

/// All that was read of the recovery points of one policy's accounts.
#[derive(Clone, Debug)]
pub struct Recovery {
    now: Timestamp,
    /// How the names of our vaults begin.
    ours: String,
    /// The place that is being read.
    at: Where,
    sources: HashMap<String, Known>,
    grounds: BTreeMap<Where, Result<Ground, CloudError>>,
    held_until: Option<Timestamp>,
    /// The jobs, for the store.
    pub evidence: Evidence,
}

impl Recovery {
    /// Nothing yet. `ours` is how the names of our vaults begin.
    #[must_use]
    pub fn new(ours: &str, now: Timestamp) -> Self {
        Self {
            now,
            ours: ours.into(),
            at: Where::default(),
            sources: HashMap::new(),
            grounds: BTreeMap::new(),
            held_until: None,
            evidence: Evidence::default(),
        }
    }

    /// The place that is read next, as account object and region.
    pub fn begin(&mut self, account: &str, region: &str) {
        self.at = (account.into(), region.into());
    }

    /// What came of reading the place.
    pub fn end(&mut self, came: Result<Ground, CloudError>) {
        self.grounds.insert(self.at.clone(), came);
    }

    /// What is known of a source.
    #[must_use]
    pub fn of(&self, source: &str) -> Option<&Known> {
        self.sources.get(source)
    }

    /// What is known of a source: of a disk also by what is known of its machine, where that is saved with all its disks.
    #[must_use]
    pub fn about(&self, source: &Source) -> Option<Cow<'_, Known>> {
        let own = self.sources.get(&source.name);
        let machine = source.within.as_ref().and_then(|within| self.sources.get(within));
        let Some(machine) = machine else { return own.map(Cow::Borrowed) };
        let mut known = own.cloned().unwrap_or_default();
        let is_newer = known.job.as_ref().is_none_or(|own| machine.job.as_ref().is_some_and(|job| job.created > own.created));
        if is_newer {
            known.job.clone_from(&machine.job);
        }
        known.usable = known.usable.max(machine.whole);
        known.is_under_way |= machine.is_under_way;
        known.is_ours |= machine.is_ours;
        known.hindrance = known.hindrance.or_else(|| machine.hindrance.clone());
        Some(Cow::Owned(known))
    }

    /// Notes that a source is in the inventory.
    pub fn meet(&mut self, source: &str) {
        if let Some(known) = self.sources.get_mut(source) {
            known.is_met = true;
        }
    }

    /// What came of a place; `None` where it was not to be read.
    #[must_use]
    pub fn ground(&self, account: &str, region: &str) -> Option<&Result<Ground, CloudError>> {
        self.grounds.get(&(account.to_owned(), region.to_owned()))
    }

    /// Every place with what came of it.
    pub fn grounds(&self) -> impl Iterator<Item = (&Where, &Result<Ground, CloudError>)> {
        self.grounds.iter()
    }

    /// Sources with points in our vaults that were met nowhere.
    #[must_use]
    pub fn orphaned(&self) -> u64 {
        let count = self.sources.values().filter(|known| known.is_ours && !known.is_met).count();
        u64::try_from(count).unwrap_or(u64::MAX)
    }

    /// The first moment at which everything that is saved could be deleted, where locks, retentions or soft delete hold some of it until then.
    #[must_use]
    pub const fn held_until(&self) -> Option<Timestamp> {
        self.held_until
    }
}

impl RecoverySink for Recovery {
    fn point(&mut self, point: RecoveryPoint) {
        let is_ours = point.vault.starts_with(&self.ours);
        self.held_until = self.held_until.max(point.held_until.filter(|until| *until > self.now));
        let known = self.sources.entry(point.source).or_default();
        known.is_ours |= is_ours;
        if point.state == PointState::Usable {
            // A clock that is ahead makes no point younger than now.
            let moment = if point.continuous { self.now } else { point.created.min(self.now) };
            known.usable = known.usable.max(Some(moment));
            if !point.leaves_out {
                known.whole = known.whole.max(Some(moment));
            }
        } else if known.other.as_ref().is_none_or(|other| other.created < point.created) {
            known.other = Some(Box::new(OtherPoint { created: point.created, state: point.state, message: point.message }));
        }
    }

    fn job(&mut self, job: BackupJob) {
        self.evidence.take(&self.at.0, &job);
        let known = self.sources.entry(job.source).or_default();
        if job.state == JobState::UnderWay {
            known.is_under_way = true;
        } else if job.state != JobState::Unknown && known.job.as_ref().is_none_or(|last| last.created < job.created) {
            known.job = Some(Box::new(LastJob { id: job.id, created: job.created, state: job.state, message: job.message }));
        }
    }

    fn hindered(&mut self, source: &str, by: Hindrance) {
        self.sources.entry(source.to_owned()).or_default().hindrance = Some(Box::new(by));
    }
}
