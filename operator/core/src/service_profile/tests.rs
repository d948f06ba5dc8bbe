//! A profile and its clients, from the first reading to the last wave.

mod waves;

use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::{ManagedClient, ServiceProfile};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::*;
use crate::conditions::{ConditionSet, Is, find};
use crate::managed_client::{self, Observed, Report};
use crate::outcome::Outcome;

const START: Timestamp = Timestamp::UNIX_EPOCH;

fn after(seconds: i64) -> Timestamp {
    START + SignedDuration::from_secs(seconds)
}

fn defaults(days: u32) -> Value {
    json!({
        "monitoring": {"retentionDays": days, "tiers": [{"name": "one", "afterMinutes": 0, "webhookUrl": "https://desk.example/alerts"}]},
        "backups": {"dailyAt": "03:30", "retentionDays": 35, "tag": {"key": "backup", "value": "daily"}, "regions": ["eu-west-1"]},
        "exit": {"retrievalDays": 90},
    })
}

fn profile(defaults: Value, more: Value) -> ServiceProfile {
    let mut spec = json!({"segment": "SmallBusiness", "defaults": defaults, "rollout": {"waveSize": 1, "pause": "60s"}});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "ServiceProfile", "metadata": {"name": "smb", "generation": 1}, "spec": spec,
    }))
    .unwrap()
}

fn client_of(name: &str, more: Value) -> ManagedClient {
    let mut spec = json!({
        "displayName": name, "profile": {"name": "smb"}, "contacts": {"vendorManager": {"name": "Jo", "email": "jo@x.example"}},
        "accounts": [{"name": "prod", "aws": {"accountId": "222222222222", "regions": ["eu-west-1"]}}], "exit": {"recipients": ["age1"]},
    });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": name, "generation": 1, "uid": name}, "spec": spec,
    }))
    .unwrap()
}

fn client(name: &str) -> ManagedClient {
    client_of(name, json!({}))
}

/// The client after it has gone through the API server with this status.
fn stored(client: &ManagedClient, status: &caretaker_api::managed_client::ManagedClientStatus) -> ManagedClient {
    let object = json!({"metadata": client.metadata, "spec": client.reading.written, "status": status});
    serde_json::from_value(object).unwrap()
}

/// The client as it is after it has taken what it can.
fn taken(client: &ManagedClient, profile: &ServiceProfile, now: Timestamp) -> ManagedClient {
    match standing(client, Some(profile), now) {
        Standing::Takes(status) => stored(client, &taking(client, &status, managed_client::CONDITIONS, now).0),
        _ => client.clone(),
    }
}

fn ready(mut client: ManagedClient, is: Is) -> ManagedClient {
    let status = client.status.get_or_insert_default();
    let mut set = ConditionSet::new(&status.conditions, managed_client::CONDITIONS, 1, START);
    set.set(ConditionType::Ready, is, Reason::Settled, "");
    status.conditions = set.finish();
    client
}

fn revision_of(client: &ManagedClient) -> &str {
    &client.status.as_ref().unwrap().profile.as_ref().unwrap().revision
}

/// One look at the profile.
fn look(profile: &mut ServiceProfile, clients: &[ManagedClient], now: Timestamp) -> Outcome {
    let (status, outcome) = status(profile, clients, &faults(&profile.spec), now);
    profile.status = Some(status);
    outcome
}

fn wave(profile: &ServiceProfile) -> Vec<&str> {
    let wave = profile.status.as_ref().unwrap().wave.as_ref();
    wave.map(|wave| wave.clients.iter().map(|client| client.name.as_str()).collect()).unwrap_or_default()
}

