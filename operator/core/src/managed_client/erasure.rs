//! What becomes of a client's data after its exit: when it may be erased, which of it, and what the certificate says.

use caretaker_api::ManagedClient;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::exit_terms::{CertificateDelivery, DataStore, DispositionAction, ErasureStatus, StoreErasure};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::deadlines::erasable_from;
use super::{Observed, deadlines};
use crate::conditions::{ConditionSet, Is};
use crate::handover::ending::Ending;
use crate::ledger::Head;
use crate::ownership::Kind;

/// Every kind of data, in the order in which it is erased: bundles go last, so that a reader has them for longest.
pub const ORDER: [DataStore; 7] = [
    DataStore::Monitoring,
    DataStore::Incidents,
    DataStore::Inventories,
    DataStore::BackupEvidence,
    DataStore::ServiceLevels,
    DataStore::Bundles,
    DataStore::Ledger,
];

/// Why the ledger is kept where nothing else is said.
const LEDGER: &str = "it is the record of what was done in the client's clouds, and the proof that our access has ended";

/// What becomes of one kind of data: the action, and the reason where it is kept.
#[must_use]
pub fn disposition(client: &ManagedClient, store: DataStore) -> (DispositionAction, String) {
    let said = client.spec.exit.dispositions.iter().find(|said| said.store == store);
    match (said, store) {
        (Some(said), _) => (said.action, said.reason.clone()),
        (None, DataStore::Ledger) => (DispositionAction::Retain, LEDGER.into()),
        (None, DataStore::Monitoring | DataStore::Bundles) => (DispositionAction::Destroy, String::new()),
        (None, _) => (DispositionAction::Return, String::new()),
    }
}

/// Folder of a kind of data in the store, and the kind of object that shows it in the cluster.
#[must_use]
pub fn place(client: &ManagedClient, store: DataStore) -> (Option<String>, Option<Kind>) {
    let folder = |name: &str| Some(format!("clients/{}/{name}", client.name_any()));
    match store {
        DataStore::Inventories => (folder("inventory"), Some(Kind::CloudAccount)),
        DataStore::BackupEvidence => (folder("backups"), Some(Kind::BackupPolicy)),
        DataStore::ServiceLevels => (folder("service-levels"), Some(Kind::ServiceReport)),
        DataStore::Monitoring => (None, Some(Kind::MonitoringStack)),
        DataStore::Incidents => (folder("incidents"), Some(Kind::Incident)),
        DataStore::Bundles => (folder("handovers"), None),
        DataStore::Ledger => (folder("ledger"), None),
    }
}

/// What stands between a client's data and its erasure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The client has not left.
    NotLeft,
    /// The client can still fetch its bundle.
    Retrieval(Timestamp),
    /// An order keeps the data.
    Held,
    /// The proof of the exit is not at hand, with what is missing: what it proves must be certain before anything is destroyed.
    Unproved(&'static str),
    /// It is erased now.
    Due,
    /// Nothing is left to erase.
    Done,
}

/// Where a client stands.
#[must_use]
pub fn standing(client: &ManagedClient, observed: &Observed, now: Timestamp) -> Standing {
    let Some(from) = erasable_from(client, now) else { return Standing::NotLeft };
    if client.status.as_ref().is_some_and(|status| status.erasure.as_ref().is_some_and(|erasure| erasure.completed_at.is_some())) {
        return Standing::Done;
    }
    if client.spec.exit.legal_hold.is_some() {
        return Standing::Held;
    }
    if now < from {
        return Standing::Retrieval(from);
    }
    if observed.ending.as_ref().and_then(|ending| ending.finished_by()).is_none() {
        return Standing::Unproved(
            "the Handover that ended the contract is not in the cluster any more: apply it again from a copy, with its status",
        );
    }
    if observed.ledger.as_ref().is_none_or(|(_, faults)| !faults.is_empty()) {
        return Standing::Unproved("the ledger is not whole or cannot be read (see LedgerIntact): it proves the exit");
    }
    Standing::Due
}

/// The kinds of data that are to be erased now, in their order.
#[must_use]
fn due(client: &ManagedClient, standing: &Standing) -> Vec<DataStore> {
    if *standing != Standing::Due {
        return Vec::new();
    }
    let done = |store: DataStore| recorded(client, store).is_some_and(|known| known.erased_at.is_some());
    ORDER.into_iter().filter(|store| disposition(client, *store).0 != DispositionAction::Retain && !done(*store)).collect()
}

