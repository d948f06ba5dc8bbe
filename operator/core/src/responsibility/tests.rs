use std::collections::{BTreeMap, BTreeSet};

use caretaker_api::condition::{ConditionType, Reason};
use serde_json::{Value, json};

use super::*;
use crate::conditions::{ConditionSet, Is};
use crate::handover::parts::responsibility as part;

const NOW: &str = "2026-11-29T12:00:00Z";

fn client(more: Value) -> ManagedClient {
    let mut object = json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": "acme", "uid": "u-1", "generation": 1},
        "spec": {
            "displayName": "Acme", "contacts": {"vendorManager": {"name": "Jo", "email": "jo@x.example"}},
            "accounts": [{"name": "prod", "aws": {"accountId": "200000000001"}}], "exit": {"recipients": ["age1"]},
            "compliance": {"frameworks": Framework::ALL},
        },
    });
    object["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(object).unwrap()
}

fn with_overrides(overrides: &Value) -> ManagedClient {
    client(json!({"compliance": {"frameworks": Framework::ALL, "overrides": overrides}}))
}

fn given(framework: &str, control: &str, responsible: &str, note: &str) -> Value {
    json!({"framework": framework, "control": control, "responsible": responsible, "note": note})
}

fn everything() -> Held {
    Held::of(Evidence::ALL)
}

/// Each way to share the work.
fn models() -> Vec<(&'static str, Value)> {
    let domains = json!([{"name": "Backup", "authority": "Joint"}, {"name": "Network", "authority": "Client"}, {"name": "Security", "authority": "Provider"}]);
    vec![
        ("fully managed", json!({})),
        ("co-managed", json!({"deliveryModel": "CoManaged"})),
        ("co-managed by domain", json!({"deliveryModel": "CoManaged", "domains": domains})),
        ("staff", json!({"deliveryModel": "StaffAugmentation"})),
        ("assessment", json!({"lifecycle": {"stage": "Assessment"}})),
    ]
}

/// The public figures, see `lists`. By family or chapter, so that a line that moved is seen, too.
#[test]
fn each_list_has_as_many_controls_as_its_framework() {
    let by = |framework: Framework, part: fn(&str) -> String| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for control in &lists::of(framework).controls {
            *counts.entry(part(control.id)).or_default() += 1;
        }
        counts.into_iter().map(|(part, count)| format!("{part}:{count}")).collect::<Vec<_>>().join(" ")
    };
    let head = |id: &str| id.split(['-', '.']).next().unwrap().to_owned();
    for framework in Framework::ALL {
        let list = lists::of(framework);
        assert_eq!(list.framework, framework);
        let ids: BTreeSet<&str> = list.controls.iter().map(|control| control.id).collect();
        assert_eq!(ids.len(), list.controls.len(), "{framework:?}: one twice");
        assert!(list.controls.iter().all(|control| !control.label.trim().is_empty() && !control.split.is_empty()), "{framework:?}");
    }
    let count = |framework: Framework| lists::of(framework).controls.len();
    assert_eq!(Framework::ALL.map(count), [106, 110, 70, 70, 181]);
    assert_eq!(by(Framework::NistCsf2, head), "DE:11 GV:31 ID:21 PR:22 RC:8 RS:13");
    let categories: BTreeSet<&str> = lists::of(Framework::NistCsf2).controls.iter().map(|control| &control.id[..5]).collect();
    assert_eq!(categories.len(), 22);
    let family = |id: &str| id.rsplit_once('.').unwrap().0.to_owned();
    let families = "3.1:22 3.10:6 3.11:3 3.12:4 3.13:16 3.14:7 3.2:3 3.3:9 3.4:9 3.5:11 3.6:3 3.7:6 3.8:9 3.9:2";
    assert_eq!(by(Framework::Nist800171, family), families);
    let chapters = "1:5 10:7 11:6 12:17 2:3 3:7 4:2 5:4 6:5 7:3 8:6 9:5";
    assert_eq!(by(Framework::PciDss4, head), chapters, "12 has ten, and the seven of 12.8 and 12.9");
    let section = |id: &str| id[..7].to_owned();
    assert_eq!(by(Framework::Hipaa, section), "164.308:30 164.310:12 164.312:12 164.314:11 164.316:5");
    let fedramp = "AC:17 AT:4 AU:11 CA:8 CM:12 CP:9 IA:10 IR:9 MA:6 MP:7 PE:16 PL:6 PS:9 RA:6 SA:11 SC:19 SI:12 SR:9";
    assert_eq!(by(Framework::FedRampRev5, head), fedramp);
}