#[test]
fn a_client_without_its_profile_is_not_built_and_a_profile_that_comes_is_taken_at_once() {
    let acme = client_of("acme", json!({"monitoring": {"retentionDays": 7}}));
    let missing = standing(&acme, None, START);
    let observed = Observed { standing: missing.clone(), profile_exists: true, ..Observed::default() };
    let faults = managed_client::check(&acme, &observed);
    assert_eq!(faults[0].reason, Reason::ReferenceMissing, "nothing is built where there are faults");
    assert!(faults[0].message.contains("ServiceProfile smb does not exist: apply it"), "{faults:?}");
    let (status, _) = managed_client::status(&acme, &observed, &faults, &Report::default(), START);
    assert_eq!(find(&status.conditions, ConditionType::ProfileResolved).unwrap().status, "False");

    let smb = profile(defaults(30), json!({}));
    let Standing::Takes(status) = standing(&acme, Some(&smb), START) else { panic!("it is there") };
    let observed = Observed { standing: Standing::Takes(status.clone()), profile_exists: true, ..Observed::default() };
    assert!(managed_client::check(&acme, &observed).is_empty());
    let (written, outcome) = managed_client::status(&acme, &observed, &[], &Report::default(), START);
    assert!(matches!(&outcome, Outcome::Waiting(wait) if wait.after.as_secs() == 0), "the next visit builds: {outcome:?}");
    assert_eq!(written.profile.as_deref_revision(), revision(&smb.spec));
    let acme = stored(&acme, &written);
    assert_eq!(standing(&acme, Some(&smb), START), Standing::InForce { newer: None, problem: None });
    let monitoring = acme.spec.monitoring.as_ref().unwrap();
    assert_eq!((monitoring.retention_days, monitoring.tiers.len()), (7, 1));
    let planned = managed_client::plan(&acme, &Observed::default(), START);
    let stack = planned.iter().find(|made| made.kind == "MonitoringStack").unwrap();
    assert_eq!((&stack.body["spec"]["retentionDays"], &stack.body["spec"]["tiers"][0]["name"]), (&json!(7), &json!("one")));
}

trait Revised {
    fn as_deref_revision(&self) -> String;
}

impl Revised for Option<caretaker_api::service_profile::ProfileStatus> {
    fn as_deref_revision(&self) -> String {
        self.as_ref().map(|held| held.revision.clone()).unwrap_or_default()
    }
}

#[test]
fn the_resolved_spec_is_whole_and_each_override_is_one_deviation() {
    let smb = profile(defaults(30), json!({}));
    let plain = taken(&client("acme"), &smb, START);
    let held = plain.status.as_ref().unwrap().profile.clone().unwrap();
    let expected: Value = serde_json::from_str(include_str!("tests/resolved.json")).unwrap();
    assert_eq!(Value::Object(held.resolved.clone()), expected, "{}", serde_json::to_string_pretty(&held.resolved).unwrap());
    assert_eq!(held.deviation_count, 0);
    let cases = [
        ("one override", json!({"monitoring": {"retentionDays": 7}}), vec![("monitoring.retentionDays", Some("7"))]),
        ("the same value is none", json!({"monitoring": {"retentionDays": 30}}), vec![]),
        ("what the profile does not speak of is free", json!({"quota": {"pods": 9}, "monitoring": {"exporterPort": 9200}}), vec![]),
        (
            "two",
            json!({"monitoring": {"retentionDays": 7}, "exit": {"recipients": ["age1"], "retrievalDays": 40}}),
            vec![("exit.retrievalDays", Some("40")), ("monitoring.retentionDays", Some("7"))],
        ),
        (
            "a list is one",
            json!({"backups": {"regions": ["eu-west-1", "eu-west-2"]}}),
            vec![("backups.regions", Some("[\"eu-west-1\",\"eu-west-2\"]"))],
        ),
        ("a part of a map", json!({"backups": {"tag": {"value": "other"}}}), vec![("backups.tag.value", Some("\"other\""))]),
        ("without", json!({"profile": {"name": "smb", "without": ["backups", "serviceLevels"]}}), vec![("backups", None)]),
    ];
    for (reason, spec, expected) in cases {
        let own = taken(&client_of("acme", spec), &smb, START);
        let held = own.status.as_ref().unwrap().profile.as_ref().unwrap();
        let found: Vec<(&str, Option<&str>)> = held.deviations.iter().map(|one| (one.path.as_str(), one.client.as_deref())).collect();
        assert_eq!((found, held.deviation_count as usize), (expected.clone(), expected.len()), "{reason}");
        assert_eq!(own.spec.backups.is_none(), reason == "without");
    }
    let own = client_of("acme", json!({"monitoring": {"tiers": [{"name": "one", "webhookUrl": "https://u:p4ssw0rd@desk.example/"}]}}));
    let found = deviations(&smb.spec.defaults, &[], &own.reading.written);
    assert!(!json!(found).to_string().contains("p4ssw0rd"), "{found:?}");
}

