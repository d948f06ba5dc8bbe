use caretaker_api::CloudAccount;
use caretaker_api::agreements::Party;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::lifecycle::{ClientBaseline, GateName, GateState};
use serde_json::{Value, json};

use super::*;
use crate::conditions::Is;
use crate::contract::emergency::Told;
use crate::managed_client::CONDITIONS;

const EVERY: [Phase; 7] =
    [Phase::Assessment, Phase::Onboarding, Phase::Active, Phase::Renewal, Phase::Offboarding, Phase::Closed, Phase::Unknown];

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn client(more: Value, status: Value) -> ManagedClient {
    let mut object = json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": "acme", "generation": 1},
        "spec": {
            "displayName": "Acme", "contacts": {"vendorManager": {"name": "Jo", "email": "jo@x.example"}},
            "accounts": [{"name": "prod", "aws": {"accountId": "200000000001"}, "allow": ["Backup"]}], "exit": {"recipients": ["age1"]},
        },
        "status": status,
    });
    object["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(object).unwrap()
}

/// A contract that leaves out what is not in this client.
fn bare() -> Value {
    let out = |service: &str| json!({"service": service, "by": "Jo", "reason": "done in house"});
    json!({"lifecycle": {"outOfScope": [out("Monitoring"), out("Backups")]}})
}

fn account(planned: u32, digest: &str) -> CloudAccount {
    let coverage = json!({"text": format!("1/{planned}"), "planned": planned, "complete": 1});
    serde_json::from_value(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": "prod", "generation": 1},
        "spec": {"aws": {"accountId": "200000000001"}},
        "status": {"inventory": {"digest": digest, "address": "a", "assets": 7, "coverage": coverage}},
    }))
    .unwrap()
}

fn observed(planned: u32) -> Observed {
    Observed { profile_exists: true, accounts: vec![account(planned, "d1")], decided: Some(Told::new()), ..Observed::default() }
}

/// All conditions True, but for those that are named.
fn set(client: &ManagedClient, but: &[(ConditionType, Is, Reason)]) -> ConditionSet {
    let now = at("2026-06-01T00:00:00Z");
    let mut set = ConditionSet::new(&[], CONDITIONS, 1, now);
    for kind in CONDITIONS {
        set.set(*kind, Is::True, Reason::Settled, "");
    }
    set.set(ConditionType::DataErased, Is::False, Reason::NotRequested, "");
    set.set(ConditionType::HandedOver, Is::False, Reason::NotRequested, "");
    super::super::agreements::condition(&mut set, &client.spec, now);
    for (kind, is, reason) in but {
        set.set(*kind, *is, *reason, "it is so");
    }
    set
}

#[test]
fn the_table_of_transitions_is_this_one() {
    use Phase::{Active, Assessment, Closed, Offboarding, Onboarding, Renewal};
    let legal = [
        (Assessment, Onboarding),
        (Assessment, Offboarding),
        (Onboarding, Assessment),
        (Onboarding, Active),
        (Onboarding, Offboarding),
        (Active, Renewal),
        (Active, Offboarding),
        (Renewal, Active),
        (Renewal, Offboarding),
        (Offboarding, Assessment),
        (Offboarding, Onboarding),
        (Offboarding, Active),
        (Offboarding, Renewal),
        (Offboarding, Closed),
    ];
    for from in EVERY.into_iter().filter(|from| *from != Phase::Unknown) {
        for to in EVERY.into_iter().filter(|to| *to != from) {
            assert_eq!(may_follow(from, to), legal.contains(&(from, to)), "{from:?} to {to:?}");
        }
    }
}

/// Whatever is seen, in whatever order: each step is in the table, nothing leaves Closed, and who was Active is never assessed again.
#[test]
fn no_row_of_facts_makes_an_illegal_step() {
    for from in EVERY.into_iter().filter(|from| *from != Phase::Unknown) {
        for bits in 0..32_u8 {
            let is = |bit: u8| bits & (1 << bit) != 0;
            let facts = Facts { is_assessment: is(0), is_active: is(1), is_to_renew: is(2), leaves: is(3), is_closed: is(4) };
            let mut phase = from;
            for _ in 0..4 {
                let to = next(Some(phase), facts);
                assert!(to == phase || may_follow(phase, to), "{phase:?} to {to:?} by {facts:?}");
                assert!(phase != Phase::Closed || to == Phase::Closed, "{facts:?}");
                phase = to;
            }
            assert_eq!(next(Some(phase), facts), phase, "it settles: {from:?} by {facts:?}");
        }
    }
}

