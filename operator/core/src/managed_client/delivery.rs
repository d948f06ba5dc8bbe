//! What the delivery model comes to: who decides in each domain, what waits for the client, and an emergency.

use std::time::Duration;

use caretaker_api::ManagedClient;
use caretaker_api::cloud_account::Capability;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::contract::{DeliveryModel, DeliveryStatus, DomainStatus};
use caretaker_api::managed_client::ManagedClientSpec;
use caretaker_api::words::ChangeState;
use jiff::Timestamp;
use kube::ResourceExt;

use super::Observed;
use crate::conditions::{ConditionSet, Is};
use crate::contract::emergency::{self, Told};
use crate::contract::{Verdict, WRITTEN, verdict};
use crate::ledger::Decision;
use crate::outcome::Fault;

/// Changes that a message names.
const NAMED: usize = 3;

/// Faults that admission refuses too; a definition in the cluster can be older than this release.
#[must_use]
pub fn faults(spec: &ManagedClientSpec) -> Vec<Fault> {
    let mut faults = Vec::new();
    if spec.delivery_model == DeliveryModel::StaffAugmentation {
        if spec.service_levels.is_some() {
            let message = "staff augmentation is no managed service and has neither service levels nor credits: remove them, or choose another deliveryModel";
            faults.push(Fault::spec("spec.serviceLevels", message));
        }
        for (index, account) in spec.accounts.iter().enumerate() {
            if account.allow.iter().any(|capability| *capability != Capability::Revoke) {
                let message = "with staff augmentation the operator only observes: allow nothing but Revoke";
                faults.push(Fault::spec(format!("spec.accounts[{index}].allow"), message));
            }
        }
    }
    if spec.delivery_model != DeliveryModel::CoManaged && !spec.domains.is_empty() {
        faults.push(Fault::spec("spec.domains", "an authority for each domain belongs to deliveryModel CoManaged"));
    }
    faults
}

/// The answer in each domain now.
fn domains(client: &ManagedClient, now: Timestamp) -> Vec<DomainStatus> {
    WRITTEN.into_iter().map(|domain| verdict(&client.spec, domain, now).shown(domain)).collect()
}

/// Whether another answer holds in a domain than the status shows: those who write are to know.
#[must_use]
pub fn turned(client: &ManagedClient, _observed: &Observed, now: Timestamp) -> bool {
    let shown = client.status.as_ref().and_then(|status| status.delivery.as_ref());
    shown.is_none_or(|shown| shown.domains != domains(client, now))
}

/// What the ledger is to be told of emergencies. Nothing while the store does not answer: it is told at the next visit,
/// and before the first write under it in any case.
#[must_use]
pub fn owed(client: &ManagedClient, observed: &Observed, now: Timestamp) -> Vec<Decision> {
    let none = Told::new();
    let last = client.status.as_ref().and_then(|status| status.delivery.as_ref()?.break_glass.as_ref());
    match &observed.decided {
        Some(told) => emergency::owed(client.spec.break_glass.as_ref(), last, told, now),
        None => emergency::owed(None, None, &none, now),
    }
}

/// The status, the condition, and when another answer will hold.
pub(super) fn settle(
    client: &ManagedClient,
    (observed, has_ended): (&Observed, bool),
    set: &mut ConditionSet,
    now: Timestamp,
) -> (DeliveryStatus, Option<Duration>) {
    let state = |change: &&caretaker_api::ChangeRequest| change.status.as_ref().map(|status| status.state).unwrap_or_default();
    let open = observed.changes.iter().filter(|change| state(change) == ChangeState::Proposed);
    let waiting: Vec<String> = open.map(ResourceExt::name_any).collect();
    let last = client.status.as_ref().and_then(|status| status.delivery.as_ref()?.break_glass.as_ref());
    let declared = client.spec.break_glass.as_ref();
    let glass = emergency::shown(declared, last, now);
    let (is, reason, message) = told(client, &waiting, now);
    set.set(ConditionType::ChangesDecided, is, reason, message);
    if has_ended || observed.ending.is_some() {
        set.set(ConditionType::ChangesDecided, Is::Unknown, Reason::HandedOver, "our access has ended: nothing is written any more");
    }
    let count = u32::try_from(waiting.len()).unwrap_or(u32::MAX);
    (DeliveryStatus { domains: domains(client, now), break_glass: glass, waiting: count }, emergency::next(declared, now))
}