#[test]
fn an_edit_of_the_client_itself_waits_for_no_wave() {
    let smb = profile(defaults(30), json!({}));
    let before = taken(&client("acme"), &smb, START);
    let edited = stored(&client_of("acme", json!({"monitoring": {"retentionDays": 7}})), before.status.as_ref().unwrap());
    assert_eq!(edited.spec.monitoring.as_ref().unwrap().retention_days, 7, "it is read with it at once");
    let standing = standing(&edited, Some(&smb), START);
    assert_eq!(shown(&edited, &standing).unwrap().deviation_count, 1);
    let alone = stored(&client_of("acme", json!({"profile": null})), before.status.as_ref().unwrap());
    assert!(alone.spec.monitoring.is_none() && shown(&alone, &super::standing(&alone, Some(&smb), START)).is_none());
}

#[test]
fn regions_outside_the_limits_are_refused_and_so_is_an_account_that_names_none() {
    let limits = json!({"limits": {"regions": {"aws": ["us-gov-west-1"], "gcp": ["us-east4"]}}});
    let cases = [
        ("inside", json!([{"name": "a", "aws": {"accountId": "222222222222", "regions": ["us-gov-west-1"]}}]), None),
        (
            "outside",
            json!([{"name": "a", "aws": {"accountId": "222222222222", "regions": ["us-gov-west-1", "eu-west-1"]}}]),
            Some("spec.accounts[a].aws.regions"),
        ),
        ("all", json!([{"name": "a", "aws": {"accountId": "222222222222"}}]), Some("spec.accounts[a].aws.regions")),
        (
            "a parent",
            json!([{"name": "a", "awsOrganization": {"accountId": "222222222222", "regions": ["eu-west-1"]}}]),
            Some("spec.accounts[a].awsOrganization.regions"),
        ),
        (
            "another cloud",
            json!([{"name": "a", "gcp": {"projectId": "acme-prod", "locations": ["europe-west1"]}}]),
            Some("spec.accounts[a].gcp.locations"),
        ),
        ("a cloud that is not limited", json!([{"name": "a", "azure": {"subscriptionId": "00000000-0000-4000-8000-000000000001"}}]), None),
    ];
    let gov = profile(json!({}), limits.clone());
    for (reason, accounts, field) in cases {
        let found = standing(&client_of("acme", json!({"accounts": accounts})), Some(&gov), START);
        match (field, &found) {
            (None, Standing::Takes(_)) => {}
            (Some(field), Standing::Waits(faults)) => {
                assert_eq!((faults[0].field.as_str(), faults[0].reason), (field, Reason::RegionNotAllowed), "{reason}");
                assert!(faults[0].message.contains("the profile allows us-"), "{reason}: {faults:?}");
            }
            other => panic!("{reason}: {other:?}"),
        }
    }
    let backups = json!({"backups": {"dailyAt": "03:30", "retentionDays": 35, "tag": {"key": "k", "value": "v"}, "regions": ["eu-west-1"]}, "accounts": [{"name": "a", "aws": {"accountId": "222222222222", "regions": ["us-gov-west-1"]}}]});
    let found = standing(&client_of("acme", backups), Some(&gov), START);
    assert!(matches!(&found, Standing::Waits(faults) if faults[0].field == "spec.backups.regions"), "{found:?}");

    // One that has the profile already and adds a region is refused by what is in force.
    let inside = json!({"accounts": [{"name": "a", "aws": {"accountId": "222222222222", "regions": ["us-gov-west-1"]}}]});
    let held = taken(&client_of("acme", inside), &gov, START);
    let wider = stored(
        &client_of("acme", json!({"accounts": [{"name": "a", "aws": {"accountId": "222222222222", "regions": ["eu-west-1"]}}]})),
        held.status.as_ref().unwrap(),
    );
    let observed = Observed { standing: standing(&wider, Some(&gov), START), profile_exists: true, ..Observed::default() };
    assert_eq!(managed_client::check(&wider, &observed)[0].reason, Reason::RegionNotAllowed);
}

