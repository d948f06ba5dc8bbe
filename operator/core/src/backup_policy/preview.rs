//! What a policy does next: its runs as instants, and what would be written.

use caretaker_api::backup_policy::BackupTerms;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// The next runs after a moment. The schedule is in UTC, whose days all have 24 hours: no change of clocks moves a run or leaves one out.
#[must_use]
pub fn next_runs(terms: &BackupTerms, after: Timestamp, count: usize) -> Vec<Timestamp> {
    let Ok(at) = Time::strptime("%H:%M", &terms.daily_at) else { return Vec::new() };
    let Ok(today) = after.to_zoned(TimeZone::UTC).date().to_datetime(at).to_zoned(TimeZone::UTC) else { return Vec::new() };
    let day = SignedDuration::from_hours(24);
    let first = if today.timestamp() > after { today.timestamp() } else { today.timestamp() + day };
    std::iter::successors(Some(first), |last| Some(*last + day)).take(count).collect()
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
}
