//! When the client's destination of bundles is tried, and what stands against it.

use caretaker_api::ManagedClient;
use caretaker_api::destination::{Destination, DestinationStatus};
use jiff::{SignedDuration, Timestamp};

use crate::contract::is_assessment;
use crate::handover::redact;

/// Time between two tries of a destination that takes bundles.
const DAILY: SignedDuration = SignedDuration::from_hours(24);
/// Time between two tries of one that does not.
const AGAIN: SignedDuration = SignedDuration::from_mins(10);

fn last<'a>(client: &'a ManagedClient, destination: &Destination) -> Option<&'a DestinationStatus> {
    client.status.as_ref()?.destination.as_ref().filter(|tried| tried.destination == *destination)
}

/// The client's destination. Before the contract there is none: a try and a bundle are writes in the client's cloud.
#[must_use]
pub fn destination(client: &ManagedClient) -> Option<&Destination> {
    client.spec.exit.destination.as_ref().filter(|_| !is_assessment(&client.spec))
}

/// The destination that is to be tried now.
#[must_use]
pub fn due(client: &ManagedClient, now: Timestamp) -> Option<&Destination> {
    let destination = destination(client)?;
    let Some(tried) = last(client, destination) else { return Some(destination) };
    let rest = if tried.fault.is_empty() { DAILY } else { AGAIN };
    let is_due = tried.tried_at.as_ref().is_none_or(|at| now.duration_since(at.0) >= rest);
    is_due.then_some(destination)
}

/// What the status shows: the try of this visit, or the last one of the same destination. A store repeats what it was given in its errors, such as an
/// endpoint with a login.
#[must_use]
pub fn shown(client: &ManagedClient, tried: Option<&DestinationStatus>) -> Option<DestinationStatus> {
    let destination = client.spec.exit.destination.as_ref()?;
    let mut shown = tried.filter(|tried| tried.destination == *destination).or_else(|| last(client, destination)).cloned()?;
    shown.fault = redact::text(&shown.fault);
    Some(shown)
}

/// Why the client could not get its bundle there; `None` where it could, and where none is asked for.
#[must_use]
pub fn blocker(client: &ManagedClient, shown: Option<&DestinationStatus>) -> Option<String> {
    let destination = destination(client)?;
    match shown {
        None => Some(format!("{} was not tried yet", destination.url)),
        Some(tried) if tried.fault.is_empty() => None,
        Some(tried) => Some(format!("{} takes no bundle: {}", destination.url, tried.fault)),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use serde_json::{Value, json};

    use super::*;

    fn client(destination: Value, status: Value) -> ManagedClient {
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": "acme"},
            "spec": {
                "displayName": "Acme", "contacts": {"vendorManager": {"name": "Jo", "email": "jo@acme.example"}},
                "accounts": [], "exit": {"recipients": ["age1"], "destination": destination},
            },
            "status": {"destination": status},
        }))
        .unwrap()
    }

    #[test]
    fn a_destination_is_tried_daily_and_at_once_when_it_changed_or_failed() {
        let at = |minutes: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
        let tried = |url: &str, fault: &str| json!({"destination": {"url": url}, "triedAt": at(0), "fault": fault});
        let (one, two) = (json!({"url": "s3://one"}), json!({"url": "s3://two", "secretName": "destination-two"}));
        for (why, destination, status, after, is_due) in [
            ("none is asked for", Value::Null, tried("s3://one", ""), 10_000, false),
            ("it was never tried", one.clone(), Value::Null, 0, true),
            ("it was tried today", one.clone(), tried("s3://one", ""), 1439, false),
            ("it was tried yesterday", one.clone(), tried("s3://one", ""), 1440, true),
            ("another was tried", two.clone(), tried("s3://one", ""), 1, true),
            ("its Secret changed", two, tried("s3://two", ""), 1, true),
            ("it failed just now", one.clone(), tried("s3://one", "no"), 9, false),
            ("it failed", one, tried("s3://one", "no"), 10, true),
        ] {
            assert_eq!(due(&client(destination, status), at(after)).is_some(), is_due, "{why}");
        }
    }

    #[test]
    fn before_the_contract_nothing_is_put_there() {
        let mut client = client(json!({"url": "s3://one"}), Value::Null);
        assert!(due(&client, Timestamp::UNIX_EPOCH).is_some() && destination(&client).is_some());
        client.spec.lifecycle = serde_json::from_value(json!({"stage": "Assessment"})).unwrap();
        assert!(due(&client, Timestamp::UNIX_EPOCH).is_none() && destination(&client).is_none());
        assert_eq!(blocker(&client, None), None, "and nobody waits for it");
    }

    #[test]
    fn only_a_destination_that_took_an_object_stands_in_nobody_s_way() {
        let one = client(json!({"url": "s3://one"}), Value::Null);
        let tried = |url: &str, fault: &str| DestinationStatus {
            destination: Destination { url: url.into(), secret_name: None },
            tried_at: Some(Time(Timestamp::UNIX_EPOCH)),
            fault: fault.into(),
        };
        for (why, tried, blocked) in [
            ("never tried", None, Some("was not tried yet")),
            ("another was tried", Some(tried("s3://two", "")), Some("was not tried yet")),
            ("it refused", Some(tried("s3://one", "AccessDenied")), Some("s3://one takes no bundle: AccessDenied")),
            ("it took an object", Some(tried("s3://one", "")), None),
        ] {
            let found = blocker(&one, shown(&one, tried.as_ref()).as_ref());
            assert_eq!(found.is_some(), blocked.is_some(), "{why}: {found:?}");
            assert!(found.unwrap_or_default().contains(blocked.unwrap_or_default()), "{why}");
        }
        let told = shown(&one, Some(&tried("s3://one", "no answer from https://key:hunter2hunter2@s3.example/one"))).unwrap();
        assert!(told.fault.contains("s3.example") && !told.fault.contains("hunter2"), "{told:?}");
        assert!(blocker(&client(Value::Null, Value::Null), None).is_none(), "none is asked for");
    }
}
