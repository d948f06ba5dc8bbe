//! Qualifications of the provider: days that do not exist, and the warning before one expires.

use caretaker_api::ProviderProfile;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::qualifications::Qualification;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::conditions::{ConditionSet, Is};
use crate::managed_client::agreements::NEAR_DAYS;
use crate::outcome::Fault;

fn end(qualification: &Qualification) -> Option<Date> {
    qualification.expires_on.parse().ok()
}

/// Days that do not exist.
#[must_use]
pub fn faults(profile: &ProviderProfile) -> Vec<Fault> {
    let of = |(index, one): (usize, &Qualification)| {
        let field = format!("spec.qualifications[{index}].expiresOn");
        let is_wrong = !one.expires_on.is_empty() && end(one).is_none();
        is_wrong.then(|| Fault::spec(field, format!("there is no day {}: correct it", one.expires_on)))
    };
    profile.spec.qualifications.iter().enumerate().filter_map(of).collect()
}

/// The condition `QualificationsCurrent`. A day ends in UTC: a provider has no zone. One that is renewed under the same name stands for the old one.
pub fn condition(profile: &ProviderProfile, set: &mut ConditionSet, now: Timestamp) {
    let (kind, all) = (ConditionType::QualificationsCurrent, &profile.spec.qualifications);
    if all.is_empty() {
        return set.set(kind, Is::Unknown, Reason::NotRequested, "spec.qualifications names none");
    }
    let today = now.to_zoned(TimeZone::UTC).date();
    let is_renewed = |one: &Qualification| {
        let outlasts = |other: &&Qualification| other.expires_on.is_empty() || end(other) > end(one);
        all.iter().filter(|other| other.name == one.name).any(|other| outlasts(&other))
    };
    let near = |one: &&Qualification| end(one).is_some_and(|end| end < today.saturating_add(NEAR_DAYS.days())) && !is_renewed(one);
    let told: Vec<String> = all
        .iter()
        .filter(near)
        .map(|one| {
            let word = if end(one).is_some_and(|end| end < today) { "expired at the end of" } else { "expires at the end of" };
            format!("{} {} {word} {}", one.name, one.reference, one.expires_on)
        })
        .collect();
    if told.is_empty() {
        return set.set(kind, Is::True, Reason::Settled, format!("{} hold for at least {NEAR_DAYS} days", all.len()));
    }
    set.set(kind, Is::False, Reason::Expiring, format!("{}: renew it, and record the new one in spec.qualifications", told.join("; ")));
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn profile(qualifications: &Value) -> ProviderProfile {
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ProviderProfile", "metadata": {"name": "p"},
            "spec": {"displayName": "Care", "contacts": [], "qualifications": qualifications},
        }))
        .unwrap()
    }

    fn one(reference: &str, expires_on: &str) -> Value {
        json!({"name": "SOC 2 Type II", "issuer": "Audit Ltd", "reference": reference, "expiresOn": expires_on})
    }

    #[test]
    fn one_that_expires_warns_a_month_before_and_a_renewed_one_does_not() {
        for (why, given, is, reason, part) in [
            ("none", json!([]), "Unknown", "NotRequested", "names none"),
            ("it never expires", json!([one("1", "")]), "True", "Settled", "1 hold"),
            ("in 31 days", json!([one("1", "2026-07-16")]), "True", "Settled", "1 hold"),
            ("in 29 days", json!([one("1", "2026-07-14")]), "False", "Expiring", "SOC 2 Type II 1 expires at the end of 2026-07-14"),
            ("its last day", json!([one("1", "2026-06-15")]), "False", "Expiring", "expires at"),
            ("the day after", json!([one("1", "2026-06-14")]), "False", "Expiring", "expired at"),
            ("renewed", json!([one("1", "2026-06-14"), one("2", "2027-06-14")]), "True", "Settled", "2 hold"),
        ] {
            let now = "2026-06-15T12:00:00Z".parse().unwrap();
            let mut set = ConditionSet::new(&[], super::super::CONDITIONS, 1, now);
            condition(&profile(&given), &mut set, now);
            let told = set.get(ConditionType::QualificationsCurrent).unwrap();
            assert_eq!((told.status.as_str(), told.reason.as_str()), (is, reason), "{why}: {}", told.message);
            assert!(told.message.contains(part), "{why}: {}", told.message);
        }
    }

    #[test]
    fn a_day_that_does_not_exist_is_refused_with_its_field() {
        let faults = |expires_on: &str| super::faults(&profile(&json!([one("1", expires_on)])));
        assert_eq!(faults("2026-02-30")[0].field, "spec.qualifications[0].expiresOn");
        assert_eq!((faults(""), faults("2026-02-28")), (vec![], vec![]));
    }
}
