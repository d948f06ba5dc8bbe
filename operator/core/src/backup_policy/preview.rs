//! What a policy does next: its runs as instants, and what would be written.

use caretaker_api::backup_policy::BackupTerms;
use caretaker_cloud::{Cloud, Offers};
use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::regions_of;
use super::schedules::refusal;

/// The next runs after a moment. The schedule is in UTC, whose days all have 24 hours: no change of clocks moves a run or leaves one out.
#[must_use]
pub fn next_runs(terms: &BackupTerms, after: Timestamp, count: usize) -> Vec<Timestamp> {
    let Ok(at) = Time::strptime("%H:%M", &terms.daily_at) else { return Vec::new() };
    let Ok(today) = after.to_zoned(TimeZone::UTC).date().to_datetime(at).to_zoned(TimeZone::UTC) else { return Vec::new() };
    let day = SignedDuration::from_hours(24);
    let first = if today.timestamp() > after { today.timestamp() } else { today.timestamp() + day };
    std::iter::successors(Some(first), |last| Some(*last + day)).take(count).collect()
}

/// The next runs on each cloud that the policy names a region of; `Err` says why there are none.
#[must_use]
pub fn by_cloud(terms: &BackupTerms, after: Timestamp, count: usize) -> Vec<(Cloud, Result<Vec<Timestamp>, String>)> {
    let of = |cloud: Cloud| {
        if Offers::of(cloud).plans.is_none() {
            return Err("no plan is written on this cloud in this release: what others save there is watched".into());
        }
        refusal(terms, cloud).map_or_else(|| Ok(next_runs(terms, after, count)), Err)
    };
    Cloud::ALL.into_iter().filter(|cloud| !regions_of(terms, *cloud).is_empty()).map(|cloud| (cloud, of(cloud))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn runs_are_told_as_instants_also_over_changes_of_clocks() {
        let tag = json!({"key": "backup", "value": "daily"});
        let terms: BackupTerms =
            serde_json::from_value(json!({"dailyAt": "02:30", "retentionDays": 30, "tag": tag, "regions": ["eu-west-1"]})).unwrap();
        for (after, expected) in [
            ("2026-11-28T02:29:59Z", ["2026-11-28T02:30:00Z", "2026-11-29T02:30:00Z"]),
            ("2026-11-28T02:30:00Z", ["2026-11-29T02:30:00Z", "2026-11-30T02:30:00Z"]),
            // The nights in which Europe changes its clocks.
            ("2026-03-28T12:00:00Z", ["2026-03-29T02:30:00Z", "2026-03-30T02:30:00Z"]),
            ("2026-10-24T12:00:00Z", ["2026-10-25T02:30:00Z", "2026-10-26T02:30:00Z"]),
            ("2026-12-31T12:00:00Z", ["2027-01-01T02:30:00Z", "2027-01-02T02:30:00Z"]),
        ] {
            let found: Vec<String> = next_runs(&terms, after.parse().unwrap(), 2).iter().map(ToString::to_string).collect();
            assert_eq!(found, expected, "{after}");
        }
    }

    #[test]
    fn each_cloud_has_its_runs_or_the_reason_why_it_has_none() {
        let of = |at: &str, regions: &[&str]| {
            let tag = json!({"key": "backup", "value": "daily"});
            let terms: BackupTerms =
                serde_json::from_value(json!({"dailyAt": at, "retentionDays": 30, "tag": tag, "regions": regions})).unwrap();
            by_cloud(&terms, "2026-11-28T12:00:00Z".parse().unwrap(), 1)
        };
        let run = |at: &str| Ok(vec![at.parse::<Timestamp>().unwrap()]);
        assert_eq!(
            of("03:00", &["eu-west-1", "europe-west1"]),
            [(Cloud::Aws, run("2026-11-29T03:00:00Z")), (Cloud::Gcp, run("2026-11-29T03:00:00Z")),]
        );
        let found = of("03:30", &["eu-west-1", "westeurope", "europe-west1"]);
        assert_eq!(found[0], (Cloud::Aws, run("2026-11-29T03:30:00Z")));
        assert!(found[1].1.as_ref().is_err_and(|why| why.contains("no plan is written")), "{found:?}");
        assert!(found[2].1.as_ref().is_err_and(|why| why.contains("03:00 or 04:00")), "{found:?}");
    }
}
