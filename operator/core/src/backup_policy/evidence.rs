//! Jobs as evidence: clouds forget them after 14 to 30 days, the store does not. One file a day, one line for each job.

use std::collections::BTreeMap;

use caretaker_cloud::BackupJob;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// One line of a day's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    account: String,
    #[serde(flatten)]
    job: BackupJob,
}

/// Lines by the id of their job, by the day on which it was made, in UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    days: BTreeMap<Date, BTreeMap<String, String>>,
}

impl Evidence {
    /// Takes a job of an account.
    pub fn take(&mut self, account: &str, job: &BackupJob) {
        let day = job.created.to_zoned(TimeZone::UTC).date();
        let line = Line { account: account.into(), job: job.clone() };
        // Of text and times nothing fails.
        if let Ok(text) = serde_json::to_string(&line) {
            self.days.entry(day).or_default().insert(key(account, &job.id), text);
        }
    }

    /// The days that there is something of.
    pub fn days(&self) -> impl Iterator<Item = Date> {
        self.days.keys().copied()
    }

    /// A day's file with what was taken: `None` where it says all of that already. What a line of a job said before is replaced; what the cloud has forgotten
    /// stays.
    #[must_use]
    pub fn merged(&self, day: Date, held: &str) -> Option<String> {
        let parsed = |line: &str| serde_json::from_str::<Line>(line).ok().map(|of| (key(&of.account, &of.job.id), line.to_owned()));
        let mut lines: BTreeMap<String, String> = held.lines().filter_map(parsed).collect();
        let before = lines.clone();
        lines.extend(self.days.get(&day)?.clone());
        (lines != before).then(|| lines.into_values().map(|line| line + "\n").collect())
    }
}

fn key(account: &str, id: &str) -> String {
    format!("{account}/{id}")
}

/// Folder of what is kept of a policy.
#[must_use]
pub fn folder(client: &str, policy: &str) -> String {
    format!("clients/{client}/backups/{policy}")
}

/// A day's file.
#[must_use]
pub fn day_file(folder: &str, day: Date) -> String {
    format!("{folder}/jobs/{day}.ndjson")
}

/// The verdict of each asset at the last reading.
#[must_use]
pub fn coverage_file(folder: &str) -> String {
    format!("{folder}/coverage.ndjson")
}

/// Since when assets are selected and have no recovery point.
#[must_use]
pub fn since_file(folder: &str) -> String {
    format!("{folder}/since.json")
}

#[cfg(test)]
mod tests {
    use caretaker_cloud::JobState;

    use super::*;

    fn job(id: &str, state: JobState, created: &str) -> BackupJob {
        BackupJob {
            id: id.into(),
            region: "eu-west-1".into(),
            vault: "v".into(),
            source: "arn".into(),
            state,
            created: created.parse().unwrap(),
            ended: None,
            point: None,
            message: String::new(),
        }
    }

    #[test]
    fn a_day_keeps_what_the_cloud_forgets_and_learns_how_a_job_ended() {
        let mut first = Evidence::default();
        first.take("prod", &job("a", JobState::UnderWay, "2026-11-20T23:59:59Z"));
        first.take("prod", &job("b", JobState::Failed, "2026-11-20T01:00:00Z"));
        let days: Vec<Date> = first.days().collect();
        let [day] = days.as_slice() else { panic!("{days:?}") };
        let held = first.merged(*day, "").unwrap();
        assert_eq!(held.lines().count(), 2);
        assert_eq!(first.merged(*day, &held), None, "nothing is written twice");
        let mut second = Evidence::default();
        second.take("prod", &job("a", JobState::Completed, "2026-11-20T23:59:59Z"));
        second.take("test", &job("a", JobState::Failed, "2026-11-20T03:00:00Z"));
        let held = second.merged(*day, &held).unwrap();
        assert_eq!(held.lines().count(), 3, "{held}");
        assert!(held.contains("\"Completed\"") && !held.contains("UnderWay") && held.contains("\"b\""), "{held}");
    }
}