/// Each word of every output, whatever the model is and whatever is held.
#[test]
fn no_cell_is_empty_the_client_is_accountable_and_nobody_is_called_compliant() {
    for (why, more) in models() {
        let client = client(more);
        for held in [everything(), Held::default()] {
            let matrices = compile(&client.spec, &held);
            assert_eq!(matrices.len(), 5, "{why}");
            for row in part::json(&client.spec, &matrices) {
                let cells = row.as_object().unwrap();
                assert!(cells.values().all(|cell| cell.as_str().is_some_and(|text| !text.trim().is_empty())), "{why}: {row}");
                assert_eq!(row["accountable"].as_str().unwrap().to_lowercase(), "client", "{why}: {row}");
            }
            let mut texts = vec![part::sheet(&client.spec, &matrices), oscal::document(&client, None, &matrices).to_string()];
            texts.extend(sheet::pci(&client, &matrices, NOW.parse().unwrap()));
            texts.push(serde_json::to_string(&part::json(&client.spec, &matrices)).unwrap());
            for text in &texts {
                let words = text.split(|c: char| !c.is_alphabetic()).map(str::to_lowercase);
                let bad: Vec<String> = words.filter(|word| word.starts_with("complian") || word == "certified").collect();
                assert_eq!(bad, [""; 0], "{why}");
                assert!(!text.contains(",,") && !text.contains(",\"\""), "{why}: an empty cell");
            }
        }
    }
}

#[test]
fn the_model_and_the_domain_say_who_does_it() {
    let cell = |more: Value, framework: Framework, id: &str| {
        let client = client(more);
        let row = of(&client.spec, framework, &everything()).rows.into_iter().find(|row| row.control == id).unwrap();
        (row.responsible, row.done_by(), row.decides, row.after_the_exit)
    };
    let all = models();
    let model = |why: &str| all.iter().find(|(name, _)| *name == why).unwrap().1.clone();
    let (backup, network, own, premises) = ("PR.DS-11", "PR.IR-01", "GV.RM-01", "PE-13");
    use Responsible::{Client, Cloud, Joint, Provider};
    for (why, framework, id, responsible, parties, decides, after) in [
        ("fully managed", Framework::NistCsf2, backup, Provider, "provider", "provider", "client"),
        ("fully managed", Framework::NistCsf2, own, Client, "client", "client", "client"),
        ("fully managed", Framework::FedRampRev5, premises, Cloud, "cloud", "client", "cloud"),
        ("fully managed", Framework::FedRampRev5, "CP-6", Joint, "provider and cloud", "provider", "client and cloud"),
        ("fully managed", Framework::PciDss4, "12.9.2", Provider, "provider", "client", "client"),
        ("co-managed", Framework::NistCsf2, network, Joint, "provider and client", "provider and client", "client"),
        ("co-managed by domain", Framework::NistCsf2, backup, Joint, "provider and client", "provider and client", "client"),
        ("co-managed by domain", Framework::NistCsf2, network, Client, "client", "client", "client"),
        ("co-managed by domain", Framework::NistCsf2, "DE.AE-02", Provider, "provider", "provider", "client"),
        ("staff", Framework::NistCsf2, backup, Client, "client", "client", "client"),
        ("staff", Framework::PciDss4, "12.9.2", Client, "client", "client", "client"),
        ("staff", Framework::FedRampRev5, "CP-6", Joint, "client and cloud", "client", "client and cloud"),
        ("assessment", Framework::NistCsf2, backup, Client, "client", "client", "client"),
    ] {
        let told = cell(model(why), framework, id);
        assert_eq!((told.0, told.1.as_str(), told.2, told.3.as_str()), (responsible, parties, decides, after), "{why}: {id}");
    }
    for why in ["staff", "assessment"] {
        let matrices = compile(&client(model(why)).spec, &everything());
        assert!(matrices.iter().flat_map(|matrix| &matrix.rows).all(|row| !row.parties.contains(&lists::Party::Provider)), "{why}");
    }
}

