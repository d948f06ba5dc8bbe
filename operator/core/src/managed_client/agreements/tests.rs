use serde_json::{Value, json};

use super::*;

fn client(data: &Value, agreements: &Value) -> ManagedClient {
    serde_json::from_value(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": "acme"},
        "spec": {
            "displayName": "Acme", "contacts": {"vendorManager": {"name": "Jo", "email": "jo@acme.example"}},
            "accounts": [], "exit": {"recipients": ["age1"], "contract": {"zone": "Europe/Zurich"}},
            "regulatedData": data, "agreements": agreements,
        },
    }))
    .unwrap()
}

fn one(kind: &str, reference: &str, from: &str, to: &str) -> Value {
    json!({"kind": kind, "party": "Provider", "reference": reference, "signedOn": from, "expiresOn": to})
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// F19: 45 CFR 164.504(e), GDPR Article 28(3), DFARS 252.204-7012(m), PCI DSS 12.8.2 and 12.9.1.
#[test]
fn regulated_data_needs_its_own_agreement_in_force() {
    let (phi, all) = (json!(["PHI"]), json!(["PHI", "PersonalData", "CUI", "CardData"]));
    let baa = |from: &str, to: &str| json!([one("BAA", "B-1", from, to)]);
    let noon = "2026-06-15T12:00:00Z";
    for (why, data, agreements, now, expected) in [
        ("nothing is regulated", json!([]), json!([]), noon, vec![]),
        ("none is recorded", phi.clone(), json!([]), noon, vec!["none is recorded"]),
        ("one of another kind", phi.clone(), json!([one("NDA", "N-1", "2026-01-01", "")]), noon, vec!["none is recorded"]),
        ("it never ends", phi.clone(), baa("2026-01-01", ""), noon, vec![]),
        ("its last day", phi.clone(), baa("2026-01-01", "2026-06-15"), noon, vec![]),
        ("its last minute, in the contract's zone", phi.clone(), baa("2026-01-01", "2026-06-15"), "2026-06-15T21:59:59Z", vec![]),
        ("the day after, there", phi.clone(), baa("2026-01-01", "2026-06-15"), "2026-06-15T22:00:00Z", vec!["expired on 2026-06-15"]),
        ("signed for a later day", phi.clone(), baa("2026-07-01", ""), noon, vec!["holds from 2026-07-01 on"]),
        (
            "an old and a new one",
            phi,
            json!([one("BAA", "B-1", "2025-01-01", "2025-12-31"), one("BAA", "B-2", "2026-01-01", "")]),
            noon,
            vec![],
        ),
        ("each needs its own", all.clone(), baa("2026-01-01", ""), noon, vec!["no DPA", "no FlowDown", "no CardDataDuties"]),
        (
            "all are there",
            all,
            json!([
                one("BAA", "1", "2026-01-01", ""),
                one("DPA", "2", "2026-01-01", ""),
                one("FlowDown", "3", "2026-01-01", ""),
                one("CardDataDuties", "4", "2026-01-01", "")
            ]),
            noon,
            vec![],
        ),
    ] {
        let client = client(&data, &agreements);
        let found = missing(&client.spec, at(now));
        assert_eq!(found.len(), expected.len(), "{why}: {found:?}");
        for (found, expected) in found.iter().zip(&expected) {
            assert!(found.contains(expected), "{why}: {found}");
        }
        let mut set = ConditionSet::new(&[], &[ConditionType::AgreementsInForce], 1, at(now));
        condition(&mut set, &client.spec, at(now));
        let told = set.get(ConditionType::AgreementsInForce).unwrap();
        let is = match (client.spec.regulated_data.is_empty(), expected.is_empty()) {
            (true, _) => ("Unknown", "NotRequested"),
            (false, true) => ("True", "Settled"),
            (false, false) => ("False", "AgreementMissing"),
        };
        assert_eq!((told.status.as_str(), told.reason.as_str()), is, "{why}");
    }
}

#[test]
fn what_expires_is_a_deadline_that_warns_and_is_met_by_what_follows_it() {
    use DeadlineState::{Met, Missed, Near, Pending};
    let old = || one("Insurance", "I-1", "2025-07-01", "2026-06-30");
    let next = |from: &str, to: &str| json!([old(), one("Insurance", "I-2", from, to)]);
    let mut theirs = one("Insurance", "I-3", "2026-07-01", "");
    theirs["party"] = json!("Client");
    for (why, agreements, now, state) in [
        ("far away", json!([old()]), "2026-05-31T21:59:00Z", Pending),
        ("30 days before", json!([old()]), "2026-05-31T22:00:01Z", Near),
        ("its last second", json!([old()]), "2026-06-30T21:59:59Z", Near),
        ("over", json!([old()]), "2026-06-30T22:00:00Z", Missed),
        ("renewed from the next day on", next("2026-07-01", "2027-06-30"), "2026-07-05T00:00:00Z", Met),
        ("renewed with a day between", next("2026-07-02", ""), "2026-07-05T00:00:00Z", Missed),
        ("renewed before its end", next("2026-06-01", ""), "2026-06-10T00:00:00Z", Met),
        ("another one that ends no later", next("2026-01-01", "2026-06-30"), "2026-06-10T00:00:00Z", Near),
        ("the other side's", json!([old(), theirs]), "2026-07-05T00:00:00Z", Missed),
    ] {
        let found = deadlines(&client(&json!([]), &agreements), at(now));
        let first = found.iter().find(|deadline| deadline.message.contains("I-1")).unwrap();
        assert_eq!((first.kind, first.state), (DeadlineKind::Agreement, state), "{why}");
        assert_eq!(first.at.0, at("2026-06-30T22:00:00Z"), "{why}: the day ends in the contract's zone");
    }
    assert!(deadlines(&client(&json!([]), &json!([one("NDA", "N", "2026-01-01", "")])), at("2026-01-01T00:00:00Z")).is_empty());
    let phi = deadlines(&client(&json!(["PHI"]), &json!([one("BAA", "B", "2026-01-01", "2026-12-31")])), at("2026-01-01T00:00:00Z"));
    assert!(phi[0].message.contains("45 CFR 164.504(e)"), "{}", phi[0].message);
}

#[test]
fn days_that_cannot_be_are_faults() {
    for (why, agreement, fields) in [
        ("well", one("NDA", "N", "2026-01-01", "2026-01-01"), vec![]),
        ("no such day", one("NDA", "N", "2026-02-30", ""), vec!["spec.agreements[0].signedOn"]),
        ("no such end", one("NDA", "N", "2026-01-01", "2026-04-31"), vec!["spec.agreements[0].expiresOn"]),
        ("backwards", one("NDA", "N", "2026-02-01", "2026-01-01"), vec!["spec.agreements[0].expiresOn"]),
    ] {
        let found: Vec<String> = faults(&client(&json!([]), &json!([agreement])).spec).into_iter().map(|fault| fault.field).collect();
        assert_eq!(found, fields, "{why}");
    }
}