/// What a visit erases, and what the certificate says of the exit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erasing {
    /// The kinds of data, in their order.
    pub due: Vec<DataStore>,
    /// The proof of the exit.
    pub proof: Proof,
}

/// How it is known that the client has left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// How the exit ended.
    pub message: String,
    /// The end of the ledger.
    pub ledger: Head,
}

/// What is to be done now; `None` where nothing is.
#[must_use]
pub fn erasing(client: &ManagedClient, observed: &Observed, now: Timestamp) -> Option<Erasing> {
    let standing = standing(client, observed, now);
    let message = observed.ending.as_ref().map(Ending::of_all).unwrap_or_default();
    let ledger = observed.ledger.as_ref().map(|(head, _)| head.clone()).unwrap_or_default();
    (standing == Standing::Due).then(|| Erasing { due: due(client, &standing), proof: Proof { message, ledger } })
}

/// Addresses below the client's folder that belong to nothing that is kept: while there are any, all is not erased, whatever wrote them.
#[must_use]
pub fn left_over<'a>(client: &ManagedClient, addresses: &'a [String]) -> Vec<&'a str> {
    let kept = ORDER.into_iter().filter(|store| disposition(client, *store).0 == DispositionAction::Retain);
    let folders: Vec<String> =
        kept.filter_map(|store| place(client, store).0).chain([closing(client)]).map(|folder| folder + "/").collect();
    let is_kept = |address: &&String| folders.iter().any(|folder| address.starts_with(folder.as_str()));
    addresses.iter().filter(|address| !is_kept(address)).map(String::as_str).collect()
}

/// Folder of the certificates.
fn closing(client: &ManagedClient) -> String {
    format!("clients/{}/closing", client.name_any())
}

/// Address of the certificate.
#[must_use]
pub fn certificate_address(client: &ManagedClient) -> String {
    format!("{}/{}/certificate.json", closing(client), client.uid().unwrap_or_default())
}

/// What an earlier visit recorded of a kind of data.
#[must_use]
pub fn recorded(client: &ManagedClient, store: DataStore) -> Option<&StoreErasure> {
    client.status.as_ref()?.erasure.as_ref()?.stores.iter().find(|known| known.store == store)
}

/// Whether a kind of object is made no more: what it shows is erased, or is being erased.
#[must_use]
pub fn ends(client: &ManagedClient, standing: &Standing, kind: &str) -> bool {
    let is_of = |store: &DataStore| place(client, *store).1.is_some_and(|shown| shown.as_str() == kind);
    let Some(store) = ORDER.into_iter().find(is_of) else { return false };
    match standing {
        Standing::Due | Standing::Done => disposition(client, store).0 != DispositionAction::Retain,
        // A hold that comes while it is erased brings nothing back.
        _ => recorded(client, store).is_some_and(|known| known.erased_at.is_some()),
    }
}

/// A certificate that was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certified {
    /// Address in the store.
    pub address: String,
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// What came of bringing it to the client's own destination; `None` where there is none.
    pub delivery: Option<CertificateDelivery>,
}

/// What a visit did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Erased {
    /// What it came to for each kind of data that it touched.
    pub stores: Vec<StoreErasure>,
    /// The certificate, once all was erased.
    pub certificate: Option<Certified>,
    /// Why it does not go on.
    pub stopped: Option<String>,
}

/// The status, and the condition `DataErased`.
#[must_use]
pub fn settle(
    client: &ManagedClient,
    (standing, erased): (&Standing, &Erased),
    set: &mut ConditionSet,
    now: Timestamp,
) -> Option<ErasureStatus> {
    let mut status = client.status.as_ref().and_then(|status| status.erasure.clone()).unwrap_or_default();
    let Some(from) = erasable_from(client, now) else {
        set.set(ConditionType::DataErased, Is::False, Reason::NotRequested, "");
        return None;
    };
    // A hold that is lifted by a slip must be noticed before it is too late.
    status.announced_at = match standing {
        Standing::Held => None,
        _ => status.announced_at.or(Some(Time(now))),
    };
    status.due_at = Some(Time(from));
    if status.completed_at.is_none() {
        let stores = ORDER.into_iter().map(|store| {
            let (action, reason) = disposition(client, store);
            let known = erased.stores.iter().find(|known| known.store == store).or_else(|| recorded(client, store));
            let blank = StoreErasure { store, action, reason: String::new(), objects: 0, bytes: 0, erased_at: None };
            StoreErasure { action, reason, ..known.cloned().unwrap_or(blank) }
        });
        status.stores = stores.collect();
    }
    if let Some(Certified { address, sha256, delivery }) = &erased.certificate {
        (status.certificate, status.certificate_sha256) = (address.clone(), sha256.clone());
        status.certificate_delivery.clone_from(delivery);
        status.completed_at = Some(Time(now));
    }
    match &erased.stopped {
        Some(why) => set.set(ConditionType::DataErased, Is::False, Reason::Failed, format!("not all is erased yet: {why}")),
        None => {
            let (is, reason, message) = told(client, standing, &status);
            set.set(ConditionType::DataErased, is, reason, message);
        }
    }
    Some(status)
}