#[test]
fn an_override_comes_before_all_else_and_only_what_is_held_is_evidence() {
    let client = with_overrides(&json!([given("PciDss4", "10.2", "Client", " the client's own log service, api_key=hunter2hunter2 ")]));
    let rows = |held: &Held| compile(&client.spec, held)[2].rows.clone();
    let row = rows(&everything()).into_iter().find(|row| row.control == "10.2").unwrap();
    assert_eq!((row.responsible, row.by.as_str()), (Responsible::Client, "override in spec.compliance"));
    assert!(row.note.starts_with("the client's own") && !row.note.contains("hunter2") && !row.note.ends_with(' '), "{}", row.note);
    assert_eq!(row.evidence, "08-changes/ledger.ndjson");
    let without = rows(&Held::of([Evidence::Backup])).into_iter().find(|row| row.control == "10.2").unwrap();
    assert_eq!(without.evidence, NO_EVIDENCE);
}

#[test]
fn what_is_on_no_list_is_refused_with_what_is_most_like_it() {
    let told = |client: &ManagedClient| terms::faults(client).into_iter().map(|fault| (fault.field, fault.message)).collect::<Vec<_>>();
    for (framework, id, near) in [
        ("PciDss4", "8.3.6", "8.3"),
        ("FedRampRev5", "AC-02", "AC-2"),
        ("FedRampRev5", "ac-2.1", "AC-2"),
        ("FedRampRev5", "AC-2(1)", "AC-2"),
        ("NistCsf2", "PR.DS-3", "PR.DS-"),
        ("Nist800171", "03.01.01", "3.1.1"),
        ("Hipaa", "164.308(a)(7)(ii)(F)", "164.308(a)(7)(ii)(A)"),
    ] {
        let faults = told(&with_overrides(&json!([given(framework, id, "Client", "x")])));
        assert_eq!(faults.len(), 1, "{id}: {faults:?}");
        assert_eq!(faults[0].0, "spec.compliance.overrides[0].control");
        let listed = faults[0].1.split("most like it are ").nth(1).unwrap();
        assert!(listed.starts_with(near), "{id}: {}", faults[0].1);
    }
    let twice = with_overrides(&json!([given("PciDss4", "8.3", "Client", "x"), given("PciDss4", "8.3", "Provider", "y")]));
    assert_eq!(told(&twice).into_iter().map(|fault| fault.0).collect::<Vec<_>>(), ["spec.compliance.overrides[1].control"]);
    let mut other = with_overrides(&json!([given("PciDss4", "8.3", "Client", "x")]));
    other.spec.compliance.as_mut().unwrap().frameworks = vec![Framework::Hipaa];
    assert_eq!(told(&other)[0].0, "spec.compliance.overrides[0].framework");
    let mut staff = with_overrides(&json!([given("PciDss4", "8.3", "Joint", "x")]));
    staff.spec.delivery_model = DeliveryModel::StaffAugmentation;
    assert_eq!(told(&staff)[0].0, "spec.compliance.overrides[0].responsible");
    assert_eq!(told(&with_overrides(&json!([given("Hipaa", "164.312(b)", "Joint", "x")]))), []);
}