#[test]
fn each_fact_has_its_phase() {
    use Phase::{Active, Assessment, Closed, Offboarding, Onboarding, Renewal};
    let none = Facts::default();
    for (why, from, facts, to) in [
        ("a new client", None, none, Onboarding),
        ("a new assessment", None, Facts { is_assessment: true, ..none }, Assessment),
        ("the contract is signed", Some(Assessment), none, Onboarding),
        ("every gate is open", Some(Onboarding), Facts { is_active: true, ..none }, Active),
        ("an assessment is never Active", Some(Assessment), Facts { is_active: true, ..none }, Assessment),
        ("taken in within the time of notice", Some(Onboarding), Facts { is_active: true, is_to_renew: true, ..none }, Active),
        ("the time of notice", Some(Active), Facts { is_active: true, is_to_renew: true, ..none }, Renewal),
        ("it was renewed", Some(Renewal), Facts { is_active: true, ..none }, Active),
        ("an exit", Some(Renewal), Facts { is_active: true, leaves: true, ..none }, Offboarding),
        ("it was called off", Some(Offboarding), Facts { is_active: true, ..none }, Active),
        ("an assessment that is called off", Some(Assessment), Facts { is_assessment: true, leaves: true, ..none }, Offboarding),
        ("all is erased", Some(Offboarding), Facts { leaves: true, is_closed: true, ..none }, Closed),
        ("a closed one stays", Some(Closed), Facts { is_active: true, ..none }, Closed),
        ("who left before there were phases", None, Facts { leaves: true, is_closed: true, ..none }, Closed),
        ("nobody is assessed again", Some(Active), Facts { is_assessment: true, is_active: true, ..none }, Active),
    ] {
        assert_eq!(next(from, facts), to, "{why}");
    }
}

fn told(client: &ManagedClient, observed: &Observed, but: &[(ConditionType, Is, Reason)]) -> (Phase, Vec<Gate>) {
    let (status, gates) = settle(client, observed, &set(client, but), at("2026-06-01T00:00:00Z"));
    (status.phase, gates)
}

fn frozen() -> Option<ClientBaseline> {
    Some(ClientBaseline { digest: "d".into(), accounts: 1, assets: 7, ..ClientBaseline::default() })
}