fn told(client: &ManagedClient, standing: &Standing, status: &ErasureStatus) -> (Is, Reason, String) {
    if status.completed_at.is_some() {
        let kept: Vec<String> = status
            .stores
            .iter()
            .filter(|store| store.action == DispositionAction::Retain)
            .map(|store| format!("{:?}", store.store))
            .collect();
        let kept = if kept.is_empty() { String::new() } else { format!("; kept for a stated reason: {}", kept.join(", ")) };
        let (name, sha256) = (&status.certificate, &status.certificate_sha256);
        let delivered = match &status.certificate_delivery {
            None => String::new(),
            Some(CertificateDelivery { to, fault }) if fault.is_empty() => format!("; the client has it in {to}"),
            Some(CertificateDelivery { to, fault }) => {
                let fetch = format!("kubectl caretaker closing {} --store URL --to FOLDER", client.name_any());
                format!("; {to} did not take it ({fault}): fetch it with {fetch} and hand it over another way")
            }
        };
        return (Is::True, Reason::Settled, format!("erased{kept}; certificate {name} with sha256 {sha256}{delivered}"));
    }
    match standing {
        Standing::NotLeft => (Is::False, Reason::NotRequested, String::new()),
        Standing::Retrieval(until) => {
            let until = until.strftime("%Y-%m-%d %H:%M UTC");
            (Is::False, Reason::RetrievalPeriod, format!("the client can fetch its bundle until {until}; its data is erased after that"))
        }
        Standing::Held => {
            let by = client.spec.exit.legal_hold.as_ref().map_or("", |hold| hold.by.as_str());
            (Is::False, Reason::LegalHold, format!("a legal hold of {by} stands: nothing is erased until spec.exit.legalHold is removed"))
        }
        Standing::Unproved(why) => (Is::False, Reason::ControlMissing, format!("nothing is erased: {why}")),
        Standing::Due | Standing::Done => (Is::False, Reason::Progressing, "the provider's copies are being erased".into()),
    }
}

/// Whether a hold keeps what would be removed for its age.
#[must_use]
pub fn is_held(client: &ManagedClient) -> bool {
    client.spec.exit.legal_hold.is_some()
}

/// When the next visit of a client that has left has something to do; `None` where nothing is due.
#[must_use]
pub fn next(standing: &Standing, now: Timestamp) -> Option<std::time::Duration> {
    match standing {
        Standing::Retrieval(until) => Some(until.duration_since(now).unsigned_abs()),
        Standing::Due => Some(std::time::Duration::from_secs(2)),
        // The visit that finds the exit ended writes so; the next one announces the erasure.
        Standing::NotLeft => Some(std::time::Duration::from_secs(1)),
        _ => None,
    }
}

/// The certificate.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// Always `caretaker-closing-certificate-1`.
    pub format: &'static str,
    /// Name of the ManagedClient, and its UID: a name can be used again.
    pub client: String,
    /// UID of the ManagedClient.
    pub client_uid: String,
    /// Name as people say it.
    pub display_name: String,
    /// Name of the ProviderProfile that signs.
    pub provider: String,
    /// The Handover that ended the contract.
    pub handover: String,
    /// How the exit ended, and by which proof.
    pub proof: String,
    /// When the client was handed over.
    pub handed_over_at: Option<Timestamp>,
    /// Until when the bundle could be fetched.
    pub retrieval_until: Option<Timestamp>,
    /// When the certificate was made.
    pub made_at: Timestamp,
    /// Each kind of data.
    pub stores: Vec<StoreErasure>,
    /// Number of segments of the ledger before the certificate, and the digest of the last.
    pub ledger: Head,
    /// By which method, and what it does not reach.
    pub method: &'static str,
}

const METHOD: &str = "objects were deleted through the interface of the store and of the cluster, and a listing afterwards showed none. What the storage \
                      service keeps by itself, such as versions, snapshots, replicas, volumes that their reclaim policy retains, and backups of the cluster, is not reached by this; media were not \
                      overwritten. The client's own clouds were not touched.";

