//! Periods that are spread: what falls due for many objects at once would fall due at once for ever.

use jiff::SignedDuration;

use crate::digest::sha256_hex;

/// The period of one object, within a tenth of the one that is asked for. The same object always has the same, and each of its periods
/// another; `what` names the period. An object without a uid has the period itself.
#[must_use]
pub fn jittered(period: SignedDuration, uid: &str, what: &str) -> SignedDuration {
    if uid.is_empty() {
        return period;
    }
    let digest = sha256_hex(format!("{uid}/{what}"));
    // Nine hexadecimal digits fit, and are finer than any period's milliseconds.
    let share = i128::from_str_radix(digest.get(..9).unwrap_or_default(), 16).unwrap_or_default();
    let spread = period.as_millis() / 5;
    let late = spread * share / (1_i128 << 36);
    SignedDuration::from_millis(i64::try_from(period.as_millis() - spread / 2 + late).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn uid(number: usize) -> String {
        format!("{number:08x}-0000-4000-8000-000000000000")
    }

    #[test]
    fn an_object_keeps_its_period_and_each_of_its_periods_is_another() {
        assert_eq!(jittered(HOUR, &uid(1), "discover"), jittered(HOUR, &uid(1), "discover"));
        assert_ne!(jittered(HOUR, &uid(1), "discover"), jittered(HOUR, &uid(1), "prove"));
        assert_eq!(jittered(HOUR, "", "discover"), HOUR);
    }

    #[test]
    fn two_hundred_objects_are_spread_evenly_within_a_tenth_each_way() {
        let periods: Vec<SignedDuration> = (0..200).map(|number| jittered(HOUR, &uid(number), "discover")).collect();
        let (first, last) = (SignedDuration::from_mins(54), SignedDuration::from_mins(66));
        assert!(periods.iter().all(|period| (first..last).contains(period)), "{periods:?}");
        for minute in 54..66 {
            let within = periods.iter().filter(|period| period.as_mins() == minute).count();
            assert!((5..=35).contains(&within), "{within} of 200 within minute {minute}");
        }
    }

    #[test]
    fn many_that_began_together_do_not_stay_together() {
        // After ten rounds, as many as began in one second are spread over the whole of a round.
        let mut seconds: Vec<i64> = (0..200).map(|number| (jittered(HOUR, &uid(number), "discover") * 10).as_secs() % 3600).collect();
        seconds.sort_unstable();
        let crowd = (0..3600).map(|second| seconds.iter().filter(|found| (second..second + 60).contains(*found)).count()).max().unwrap();
        assert!(crowd <= 15, "{crowd} of 200 in one minute");
    }

    #[test]
    fn the_longest_periods_fit() {
        let week = SignedDuration::from_hours(24 * 7);
        assert!(jittered(week, &uid(7), "refusals") > SignedDuration::from_hours(24 * 6));
        assert!(jittered(SignedDuration::ZERO, &uid(7), "x").is_zero());
    }
}