#[test]
fn an_override_that_a_release_drops_is_void_and_stops_nothing() {
    let settle = |client: &ManagedClient, now: &str| {
        let now = now.parse().unwrap();
        let mut set = ConditionSet::new(&[], crate::managed_client::CONDITIONS, 1, now);
        let status = terms::settle(client, &mut set, now);
        let condition = set.get(ConditionType::ResponsibilityAssigned).unwrap().clone();
        (status, condition.status, condition.reason, condition.message)
    };
    let mut client = with_overrides(&json!([given("PciDss4", "12.11", "Client", "x"), given("PciDss4", "8.3", "Client", "x")]));
    assert_eq!(terms::faults(&client).len(), 1, "it never held");
    let status = json!({"responsibility": {"overrides": ["PciDss4 12.11", "PciDss4 8.3"], "digest": "d"}});
    client.status = Some(serde_json::from_value(status).unwrap());
    assert_eq!(terms::faults(&client), [], "it held under an earlier list");
    let (status, is, reason, message) = settle(&client, NOW);
    assert_eq!((is.as_str(), reason.as_str()), ("False", "OverrideVoid"));
    assert!(message.contains("no 12.11 in this release") && message.contains("12.1"), "{message}");
    let status = status.unwrap();
    assert_eq!(status.overrides, ["PciDss4 12.11", "PciDss4 8.3"], "it is not refused at the next visit either");
    let pci = &status.frameworks[2];
    assert_eq!((pci.controls, pci.provider + pci.client + pci.cloud + pci.joint), (70, 70));

    // The time moves with who does what, and with nothing else.
    client.status.as_mut().unwrap().responsibility = Some(status.clone());
    let again = settle(&client, "2026-12-01T00:00:00Z").0.unwrap();
    assert_eq!(again, status);
    client.spec.compliance.as_mut().unwrap().overrides.remove(0);
    let (taken_out, is, _, message) = settle(&client, "2026-12-01T00:00:00Z");
    assert_eq!((taken_out.unwrap().changed_at, is.as_str()), (status.changed_at.clone(), "True"), "a void one changed nothing: {message}");
    client.spec.compliance.as_mut().unwrap().overrides.clear();
    assert_ne!(settle(&client, "2026-12-01T00:00:00Z").0.unwrap().changed_at, status.changed_at);
    client.spec.compliance = None;
    let (none, is, reason, _) = settle(&client, NOW);
    assert_eq!((none, is.as_str(), reason.as_str()), (None, "Unknown", "NotRequested"));
}

#[test]
fn of_a_client_that_has_left_nobody_is_said_to_do_anything() {
    let mut client = with_overrides(&json!([]));
    let now = NOW.parse().unwrap();
    let settle = |client: &ManagedClient, is_over: bool| {
        let mut set = ConditionSet::new(&[], crate::managed_client::CONDITIONS, 1, now);
        set.set(ConditionType::HandedOver, if is_over { Is::True } else { Is::False }, Reason::HandedOver, "");
        let status = terms::settle(client, &mut set, now);
        (status, set.get(ConditionType::ResponsibilityAssigned).unwrap().status.clone())
    };
    let (status, is) = settle(&client, false);
    assert_eq!(is, "True");
    client.status = Some(serde_json::from_value(json!({"responsibility": status})).unwrap());
    assert_eq!(settle(&client, true), (status, "Unknown".to_owned()), "the counts stay as they were");
}

/// A cell is data in every spreadsheet. Source: <https://owasp.org/www-community/attacks/CSV_Injection>.
#[test]
fn no_cell_of_a_table_is_a_formula() {
    let client = with_overrides(&json!([given("PciDss4", "12.10", "Client", "=1+1")]));
    let matrices = compile(&client.spec, &everything());
    for text in [part::sheet(&client.spec, &matrices), sheet::pci(&client, &matrices, NOW.parse().unwrap()).unwrap()] {
        assert!(text.ends_with("\r\n"), "RFC 4180, 2.1");
        for record in csv::Reader::from_reader(text.as_bytes()).records() {
            let record = record.unwrap();
            assert!(record.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@'])), "{record:?}");
        }
        assert!(text.contains("PCI DSS 4.0 12.10,12.10,"), "12.10 is text in the first column, whatever becomes of the second");
    }
}

#[test]
fn of_pci_each_requirement_has_who_manages_it_and_the_acknowledgement() {
    let agreement = json!([{"kind": "CardDataDuties", "party": "Provider", "reference": "C-7", "signedOn": "2026-01-01"}]);
    let client = client(json!({"agreements": agreement}));
    let text = sheet::pci(&client, &compile(&client.spec, &everything()), NOW.parse().unwrap()).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 70);
    assert!(rows.iter().all(|row| [&row[3], &row[4], &row[5]].contains(&"yes") && &row[7] == "C-7, signed on 2026-01-01"));
    let row = rows.iter().find(|row| &row[1] == "9.4").unwrap();
    assert_eq!((&row[3], &row[4], &row[5]), ("no", "yes", "yes"));
    let before = sheet::pci(&client, &compile(&client.spec, &everything()), "2025-12-31T00:00:00Z".parse().unwrap()).unwrap();
    assert!(before.contains("none is in force"), "what is not signed yet is none");
    let mut none = client.clone();
    none.spec.compliance.as_mut().unwrap().frameworks = vec![Framework::Hipaa];
    assert_eq!(sheet::pci(&none, &compile(&none.spec, &everything()), NOW.parse().unwrap()), None);
}

