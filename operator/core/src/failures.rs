//! Failed visits in a row: how long an object may still be called Ready although its visits fail.

use jiff::{SignedDuration, Timestamp};

/// Failed visits in a row after which the last good visit says nothing of now.
pub const LASTING_VISITS: u32 = 3;
/// Time since the first failed visit of the row after which the last good visit says nothing of now, however few visits there were.
pub const LASTING_TIME: SignedDuration = SignedDuration::from_mins(5);

/// Failed visits in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureRow {
    /// Number of failed visits.
    pub visits: u32,
    /// Time of the first of them.
    pub since: Timestamp,
}

impl FailureRow {
    /// The row with one failed visit more.
    #[must_use]
    pub fn with_one_more(row: Option<Self>, now: Timestamp) -> Self {
        row.map_or(Self { visits: 1, since: now }, |row| Self { visits: row.visits.saturating_add(1), since: row.since })
    }

    /// Whether the failures last, so that `Ready` must not stand any more.
    #[must_use]
    pub fn is_lasting(self, now: Timestamp) -> bool {
        self.visits >= LASTING_VISITS || now.duration_since(self.since) >= LASTING_TIME
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_row_lasts_by_visits_or_by_time() {
        let cases = [
            ("one failure may be a hiccup", 1, 0, 0, false),
            ("two may be one restart of the API server", 2, 0, 5, false),
            ("three are none", 3, 0, 15, true),
            ("a single failure just before the bound", 1, 0, 299, false),
            ("a single failure that nobody could look after for five minutes", 1, 0, 300, true),
        ];
        for (reason, visits, since, now, expected) in cases {
            assert_eq!(FailureRow { visits, since: at(since) }.is_lasting(at(now)), expected, "{reason}");
        }
    }

    #[test]
    fn a_row_counts_from_its_first_failure() {
        let first = FailureRow::with_one_more(None, at(7));
        assert_eq!(first, FailureRow { visits: 1, since: at(7) });
        assert_eq!(FailureRow::with_one_more(Some(first), at(9)), FailureRow { visits: 2, since: at(7) });
    }
}
