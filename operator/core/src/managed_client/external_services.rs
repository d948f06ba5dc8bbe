//! Services beside the cloud accounts: days that do not exist, and the warning before a term ends.

use caretaker_api::ManagedClient;
use caretaker_api::exit_terms::{Deadline, DeadlineKind, DeadlineState};
use caretaker_api::external_services::ExternalService;
use caretaker_api::managed_client::ManagedClientSpec;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::agreements::{NEAR, zone};
use crate::outcome::Fault;

fn renewal(service: &ExternalService) -> Option<Date> {
    service.renewal.parse().ok()
}

/// Days that do not exist.
#[must_use]
pub fn faults(spec: &ManagedClientSpec) -> Vec<Fault> {
    let is_wrong = |service: &ExternalService| !service.renewal.is_empty() && renewal(service).is_none();
    let of = |(index, service): (usize, &ExternalService)| {
        let field = format!("spec.externalServices[{index}].renewal");
        is_wrong(service).then(|| Fault::spec(field, format!("there is no day {}: correct it", service.renewal)))
    };
    spec.external_services.iter().enumerate().filter_map(of).collect()
}

/// The end of each term: to renew a service, or to cancel it, takes longer than to press a button.
#[must_use]
pub fn deadlines(client: &ManagedClient, now: Timestamp) -> Vec<Deadline> {
    let zone = zone(&client.spec);
    let row = |service: &ExternalService| {
        let day = renewal(service)?;
        let at = day.saturating_add(1.days()).to_zoned(zone.clone()).ok()?.timestamp();
        let (state, what) = match () {
            () if now >= at => (DeadlineState::Missed, format!("the term of {} was over at the end of {day}", service.name)),
            () if at.duration_since(now) < NEAR => (DeadlineState::Near, format!("the term of {} ends with {day}", service.name)),
            () => (DeadlineState::Pending, format!("the term of {} ends with {day}", service.name)),
        };
        let owner = service.owner.as_str().to_lowercase();
        let message = format!("{what}: the {owner} renews it or ends it, and records the new day in spec.externalServices");
        Some(Deadline { kind: DeadlineKind::Renewal, rule: service.model.as_str().into(), at: Time(at), state, message })
    };
    client.spec.external_services.iter().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn client(renewal: &str) -> ManagedClient {
        let mut service = json!({"name": "mail", "owner": "Provider", "model": "SaaS", "exitStep": "move the contract"});
        if !renewal.is_empty() {
            service["renewal"] = Value::from(renewal);
        }
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": "acme"},
            "spec": {
                "displayName": "Acme", "contacts": {"vendorManager": {"name": "Jo", "email": "jo@acme.example"}},
                "accounts": [], "exit": {"recipients": ["age1"], "contract": {"zone": "Europe/Zurich"}}, "externalServices": [service],
            },
        }))
        .unwrap()
    }

    #[test]
    fn a_term_warns_a_month_before_it_ends_in_the_zone_of_the_contract() {
        for (why, renewal, now, state) in [
            ("no term", "", "2026-06-15T12:00:00Z", None),
            ("far away", "2026-12-31", "2026-06-15T12:00:00Z", Some(DeadlineState::Pending)),
            ("near", "2026-07-01", "2026-06-15T12:00:00Z", Some(DeadlineState::Near)),
            ("its last minute there", "2026-06-15", "2026-06-15T21:59:59Z", Some(DeadlineState::Near)),
            ("the day after, there", "2026-06-15", "2026-06-15T22:00:00Z", Some(DeadlineState::Missed)),
        ] {
            let found = deadlines(&client(renewal), now.parse().unwrap());
            assert_eq!(found.first().map(|deadline| deadline.state), state, "{why}");
            assert!(
                found.iter().all(|deadline| deadline.message.contains("mail") && deadline.message.contains("the provider renews")),
                "{why}"
            );
        }
    }

    #[test]
    fn a_day_that_does_not_exist_is_refused_with_its_field() {
        assert_eq!(faults(&client("2026-02-30").spec)[0].field, "spec.externalServices[0].renewal");
        assert_eq!((faults(&client("2026-02-28").spec), faults(&client("").spec)), (vec![], vec![]));
    }
}