fn uuids(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            let own = fields.get("uuid").and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(fields.values().flat_map(uuids)).collect()
        }
        Value::Array(items) => items.iter().flat_map(uuids).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn an_unchanged_client_gives_the_same_document_and_a_change_moves_what_it_touches() {
    let document = |client: &ManagedClient| oscal::document(client, None, &compile(&client.spec, &everything()));
    let before = with_overrides(&json!([]));
    let told = document(&before);
    assert_eq!(told.to_string(), document(&before).to_string());
    let ids = uuids(&told);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "each UUID once");
    assert_eq!(ids.len(), 1 + 3 + 1 + 5 + 5 + 537, "document, parties, component, implementations, sources, controls");
    let after = document(&with_overrides(&json!([given("FedRampRev5", "AC-2", "Client", "their own directory")])));
    let (one, other) = (&told["component-definition"], &after["component-definition"]);
    assert_ne!((&one["uuid"], &one["metadata"]["version"]), (&other["uuid"], &other["metadata"]["version"]));
    assert_eq!(uuids(&told)[1..], uuids(&after)[1..], "what is not the document stays");
    let mut elsewhere = before.clone();
    elsewhere.metadata.uid = Some("u-2".into());
    assert!(uuids(&document(&elsewhere)).iter().all(|uuid| !ids.contains(uuid)), "a client of the same name at another provider");
}

/// OSCAL takes neither an empty list (usnistgov/OSCAL#870) nor a name with a line break or blanks at its ends (compliance-trestle#1247), and FedRAMP's rules ask
/// for somebody who holds each role.
#[test]
fn names_are_one_line_and_no_list_is_empty() {
    fn judge(value: &Value) {
        match value {
            Value::Object(fields) => {
                for field in ["name", "value", "title"] {
                    let text = fields.get(field).and_then(Value::as_str).unwrap_or("x");
                    assert!(!text.is_empty() && text.trim() == text && !text.contains('\n'), "{value}");
                }
                fields.values().for_each(judge);
            }
            Value::Array(items) => {
                assert!(!items.is_empty(), "an empty list");
                items.iter().for_each(judge);
            }
            Value::String(text) => assert!(!text.is_empty()),
            _ => {}
        }
    }
    for display in [" Acme\u{a0}", "Acme\nCorp", "\u{feff}Acme", "  "] {
        let document = |accounts: Value| {
            let client = client(json!({"displayName": display, "accounts": accounts}));
            oscal::document(&client, None, &compile(&client.spec, &everything()))
        };
        let roles = |document: &Value| document["component-definition"]["metadata"]["responsible-parties"].as_array().unwrap().len();
        let (with, without) = (document(json!([{"name": "prod", "gcp": {"projectId": "acme-prod"}}])), document(json!([])));
        judge(&with);
        judge(&without);
        assert_eq!((roles(&with), roles(&without)), (3, 2));
    }
}

/// The pattern of tokens: <https://pages.nist.gov/metaschema/specification/datatypes/#token>.
#[test]
fn ids_of_controls_are_tokens_and_stay_apart() {
    for framework in Framework::ALL {
        let list = lists::of(framework);
        let tokens: BTreeSet<String> = list.controls.iter().map(|control| list.token(control.id)).collect();
        assert_eq!(tokens.len(), list.controls.len(), "{framework:?}");
        for token in tokens {
            let is_head = token.starts_with(|c: char| c.is_alphabetic() || c == '_');
            assert!(is_head && token.chars().all(|c| c.is_alphanumeric() || ".-_".contains(c)), "{token}");
        }
    }
    assert_eq!(lists::of(Framework::FedRampRev5).token("AC-2"), "ac-2");
    assert_eq!(lists::of(Framework::Hipaa).token("164.308(a)(7)(ii)(A)"), "hipaa-164.308.a.7.ii.A");
}