#[test]
fn an_authorization_that_the_profile_asks_for_is_told_until_it_is_named() {
    let gov = profile(json!({}), json!({"limits": {"authorizations": [{"kind": "FedRAMP", "what": "the package id"}]}}));
    let mut told = Vec::new();
    for authorizations in [json!([]), json!([{"kind": "FedRAMP", "reference": "FR0000000000"}])] {
        let client = taken(&client_of("acme", json!({"profile": {"name": "smb", "authorizations": authorizations}})), &gov, START);
        let mut set = ConditionSet::new(&[], managed_client::CONDITIONS, 1, START);
        let waits = condition(&mut set, &client, &standing(&client, Some(&gov), START));
        told.push((set.get(ConditionType::AuthorizationsNamed).unwrap().clone(), waits.len()));
    }
    assert_eq!((told[0].0.status.as_str(), told[0].1), ("False", 1));
    assert!(told[0].0.message.contains("FedRAMP (the package id): name it in spec.profile.authorizations"), "{}", told[0].0.message);
    assert_eq!((told[1].0.status.as_str(), told[1].1), ("True", 0));
}

#[test]
fn a_client_that_cannot_take_a_revision_keeps_what_it_has_and_says_why() {
    let mut smb = profile(defaults(30), json!({}));
    let clients = [ready(taken(&client("a"), &smb, START), Is::True)];
    let old = revision(&smb.spec);
    smb.spec = profile(defaults(30), json!({"limits": {"regions": {"aws": ["us-gov-west-1"]}}})).spec;
    look(&mut smb, &clients, START);
    let refusals = &smb.status.as_ref().unwrap().change.as_ref().unwrap().refusals;
    assert!(refusals[0].starts_with("a: spec.accounts[prod].aws.regions: eu-west-1 is not allowed"), "it is shown before: {refusals:?}");
    look(&mut smb, &clients, after(60));
    let Standing::InForce { problem: Some((reason, message)), .. } = standing(&clients[0], Some(&smb), after(61)) else {
        panic!("it is refused")
    };
    assert_eq!(reason, Reason::ProfileRefused);
    assert!(message.contains("us-gov-west-1"), "{message}");
    assert_eq!(revision_of(&taken(&clients[0], &smb, after(61))), old);
    let observed = Observed { standing: standing(&clients[0], Some(&smb), after(61)), profile_exists: true, ..Observed::default() };
    assert!(managed_client::check(&clients[0], &observed).is_empty(), "what it has goes on");
}

#[test]
fn a_profile_that_has_gone_changes_no_client_that_has_it() {
    let smb = profile(defaults(30), json!({}));
    let held = taken(&client("a"), &smb, START);
    let found = standing(&held, None, START);
    assert!(matches!(&found, Standing::InForce { problem: Some((Reason::ReferenceMissing, _)), .. }), "{found:?}");
    assert!(held.spec.monitoring.is_some() && shown(&held, &found).is_some());
    let mut going = smb;
    going.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(START));
    assert!(matches!(standing(&client("b"), Some(&going), START), Standing::Waits(_)), "nobody new takes what is going");
    assert!(matches!(standing(&held, Some(&going), START), Standing::InForce { problem: None, .. }));
}

#[test]
fn what_neither_gives_is_told_with_both_cures() {
    let smb = profile(json!({"monitoring": {"retentionDays": 3}}), json!({}));
    let found = standing(&client("a"), Some(&smb), START);
    let Standing::Waits(faults) = &found else { panic!("{found:?}") };
    assert_eq!(faults[0].field, "spec.monitoring");
    assert!(faults[0].message.contains("tiers") && faults[0].message.contains("spec.profile.without"), "{faults:?}");
    let cases = [
        (
            "levels without monitoring",
            json!({"serviceLevels": {"zone": "UTC", "objectives": [{"name": "up", "target": "99", "uptime": {"source": "Machines"}}]}}),
            json!({}),
            "spec.serviceLevels",
        ),
        (
            "an emergency of a fully managed client",
            json!({}),
            json!({"breakGlass": {"by": "x", "reason": "y", "from": "2026-01-01T00:00:00Z", "until": "2026-01-01T01:00:00Z"}}),
            "spec.breakGlass",
        ),
        (
            "volumes beyond the quota of the profile",
            json!({"quota": {"storageGib": 10}}),
            json!({"monitoring": {"tiers": [{"name": "one", "webhookUrl": "https://a.example/"}], "storage": {"sizeGib": 20}}}),
            "spec.monitoring.storage",
        ),
        (
            "hours that are nowhere",
            json!({}),
            json!({"monitoring": {"tiers": [{"name": "one", "webhookUrl": "https://a.example/", "hours": "office"}]}}),
            "spec.monitoring.tiers",
        ),
        (
            "domains of a model that has none",
            json!({"deliveryModel": "FullyManaged"}),
            json!({"domains": [{"name": "Backup", "authority": "Client"}]}),
            "spec.domains",
        ),
    ];
    for (reason, defaults, own, field) in cases {
        let found = standing(&client_of("a", own), Some(&profile(defaults, json!({}))), START);
        assert!(matches!(&found, Standing::Waits(faults) if faults.iter().any(|fault| fault.field == field)), "{reason}: {found:?}");
    }
}

