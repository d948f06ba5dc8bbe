//! A war with another manager of a field: how long a repair waits when the same field of the same object was repaired lately.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Waits between repairs of one field: after the first repair, the second, the third, and every later one.
pub const PAUSES: [Duration; 4] =
    [Duration::from_secs(5), Duration::from_secs(30), Duration::from_secs(5 * 60), Duration::from_secs(20 * 60)];
/// How long a repair counts.
pub const MEMORY: SignedDuration = SignedDuration::from_hours(1);

/// Whether a field is put back now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Now.
    Repair,
    /// Not before this time has passed: another manager writes the field again and again.
    Pause(Duration),
}

/// Repairs that still count.
#[must_use]
pub fn recent(repairs: &[Timestamp], now: Timestamp) -> Vec<Timestamp> {
    repairs.iter().copied().filter(|at| now.duration_since(*at) < MEMORY).collect()
}

/// Decides from the times of earlier repairs of the field, the oldest first.
#[must_use]
pub fn decide(repairs: &[Timestamp], now: Timestamp) -> Decision {
    let recent = recent(repairs, now);
    let Some(last) = recent.last() else {
        return Decision::Repair;
    };
    let pause = PAUSES[(recent.len() - 1).min(PAUSES.len() - 1)];
    let passed = Duration::try_from(now.duration_since(*last)).unwrap_or_default();
    match pause.checked_sub(passed) {
        Some(left) if !left.is_zero() => Decision::Pause(left),
        _ => Decision::Repair,
    }
}

/// The part of a field's path that repairs are counted by: the first two names. The names below them can be anybody's choice, such as the keys of a map,
/// and must not each have a war of their own.
#[must_use]
pub fn front(field: &str) -> String {
    let mut names = field.split(['.', '[']);
    match (names.next(), names.next()) {
        (Some("spec"), Some(second)) => format!("spec.{second}"),
        (Some(first), _) => first.to_owned(),
        (None, _) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_war_slows_down() {
        let secs = |seconds| Decision::Pause(Duration::from_secs(seconds));
        let cases: [(&str, &[i64], i64, Decision); 9] = [
            ("a first change is put back at once", &[], 0, Decision::Repair),
            ("a second within five seconds waits", &[0], 1, secs(4)),
            ("and is put back then", &[0], 5, Decision::Repair),
            ("the third waits half a minute", &[0, 5], 6, secs(29)),
            ("the fourth waits five minutes", &[0, 5, 35], 36, secs(299)),
            ("each later one waits twenty minutes", &[0, 5, 35, 335], 336, secs(1199)),
            ("also the sixth", &[0, 5, 35, 335, 1535], 1536, secs(1199)),
            ("repairs of more than an hour ago do not count", &[0, 5, 35], 3636, Decision::Repair),
            ("those within the hour do", &[0, 3600], 3601, secs(4)),
        ];
        for (reason, repairs, now, expected) in cases {
            let repairs: Vec<Timestamp> = repairs.iter().map(|second| at(*second)).collect();
            assert_eq!(decide(&repairs, at(now)), expected, "{reason}");
        }
    }

    /// K17: a loop that changes the field whenever it is right.
    #[test]
    fn a_loop_that_always_writes_back_costs_a_few_writes_an_hour() {
        let (mut repairs, mut hours) = (Vec::new(), [0; 3]);
        for second in 0..3 * 3600 {
            if decide(&repairs, at(second)) == Decision::Repair {
                repairs.push(at(second));
                hours[usize::try_from(second / 3600).unwrap()] += 1;
            }
        }
        assert!(hours[0] <= 7 && hours[1] <= 4 && hours[2] <= 4 && hours[2] >= 1, "{hours:?}");
    }

    #[test]
    fn repairs_are_counted_by_the_front_of_a_path() {
        let cases = [
            ("spec.hard.pods", "spec.hard"),
            ("spec", "spec"),
            ("data.override.tf", "data"),
            ("subjects[0].name", "subjects"),
            ("spec.groups[name=x].rules", "spec.groups"),
        ];
        for (field, expected) in cases {
            assert_eq!(front(field), expected, "{field}");
        }
    }
}