fn told(client: &ManagedClient, waiting: &[String], now: Timestamp) -> (Is, Reason, String) {
    for domain in WRITTEN {
        if let verdict @ Verdict::Emergency(_) = verdict(&client.spec, domain, now) {
            return (Is::False, Reason::BreakGlass, format!("{}: {}", domain.as_str(), verdict.shown(domain).because));
        }
    }
    if !waiting.is_empty() {
        let named = waiting.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if waiting.len() > NAMED { format!(" and {} more", waiting.len() - NAMED) } else { String::new() };
        let message = format!("waits for the client's yes: {named}{more}; see kubectl caretaker changes {}", client.name_any());
        return (Is::False, Reason::WaitingForApproval, message);
    }
    match client.spec.delivery_model {
        DeliveryModel::FullyManaged => (Is::True, Reason::Settled, "fully managed: the provider decides what is written".into()),
        DeliveryModel::CoManaged => (Is::True, Reason::Settled, "no write waits for the client's yes".into()),
        DeliveryModel::StaffAugmentation => {
            let message = "staff augmentation is no managed service: the operator observes and writes nothing, and there are no service levels and no credits";
            (Is::True, Reason::ObserveOnly, message.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn client(more: Value) -> ManagedClient {
        let mut object = json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": "acme", "generation": 1},
            "spec": {
                "displayName": "Acme", "contacts": {"vendorManager": {"name": "Jo", "email": "jo@x.example"}},
                "accounts": [{"name": "prod", "aws": {"accountId": "200000000001"}, "allow": ["Revoke"]}], "exit": {"recipients": ["age1"]},
            },
        });
        object["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(object).unwrap()
    }

    fn changes(states: &[ChangeState]) -> Observed {
        let made = |(number, state): (usize, &ChangeState)| {
            let spec = json!({"domain": "Backup", "policy": "main", "accounts": [], "reach": {"steps": 1}, "digest": "d", "expiresAt": "2026-01-01T00:00:00Z"});
            serde_json::from_value(json!({
                "apiVersion": "caretaker.dev/v1alpha1", "kind": "ChangeRequest", "metadata": {"name": format!("main-{number}")}, "spec": spec,
                "status": {"state": state.as_str()},
            }))
            .unwrap()
        };
        Observed { changes: states.iter().enumerate().map(made).collect(), ..Observed::default() }
    }

    #[test]
    fn the_condition_says_what_waits_and_what_was_broken() {
        let joint = json!({"deliveryModel": "CoManaged"});
        let glass = json!({
            "deliveryModel": "CoManaged",
            "breakGlass": {"by": "Jo", "reason": "ransom", "from": "2026-01-01T10:00:00Z", "until": "2026-01-01T12:00:00Z"},
        });
        let open = [ChangeState::Proposed, ChangeState::Applied];
        for (why, more, states, is, reason, part) in [
            ("nothing is said", json!({}), &[][..], "True", "Settled", "fully managed"),
            ("nothing waits", joint.clone(), &[ChangeState::Applied][..], "True", "Settled", "no write waits"),
            ("one waits", joint, &open[..], "False", "WaitingForApproval", "main-0; see"),
            ("an emergency comes first", glass, &open[..], "False", "BreakGlass", "declared by Jo: ransom"),
            ("staff", json!({"deliveryModel": "StaffAugmentation"}), &[][..], "True", "ObserveOnly", "no managed service"),
        ] {
            let now = "2026-01-01T11:00:00Z".parse().unwrap();
            let mut set = ConditionSet::new(&[], super::super::CONDITIONS, 1, now);
            let (status, _) = settle(&client(more.clone()), (&changes(states), false), &mut set, now);
            let condition = set.get(ConditionType::ChangesDecided).unwrap();
            assert_eq!((condition.status.as_str(), condition.reason.as_str()), (is, reason), "{why}");
            assert!(condition.message.contains(part), "{why}: {}", condition.message);
            settle(&client(more), (&changes(states), true), &mut set, now);
            let after = set.get(ConditionType::ChangesDecided).unwrap();
            assert_eq!((after.status.as_str(), after.reason.as_str()), ("Unknown", "HandedOver"), "{why}: after the exit");
            assert_eq!(status.waiting as usize, states.iter().filter(|state| **state == ChangeState::Proposed).count(), "{why}");
        }
    }

    #[test]
    fn staff_augmentation_has_no_levels_and_allows_no_write() {
        let field = |more: Value| faults(&client(more).spec).into_iter().map(|fault| fault.field).collect::<Vec<_>>();
        let staff = |more: Value| {
            let mut spec = json!({"deliveryModel": "StaffAugmentation"});
            spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            spec
        };
        let levels =
            json!({"serviceLevels": {"zone": "UTC", "objectives": [{"name": "web", "target": "99.9", "uptime": {"source": "Machines"}}]}});
        let writing = json!({"accounts": [{"name": "prod", "aws": {"accountId": "200000000001"}, "allow": ["Revoke", "Backup"]}]});
        assert_eq!(field(staff(json!({}))), [""; 0]);
        assert_eq!(field(staff(levels.clone())), ["spec.serviceLevels"]);
        assert_eq!(field(staff(writing.clone())), ["spec.accounts[0].allow"]);
        assert_eq!(field(json!({"domains": [{"name": "Backup", "authority": "Client"}]})), ["spec.domains"]);
        assert_eq!((field(levels), field(writing)), (vec![], vec![]), "what is no fault elsewhere");
    }
}