/// Each gate alone keeps the client from Active, and says who must act.
#[test]
fn each_gate_alone_blocks_active() {
    let phi = |agreements: Value| {
        let mut spec = bare();
        spec["regulatedData"] = json!(["PHI"]);
        spec["agreements"] = agreements;
        spec
    };
    let baa = json!([{"kind": "BAA", "party": "Provider", "reference": "B-1", "signedOn": "2026-01-01"}]);
    let watched = json!({
        "monitoring": {"tiers": [{"name": "one", "afterMinutes": 0, "webhookUrl": "https://desk.example/alerts"}]},
        "backups": {"dailyAt": "03:30", "retentionDays": 35, "tag": {"key": "k", "value": "v"}, "regions": ["eu-west-1"]},
    });
    let no = |kind: ConditionType, reason: Reason| vec![(kind, Is::False, reason)];
    let grant = no(ConditionType::AccessProven, Reason::WaitingForGrant);
    let down = no(ConditionType::AccessProven, Reason::Unreachable);
    let gaps = no(ConditionType::InventoryComplete, Reason::Incomplete);
    let unlisted = no(ConditionType::MembersListed, Reason::Denied);
    let pods = no(ConditionType::MonitoringReady, Reason::PodsNotReady);
    let unprotected = no(ConditionType::BackupsProtected, Reason::NotAllProtected);
    type Case = (&'static str, Value, u32, Vec<(ConditionType, Is, Reason)>, Option<(GateName, Party)>);
    let cases: Vec<Case> = vec![
        ("all is left out", bare(), 5, vec![], None),
        ("all is there", watched.clone(), 5, vec![], None),
        ("known gaps are no gate", watched.clone(), 5, gaps, None),
        ("the agreement is there", phi(baa), 5, vec![], None),
        ("the client has not granted", watched.clone(), 5, grant, Some((GateName::Access, Party::Client))),
        ("the cloud does not answer", watched.clone(), 5, down, Some((GateName::Access, Party::Provider))),
        ("no cell was planned", watched.clone(), 0, vec![], Some((GateName::Coverage, Party::Provider))),
        ("a parent is not listed", watched.clone(), 5, unlisted, Some((GateName::Coverage, Party::Client))),
        ("the pods do not run", watched.clone(), 5, pods, Some((GateName::Monitoring, Party::Provider))),
        ("something is not protected", watched, 5, unprotected, Some((GateName::Backups, Party::Provider))),
        ("no BAA", phi(json!([])), 5, vec![], Some((GateName::Agreements, Party::Provider))),
    ];
    for (why, spec, planned, but, closed) in cases {
        let client = client(spec, json!({"lifecycle": {"phase": "Onboarding"}}));
        let observed = Observed { baseline: frozen(), ..observed(planned) };
        let (phase, gates) = told(&client, &observed, &but);
        let blocked: Vec<(GateName, Party)> =
            gates.iter().filter(|gate| gate.state == GateState::Closed).map(|gate| (gate.name, gate.actor.unwrap())).collect();
        assert_eq!(blocked, closed.into_iter().collect::<Vec<_>>(), "{why}");
        assert_eq!(phase, if closed.is_none() { Phase::Active } else { Phase::Onboarding }, "{why}");
    }
}

/// Neither service was asked for, and nobody of the client's said that they are left out: a client of an earlier release goes on, and is told.
#[test]
fn a_client_without_a_word_of_phases_goes_on_in_onboarding() {
    let (phase, gates) = told(&client(json!({}), Value::Null), &observed(5), &[]);
    let closed: Vec<GateName> = gates.iter().filter(|gate| gate.state == GateState::Closed).map(|gate| gate.name).collect();
    assert_eq!((phase, closed), (Phase::Onboarding, vec![GateName::Monitoring, GateName::Backups]));
    assert!(gates.iter().all(|gate| gate.state == GateState::Open || gate.message.contains("outOfScope")), "{gates:?}");
}

/// The ledger first, then the phase: whatever the visits die of, the baseline is frozen once, and it is that of the ledger.
#[test]
fn the_baseline_is_frozen_once_before_the_phase_says_active() {
    let now = at("2026-06-01T00:00:00Z");
    let visit = |client: &mut ManagedClient, observed: &Observed, but: &[(ConditionType, Is, Reason)]| {
        let (lifecycle, gates) = settle(client, observed, &set(client, but), now);
        let status = client.status.get_or_insert_default();
        (status.lifecycle, status.gates) = (Some(lifecycle), gates);
    };
    let phase = |client: &ManagedClient| last(client).unwrap().phase;
    let mut client = client(bare(), Value::Null);
    let mut world = observed(5);
    assert!(baseline::due(&client, &world, now).is_none(), "nothing was looked at yet");
    visit(&mut client, &world, &[]);
    assert_eq!(phase(&client), Phase::Onboarding, "nothing is frozen yet");
    assert!(stands_before_active(client.status.as_ref().unwrap()), "the next visit freezes");
    let (first, of) = baseline::baseline(&client, &world, now);
    assert_eq!((first.accounts, first.assets, first.coverage.as_str()), (1, 7, "1/5"));
    assert_eq!((of.len(), of[0].digest.as_str(), of[0].id.as_str()), (1, "d1", "200000000001"));
    // The visit that froze it died before its status: the next one finds another inventory, and the ledger has the first.
    world.accounts = vec![account(5, "d2")];
    assert_ne!(baseline::baseline(&client, &world, now).0.digest, first.digest);
    world.baseline = Some(first.clone());
    assert!(baseline::due(&client, &world, now).is_none(), "the ledger has one");
    visit(&mut client, &world, &[]);
    assert_eq!(phase(&client), Phase::Active);
    let kept = last(&client).unwrap().clone();
    assert_eq!((kept.baseline.as_ref(), kept.active_since.is_some()), (Some(&first), true));
    // Later a gate closes: the phase stays, and the gate is told. A store that does not answer takes the baseline from nobody.
    world.baseline = None;
    visit(&mut client, &world, &[(ConditionType::AccessProven, Is::False, Reason::WaitingForGrant)]);
    assert_eq!((phase(&client), last(&client).unwrap().baseline.as_ref()), (Phase::Active, Some(&first)));
    let closed: Vec<GateName> =
        client.status.as_ref().unwrap().gates.iter().filter(|gate| !gates::is_open(gate)).map(|gate| gate.name).collect();
    assert_eq!(closed, [GateName::Access]);
    assert!(baseline::due(&client, &world, now).is_none(), "who was Active is not frozen again");
}

/// Nothing is frozen on what an earlier visit saw alone, without an answer of the ledger, or a second time.
#[test]
fn a_baseline_is_due_once_and_only_while_every_gate_is_open() {
    let now = at("2026-06-01T00:00:00Z");
    let mut world = observed(5);
    let seen = |is: &str| {
        let one = |kind: &str| json!({"type": kind, "status": is, "reason": "Settled", "message": "", "observedGeneration": 1, "lastTransitionTime": now});
        let mut account = account(5, "d1");
        let conditions = json!([one("AccessProven"), one("InventoryComplete")]);
        account.status.as_mut().unwrap().conditions = serde_json::from_value(conditions).unwrap();
        vec![account]
    };
    world.accounts = seen("True");
    let mut client = client(bare(), Value::Null);
    let report = crate::managed_client::Report { namespace_ready: true, ..Default::default() };
    let (status, outcome) = crate::managed_client::status(&client, &world, &[], &report, now);
    assert!(status.gates.iter().all(gates::is_open), "{:?}", status.gates);
    client.status = Some(status);
    let waits = match outcome {
        crate::Outcome::Settled(after) => after,
        crate::Outcome::Waiting(wait) => wait.after,
        other => panic!("{other:?}"),
    };
    assert_eq!(waits, std::time::Duration::from_secs(1), "the next visit comes at once");
    let due = |world: &Observed| baseline::due(&client, world, now).map(|frozen| frozen.0.assets);
    assert_eq!(due(&world), Some(7));
    assert_eq!(due(&Observed { baseline: frozen(), ..world.clone() }), None, "the ledger has one");
    assert_eq!(due(&Observed { decided: None, ..world.clone() }), None, "the ledger did not answer");
    assert_eq!(due(&Observed { accounts: seen("False"), ..world.clone() }), None, "meanwhile access was lost");
}

#[test]
fn renewal_begins_on_the_last_day_of_notice_and_ends_by_a_decision() {
    let contract = |more: Value| {
        let mut spec = bare();
        let mut terms = json!({"endsOn": "2026-06-30", "zone": "Europe/Zurich", "noticeDays": 29});
        terms.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec["exit"] = json!({"recipients": ["age1"], "contract": terms});
        spec
    };
    let active = json!({"lifecycle": {"phase": "Active", "activeSince": "2026-01-01T00:00:00Z", "baseline": frozen()}});
    let notice = json!({"notice": {"givenOn": "2026-05-01", "by": "Client"}});
    for (why, spec, now, phase, gate) in [
        ("before", contract(json!({})), "2026-05-31T21:59:59Z", Phase::Active, None),
        ("its first second, in its zone", contract(json!({})), "2026-05-31T22:00:00Z", Phase::Renewal, Some(GateName::Renewal)),
        ("nobody decided", contract(json!({})), "2026-08-01T00:00:00Z", Phase::Renewal, Some(GateName::Renewal)),
        ("it was renewed", contract(json!({"endsOn": "2027-06-30"})), "2026-08-01T00:00:00Z", Phase::Active, None),
        ("notice was given", contract(notice), "2026-06-01T00:00:00Z", Phase::Offboarding, Some(GateName::Exit)),
    ] {
        let client = client(spec, active.clone());
        let (status, gates) = settle(&client, &observed(5), &set(&client, &[]), at(now));
        assert_eq!(status.phase, phase, "{why}");
        let first = gates.iter().find(|gate| gate.state == GateState::Closed).map(|gate| gate.name);
        assert_eq!(first, gate, "{why}");
    }
    let client = client(contract(json!({})), active);
    let (status, gates) = settle(&client, &observed(5), &set(&client, &[]), at("2026-05-31T21:59:00Z"));
    assert_eq!(look((&client, &observed(5)), (&status, &gates), at("2026-05-31T21:59:00Z")), Some(std::time::Duration::from_secs(60)));
}

#[test]
fn an_exit_closes_the_contract_when_the_data_is_gone() {
    let left = json!({"handedOverBy": "final", "lifecycle": {"phase": "Offboarding", "activeSince": "2026-01-01T00:00:00Z"}});
    let client = client(bare(), left);
    let waits = [(ConditionType::DataErased, Is::False, Reason::RetrievalPeriod)];
    let (phase, gates) = told(&client, &observed(5), &waits);
    let closed: Vec<GateName> = gates.iter().filter(|gate| gate.state == GateState::Closed).map(|gate| gate.name).collect();
    assert_eq!((phase, closed), (Phase::Offboarding, vec![GateName::DataErased]));
    let (phase, gates) = told(&client, &observed(5), &[(ConditionType::DataErased, Is::True, Reason::Settled)]);
    assert!(phase == Phase::Closed && gates.len() == 4 && gates.iter().all(gates::is_open), "{phase:?} {gates:?}");
}

#[test]
fn a_gate_keeps_its_time_while_it_stands() {
    let mut client = client(bare(), Value::Null);
    let grant = [(ConditionType::AccessProven, Is::False, Reason::WaitingForGrant)];
    let (_, first) = settle(&client, &observed(5), &set(&client, &grant), at("2026-06-01T00:00:00Z"));
    client.status.get_or_insert_default().gates = first;
    let (_, later) = settle(&client, &observed(5), &set(&client, &grant), at("2026-06-02T00:00:00Z"));
    assert_eq!(later[0].since.0, at("2026-06-01T00:00:00Z"));
    client.status.get_or_insert_default().gates = later;
    let (_, open) = settle(&client, &observed(5), &set(&client, &[]), at("2026-06-03T00:00:00Z"));
    assert_eq!((open[0].state, open[0].since.0, open[0].actor), (GateState::Open, at("2026-06-03T00:00:00Z"), None));
}

#[test]
fn terms_that_contradict_each_other_are_faults() {
    let fields = |client: &ManagedClient| faults(client).into_iter().map(|fault| fault.field).collect::<Vec<_>>();
    let assess = json!({"lifecycle": {"stage": "Assessment"}});
    assert_eq!(fields(&client(assess.clone(), Value::Null)), [""; 0]);
    assert_eq!(fields(&client(bare(), Value::Null)), [""; 0]);
    let active = json!({"lifecycle": {"phase": "Active", "activeSince": "2026-01-01T00:00:00Z"}});
    assert_eq!(fields(&client(assess, active)), ["spec.lifecycle.stage"]);
    let mut both = bare();
    both["backups"] = json!({"dailyAt": "03:30", "retentionDays": 35, "tag": {"key": "k", "value": "v"}, "regions": ["eu-west-1"]});
    assert_eq!(fields(&client(both, Value::Null)), ["spec.lifecycle.outOfScope"]);
}

/// The kit of an assessment asks for nothing but reading.
#[test]
fn the_accounts_of_an_assessment_allow_no_write() {
    let allowed = |spec: Value| {
        let client = client(spec, Value::Null);
        let plan = super::super::plan(&client, &observed(5), at("2026-06-01T00:00:00Z"));
        plan.into_iter().find(|made| made.kind == "CloudAccount").unwrap().body["spec"]["allow"].clone()
    };
    assert_eq!(allowed(json!({"lifecycle": {"stage": "Assessment"}})), json!([]));
    assert_eq!(allowed(json!({"lifecycle": {"stage": "Contract"}})), json!(["Backup"]));
}