/// The certificate of what a client's status records.
#[must_use]
pub fn certificate(client: &ManagedClient, proof: &Proof, stores: Vec<StoreErasure>, now: Timestamp) -> Certificate {
    Certificate {
        format: "caretaker-closing-certificate-1",
        client: client.name_any(),
        client_uid: client.uid().unwrap_or_default(),
        display_name: client.spec.display_name.clone(),
        provider: client.spec.provider_profile.clone(),
        handover: client.status.as_ref().and_then(|status| status.handed_over_by.clone()).unwrap_or_default(),
        proof: proof.message.clone(),
        handed_over_at: deadlines::handed_over_at(client),
        retrieval_until: erasable_from(client, now),
        made_at: now,
        stores,
        ledger: proof.ledger.clone(),
        method: METHOD,
    }
}

#[cfg(test)]
mod tests {
    use caretaker_api::Handover;
    use serde_json::{Value, json};

    use super::*;
    use crate::ledger::Broken;
    use crate::managed_client::{CONDITIONS, plan};

    fn client(exit: &Value, erasure: &Value) -> ManagedClient {
        let mut terms = json!({"recipients": ["age1"], "retrievalDays": 10});
        terms.as_object_mut().unwrap().extend(exit.as_object().unwrap().clone());
        let condition = json!({"type": "HandedOver", "status": "True", "reason": "HandedOver", "message": "", "lastTransitionTime": "2027-01-01T00:00:00Z"});
        let erasure = if erasure.is_null() { json!({"announcedAt": "2027-01-01T00:00:00Z"}) } else { erasure.clone() };
        let tiers = json!([{"name": "one", "afterMinutes": 0, "webhookUrl": "https://desk.example/alerts"}]);
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": "acme", "uid": "u"},
            "spec": {
                "displayName": "Acme", "contacts": {"vendorManager": {"name": "Jo", "email": "jo@x.example"}},
                "accounts": [{"name": "prod", "aws": {"accountId": "222222222222"}}], "monitoring": {"tiers": tiers}, "exit": terms,
            },
            "status": {"handedOverBy": "final", "conditions": [condition], "erasure": erasure},
        }))
        .unwrap()
    }

    fn seen(change: impl Fn(&mut Observed)) -> Observed {
        let condition = json!({"type": "HandedOver", "status": "True", "reason": "Settled", "message": "", "lastTransitionTime": "2027-01-01T00:00:00Z"});
        let handover: Handover = serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "Handover", "metadata": {"name": "final"}, "spec": {"mode": "Final"},
            "status": {"step": "Done", "conditions": [condition]},
        }))
        .unwrap();
        let ledger = Some((Head { number: 7, digest: "d".into() }, Vec::new()));
        let mut observed = Observed { ending: Ending::of(&[handover]), ledger, ..Observed::default() };
        change(&mut observed);
        observed
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    const OVER: &str = "2027-01-11T00:00:00Z";

    #[test]
    fn data_is_erased_only_once_all_that_keeps_it_has_gone() {
        let hold = json!({"legalHold": {"by": "court", "reason": "case 7"}});
        let none = json!({});
        type Change = fn(&mut Observed);
        let cases: [(&str, &Value, Value, &str, Change, &str); 7] = [
            ("the last second of retrieval", &none, Value::Null, "2027-01-10T23:59:59Z", |_| {}, "RetrievalPeriod"),
            ("it is over", &none, Value::Null, OVER, |_| {}, "Progressing"),
            ("a hold", &hold, Value::Null, OVER, |_| {}, "LegalHold"),
            ("the Handover is gone", &none, Value::Null, OVER, |seen| seen.ending = None, "ControlMissing"),
            ("the ledger cannot be read", &none, Value::Null, OVER, |seen| seen.ledger = None, "ControlMissing"),
            (
                "the ledger is broken",
                &none,
                Value::Null,
                OVER,
                |seen| seen.ledger = Some((Head::default(), vec![Broken::Shortened { known: 2, found: 1 }])),
                "ControlMissing",
            ),
            ("all is done", &hold, json!({"completedAt": OVER, "certificate": "c"}), OVER, |_| {}, "Settled"),
        ];
        for (why, exit, erasure, now, change, reason) in cases {
            let (client, seen, now) = (client(exit, &erasure), seen(change), at(now));
            let standing = standing(&client, &seen, now);
            let mut set = ConditionSet::new(&[], CONDITIONS, 1, now);
            let _ = settle(&client, (&standing, &Erased::default()), &mut set, now);
            assert_eq!(set.get(ConditionType::DataErased).unwrap().reason, reason, "{why}");
            assert_eq!(erasing(&client, &seen, now).is_some(), reason == "Progressing", "{why}");
        }
        let mut here = client(&none, &Value::Null);
        here.status.as_mut().unwrap().handed_over_by = None;
        assert_eq!(standing(&here, &seen(|_| {}), at(OVER)), Standing::NotLeft);
        // Nothing else wakes a client that has left.
        assert!(next(&Standing::NotLeft, at(OVER)).is_some_and(|after| after.as_secs() < 60));
        assert_eq!(next(&Standing::Done, at(OVER)), None);
    }

    #[test]
    fn what_was_not_announced_is_announced_for_a_week_first() {
        let long = |days: u32| client(&json!({"retrievalDays": days}), &json!({}));
        let (late, none) = ("2028-01-01T00:00:00Z", seen(|_| {}));
        let until = |client: &ManagedClient| match standing(client, &none, at(late)) {
            Standing::Retrieval(until) => until.to_string(),
            other => format!("{other:?}"),
        };
        assert_eq!(until(&long(30)), "2028-01-08T00:00:00Z", "it left a year ago, under an earlier release");
        assert_eq!(until(&long(2)), "2028-01-03T00:00:00Z");
        assert_eq!(until(&long(0)), "Due");
        let mut set = ConditionSet::new(&[], CONDITIONS, 1, at(late));
        let status = settle(&long(30), (&standing(&long(30), &none, at(late)), &Erased::default()), &mut set, at(late)).unwrap();
        assert_eq!(status.announced_at, Some(Time(at(late))));
        assert_eq!(set.get(ConditionType::DataErased).unwrap().reason, "RetrievalPeriod");
        // While a hold stands nothing is announced: the week begins when it is lifted.
        let held = client(&json!({"retrievalDays": 30, "legalHold": {"by": "court", "reason": "case 7"}}), &Value::Null);
        let status = settle(&held, (&standing(&held, &none, at(late)), &Erased::default()), &mut set, at(late)).unwrap();
        assert_eq!(status.announced_at, None);
    }

    #[test]
    fn what_nobody_knows_of_is_left_over() {
        let keep = json!({"dispositions": [{"store": "Inventories", "action": "Retain", "reason": "audit"}]});
        let addresses: Vec<String> = ["inventory/prod/x", "ledger/u/1", "closing/u/certificate.json", "ledgers/x", "later/y"]
            .map(|address| format!("clients/acme/{address}"))
            .into();
        assert_eq!(left_over(&client(&keep, &Value::Null), &addresses), ["clients/acme/ledgers/x", "clients/acme/later/y"]);
        assert_eq!(left_over(&client(&json!({}), &Value::Null), &addresses).len(), 3);
    }

    #[test]
    fn what_is_kept_stays_and_what_is_erased_is_made_no_more() {
        let keep = json!({"dispositions": [{"store": "Inventories", "action": "Retain", "reason": "audit"}]});
        let kinds = |exit: &Value, now: &str| {
            let made = plan(&client(exit, &Value::Null), &seen(|_| {}), at(now));
            ["CloudAccount", "MonitoringStack"].map(|kind| made.iter().any(|desired| desired.kind == kind))
        };
        assert_eq!(kinds(&json!({}), "2027-01-10T00:00:00Z"), [true, true]);
        assert_eq!(kinds(&json!({}), OVER), [false, false]);
        assert_eq!(kinds(&keep, OVER), [true, false]);
        let all = erasing(&client(&json!({}), &Value::Null), &seen(|_| {}), at(OVER)).unwrap().due;
        assert_eq!(
            all,
            [
                DataStore::Monitoring,
                DataStore::Incidents,
                DataStore::Inventories,
                DataStore::BackupEvidence,
                DataStore::ServiceLevels,
                DataStore::Bundles
            ]
        );
        assert!(!erasing(&client(&keep, &Value::Null), &seen(|_| {}), at(OVER)).unwrap().due.contains(&DataStore::Inventories));
        let begun = json!({"announcedAt": "2027-01-01T00:00:00Z", "stores": [{"store": "Monitoring", "action": "Destroy", "objects": 1, "erasedAt": OVER}]});
        let left = erasing(&client(&json!({}), &begun), &seen(|_| {}), at(OVER)).unwrap().due;
        assert!(!left.contains(&DataStore::Monitoring), "{left:?}");
        // A hold that comes in the middle brings back nothing and ends nothing more.
        let hold = json!({"legalHold": {"by": "court", "reason": "case 7"}});
        let made = plan(&client(&hold, &begun), &seen(|_| {}), at(OVER));
        assert_eq!(["CloudAccount", "MonitoringStack"].map(|kind| made.iter().any(|desired| desired.kind == kind)), [true, false]);
    }

    #[test]
    fn what_was_erased_before_a_failure_is_kept_and_the_failure_told() {
        let (client, now) = (client(&json!({}), &Value::Null), at(OVER));
        let metrics = StoreErasure {
            store: DataStore::Monitoring,
            action: DispositionAction::Destroy,
            reason: String::new(),
            objects: 1,
            bytes: 0,
            erased_at: Some(Time(now)),
        };
        let erased = Erased { stores: vec![metrics.clone()], certificate: None, stopped: Some("the store still has x".into()) };
        let mut set = ConditionSet::new(&[], CONDITIONS, 1, now);
        let status = settle(&client, (&Standing::Due, &erased), &mut set, now).unwrap();
        assert_eq!((status.stores.first(), status.completed_at), (Some(&metrics), None));
        let told = set.get(ConditionType::DataErased).unwrap();
        assert_eq!((told.status.as_str(), told.reason.as_str()), ("False", "Failed"));
        assert!(told.message.ends_with("the store still has x"), "{}", told.message);
    }

    #[test]
    fn what_came_of_bringing_the_certificate_is_told_and_nothing_waits_for_it() {
        let (client, now) = (client(&json!({}), &Value::Null), at(OVER));
        let to = || "s3://acme/in/certificate.json".to_owned();
        for (delivery, said) in [
            (None, "sha256 abc"),
            (Some(CertificateDelivery { to: to(), fault: String::new() }), "; the client has it in s3://acme/in/certificate.json"),
            (
                Some(CertificateDelivery { to: to(), fault: "NoSuchBucket".into() }),
                "(NoSuchBucket): fetch it with kubectl caretaker closing acme --store URL --to FOLDER and hand it over another way",
            ),
        ] {
            let certificate = Some(Certified { address: "c".into(), sha256: "abc".into(), delivery: delivery.clone() });
            let mut set = ConditionSet::new(&[], CONDITIONS, 1, now);
            let status = settle(&client, (&Standing::Due, &Erased { certificate, ..Erased::default() }), &mut set, now).unwrap();
            assert_eq!((status.completed_at, status.certificate_delivery), (Some(Time(now)), delivery));
            let told = set.get(ConditionType::DataErased).unwrap();
            assert_eq!(told.status, "True");
            assert!(told.message.ends_with(said), "{}", told.message);
        }
    }

    #[test]
    fn a_hold_keeps_inventories_from_their_age_too() {
        let days = |exit: &Value| {
            let made = plan(&client(exit, &Value::Null), &seen(|_| {}), at("2027-01-02T00:00:00Z"));
            made.iter().find(|desired| desired.kind == "CloudAccount").unwrap().body["spec"]["inventoryRetentionDays"].clone()
        };
        assert_eq!(days(&json!({"legalHold": {"by": "court", "reason": "case 7"}})), json!(3650));
        assert_ne!(days(&json!({})), json!(3650));
    }

    #[test]
    fn the_certificate_tells_each_kind_of_data_and_what_it_does_not_reach() {
        let client = client(&json!({}), &Value::Null);
        let proof = Proof { message: "handed over".into(), ledger: Head { number: 7, digest: "d".into() } };
        let store = StoreErasure {
            store: DataStore::Bundles,
            action: DispositionAction::Destroy,
            reason: String::new(),
            objects: 4,
            bytes: 9,
            erased_at: Some(Time(at(OVER))),
        };
        let told = serde_json::to_value(certificate(&client, &proof, vec![store], at(OVER))).unwrap();
        assert_eq!(told["stores"][0], json!({"store": "Bundles", "action": "Destroy", "objects": 4, "bytes": 9, "erasedAt": OVER}));
        assert_eq!((&told["clientUid"], &told["handover"], &told["proof"]), (&json!("u"), &json!("final"), &json!("handed over")));
        assert_eq!((&told["ledger"]["number"], &told["retrievalUntil"]), (&json!(7), &json!(OVER)));
        assert!(told["method"].as_str().unwrap().contains("versions, snapshots"));
    }
}