#[test]
fn a_revision_is_of_defaults_and_limits_in_any_order_of_keys() {
    let one = profile(json!({"quota": {"pods": 9, "cpuCores": 2}}), json!({}));
    let same =
        profile(json!({"quota": {"cpuCores": 2, "pods": 9}}), json!({"segment": "Other", "rollout": {"waveSize": 5, "pause": "1h"}}));
    let other = profile(
        json!({"quota": {"pods": 9, "cpuCores": 2}}),
        json!({"limits": {"clauses": [{"clause": "52.237-3", "title": "Continuity of Services"}]}}),
    );
    assert_eq!(revision(&one.spec), revision(&same.spec));
    assert_ne!(revision(&one.spec), revision(&other.spec));
    assert_eq!(revision(&one.spec).len(), 12);
    let large = profile(json!({"monitoring": {"tiers": "x".repeat(MOST_BYTES)}}), json!({}));
    assert_eq!(faults(&large.spec)[0].field, "spec.defaults");
}

/// KubeVirt 9132 and 14726: a reference was changed, and the revision of the other object went on.
#[test]
fn a_client_that_names_another_profile_takes_that_one_at_once_and_keeps_what_it_has_until_it_is_there() {
    let smb = profile(defaults(30), json!({}));
    let held = taken(&client("a"), &smb, START);
    let moved = stored(&client_of("a", json!({"profile": {"name": "large"}})), held.status.as_ref().unwrap());
    assert!(matches!(standing(&moved, None, START), Standing::Waits(_)), "nothing is built of two profiles");
    assert_eq!(moved.spec.monitoring.as_ref().unwrap().retention_days, 30, "who reads it meanwhile sees what is in force");
    let mut large = profile(defaults(90), json!({}));
    large.metadata.name = Some("large".into());
    let moved = taken(&moved, &large, START);
    assert_eq!(moved.spec.monitoring.as_ref().unwrap().retention_days, 90);
    assert_eq!(moved.status.as_ref().unwrap().profile.as_ref().unwrap().name, "large");
}

/// Capsule 465: what was removed from the standard stayed with the tenants.
#[test]
fn what_a_profile_does_not_say_any_more_goes_from_its_clients_too() {
    let mut smb = profile(defaults(30), json!({}));
    let mut clients = [ready(taken(&client("a"), &smb, START), Is::False)];
    let mut less = defaults(30);
    less.as_object_mut().unwrap().remove("backups");
    smb.spec = profile(less, json!({})).spec;
    look(&mut smb, &clients, START);
    let rows = &smb.status.as_ref().unwrap().change.as_ref().unwrap().rows;
    assert!(
        rows.iter().any(|row| row.path == "backups.dailyAt" && row.from.as_deref() == Some("\"03:30\"") && row.to.is_none()),
        "{rows:?}"
    );
    look(&mut smb, &clients, after(60));
    clients[0] = taken(&clients[0], &smb, after(61));
    assert!(clients[0].spec.backups.is_none());
    assert!(!managed_client::plan(&clients[0], &Observed::default(), START).iter().any(|made| made.kind == "BackupPolicy"));
}

/// Kyverno 7718: a policy that was deleted and made again took what it had made along.
#[test]
fn a_profile_that_is_made_again_is_the_same_and_rolls_nothing_out() {
    let smb = profile(defaults(30), json!({}));
    let held = ready(taken(&client("a"), &smb, START), Is::True);
    let mut again = profile(defaults(30), json!({}));
    again.metadata.uid = Some("another".into());
    assert_eq!(standing(&held, Some(&again), after(5)), Standing::InForce { newer: None, problem: None });
    assert!(matches!(look(&mut again, &[held], after(5)), Outcome::Settled(_)));
}
