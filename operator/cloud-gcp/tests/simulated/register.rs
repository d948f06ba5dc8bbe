//! What is granted beyond the kit, and every way in.

use std::collections::BTreeSet;

use caretaker_cloud::manifest::{gcp_entry, gcp_permissions};
use caretaker_cloud::{BackupJob, ErrorClass, ExcessStatement, Purpose, RecoveryPoint, RecoverySink, WantedPermission, WayIn, WayKind};
use caretaker_core::kit::gcp;
use caretaker_google_simulator::recovery::vault;
use caretaker_google_simulator::{Binding, Fault, FaultKind, READ_ROLE};
use serde_json::json;

use crate::stage::{CLIENT, PROVIDER, QUOTA, Stage, key};

const PROJECT_POLICY: &str = "cloudresourcemanager.projects.getIamPolicy";

fn wanted(stage: &Stage) -> Vec<WantedPermission> {
    gcp::wanted(&[Purpose::Read, Purpose::Revoke], &stage.grant)
}

fn ours(stage: &Stage) -> String {
    format!("serviceAccount:{}", stage.grant.service_account)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_kit_grants_is_not_too_much_and_anything_else_is_named() {
    let stage = Stage::set().await;
    let link = stage.link(Purpose::Read).await;
    let report = link.excess(&wanted(&stage)).await.expect("an answer");
    assert_eq!((report.statements, report.unknown), (vec![], None));
    let less = link.excess(&gcp::wanted(&[Purpose::Read], &stage.grant)).await.expect("an answer");
    assert_eq!(less.statements.len(), 1, "a profile that only reads does not need the role's last permission: {less:?}");
    assert_eq!(less.statements[0].beyond, ["iam.serviceAccounts.setIamPolicy"]);
    let role = format!("projects/{}/roles/{READ_ROLE}", CLIENT.0);
    {
        let mut world = stage.simulator.world();
        world.roles.get_mut(&role).unwrap().push("compute.instances.delete".into());
        let policy = &mut world.projects.get_mut(CLIENT.0).unwrap().policy;
        policy.bind("roles/editor", &ours(&stage));
        policy.bind("roles/owner", "user:owner@client.example");
    }
    let report = link.excess(&wanted(&stage)).await.expect("an answer");
    let expected = [
        ExcessStatement { name: format!("binding of {role} on project {}", CLIENT.0), beyond: vec!["compute.instances.delete".into()] },
        ExcessStatement { name: format!("binding of roles/editor on project {}", CLIENT.0), beyond: vec!["roles/editor".into()] },
    ];
    assert_eq!((report.statements.as_slice(), report.unknown), (expected.as_slice(), None));
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_account_of_a_folder_is_granted_there_is_unknown() {
    let mut stage = Stage::set().await;
    let read = format!("projects/{}/roles/{READ_ROLE}", CLIENT.0);
    {
        let mut world = stage.simulator.world();
        world.add_project("member", "400000000001");
        world.projects.get_mut("member").unwrap().policy.bind(&read, &ours(&stage));
    }
    let own = stage.link(Purpose::Read).await.excess(&wanted(&stage)).await.expect("an answer");
    assert_eq!(own.unknown, None, "the account of its own project");
    stage.grant.project_id = "member".into();
    let report = stage.link(Purpose::Read).await.excess(&wanted(&stage)).await.expect("an answer");
    assert_eq!(report.statements, vec![]);
    assert!(
        report.unknown.as_ref().is_some_and(|what| what.contains("folder") && what.contains(&stage.grant.service_account)),
        "{report:?}"
    );
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_google_does_not_tell_is_unknown_and_never_none() {
    let stage = Stage::set().await;
    let link = stage.link(Purpose::Read).await;
    for call in [PROJECT_POLICY, "iam.projects.roles.get", "iam.projects.serviceAccounts.getIamPolicy"] {
        stage.fault(Fault::of(call, FaultKind::Denied));
        let report = link.excess(&wanted(&stage)).await.expect("an answer");
        assert!(report.unknown.is_some() && report.statements.is_empty(), "{call}: {report:?}");
        assert_eq!(report, link.excess(&wanted(&stage)).await.expect("an answer"), "the words stay the same");
        stage.simulator.world().faults.clear();
        stage.fault(Fault::of(call, FaultKind::Server(503)));
        assert_eq!(link.excess(&wanted(&stage)).await.expect_err("no answer").class, ErrorClass::Unreachable, "{call}");
        stage.simulator.world().faults.clear();
    }
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_in_is_listed_with_its_end() {
    let stage = Stage::set().await;
    let account = stage.grant.service_account.clone();
    let until = json!({"title": "until spring", "expression": "request.time < timestamp(\"2027-03-01T00:00:00Z\")"});
    {
        let mut world = stage.simulator.world();
        let colleague = world.add_account("colleague", PROVIDER);
        let policy = &mut world.projects.get_mut(CLIENT.0).unwrap().policy;
        let members = vec![format!("serviceAccount:{colleague}"), "user:owner@client.example".into()];
        policy.bindings.push(Binding { role: "roles/viewer".into(), members, condition: Some(until) });
        world.keys.insert((account.clone(), "key-7".into()), key().public());
        world.keys.insert((account.clone(), "key-8".into()), key().public());
        world.key_ends.insert("key-8".into(), "2026-12-24T00:00:00Z".into());
        world.key_uses.insert("key-7".into(), "2026-05-04T07:00:00Z".into());
    }
    let register = stage.link(Purpose::Read).await.ways_in().await.expect("an answer");
    assert!(register.unread.is_empty(), "{register:?}");
    let found = |kind: WayKind| register.ways.iter().filter(|way| way.kind == kind).collect::<Vec<&WayIn>>();
    let bindings = found(WayKind::Binding);
    let of = |member: &str| bindings.iter().filter(|way| way.principal.contains(member)).copied().collect::<Vec<&WayIn>>();
    assert_eq!((of(&account).len(), of("colleague@").len(), of("owner@").len()), (2, 1, 0), "{bindings:?}");
    assert_eq!(of("colleague@")[0].expires, Some("2027-03-01T00:00:00Z".parse().unwrap()));
    assert_eq!(of("colleague@")[0].grants, ["roles/viewer under the condition \"until spring\""]);
    let impersonations = found(WayKind::Impersonation);
    assert_eq!(impersonations.len(), 1);
    assert_eq!((&impersonations[0].principal, &impersonations[0].scope), (&format!("serviceAccount:{}", stage.us), &account));
    let keys = found(WayKind::ServiceAccountKey);
    let ends: Vec<Option<String>> = keys.iter().map(|key| key.expires.map(|time| time.to_string())).collect();
    assert_eq!(ends, [None, Some("2026-12-24T00:00:00Z".to_owned())], "{keys:?}");
    let used: Vec<Option<String>> = keys.iter().map(|key| key.last_used.map(|day| day.to_string())).collect();
    assert_eq!(used, [Some("2026-05-04".to_owned()), None], "{keys:?}");
    // Without the service that knows of last uses the keys are still listed, and a line says what it takes.
    stage.simulator.world().disabled.insert(("policyanalyzer.googleapis.com".into(), QUOTA.into()));
    let without = stage.link(Purpose::Read).await.ways_in().await.expect("an answer");
    assert_eq!((without.ways.len(), without.unread.len()), (register.ways.len(), 1), "{without:?}");
    let line = &without.unread[0];
    assert!(line.contains("policyanalyzer.googleapis.com") && line.contains(QUOTA) && line.contains("SERVICE_DISABLED"), "{line}");
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_refused_is_a_line_and_a_part_that_does_not_answer_stops_the_reading() {
    let stage = Stage::set().await;
    let link = stage.link(Purpose::Read).await;
    stage.fault(Fault::of("iam.projects.serviceAccounts.keys.list", FaultKind::Denied));
    let register = link.ways_in().await.expect("an answer");
    assert_eq!(register.unread.len(), 1, "{register:?}");
    assert!(register.unread[0].contains("keys of") && register.ways.len() == 3, "{register:?}");
    assert_eq!(register, link.ways_in().await.expect("an answer"), "the words stay the same");
    stage.simulator.world().faults.clear();
    stage.fault(Fault::of(PROJECT_POLICY, FaultKind::Server(500)));
    assert_eq!(link.ways_in().await.expect_err("no answer").class, ErrorClass::Unreachable);
    stage.judged().await;
}

/// Takes what can be restored, and keeps nothing of it.
struct Nothing;

impl RecoverySink for Nothing {
    fn point(&mut self, _point: RecoveryPoint) {}

    fn job(&mut self, _job: BackupJob) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_that_is_made_is_in_the_manifest() {
    let stage = Stage::set().await;
    stage.simulator.world().keys.insert((stage.grant.service_account.clone(), "key-7".into()), key().public());
    stage.simulator.world().add_machines(CLIENT.0, 1);
    let link = stage.link(Purpose::Read).await;
    link.permissions(&wanted(&stage)).await.expect("an answer");
    link.excess(&wanted(&stage)).await.expect("an answer");
    link.ways_in().await.expect("an answer");
    let mut asset = crate::stage::Gathered::of(link.as_ref()).await.assets.remove(0);
    asset.id = format!("//quantum.googleapis.com/projects/{}/things/one", CLIENT.0);
    link.deleted(&[&asset]).await.expect("an answer");
    let vaults = vault((CLIENT.0, "europe-west1", "acme"), "zones/europe-west1-b/instances/shop", "2026-11-01T00:00:00Z");
    stage.simulator.world().projects.get_mut(CLIENT.0).expect("it is there").vaults.extend(vaults);
    let of = caretaker_cloud::Intent { name: "ours".into(), regions: vec!["europe-west1".into()], ..Default::default() };
    link.protection(&of).await.expect("an answer");
    link.recovery("europe-west1", jiff::Timestamp::UNIX_EPOCH, &mut Nothing).await.expect("an answer");
    let step = caretaker_cloud::CloudStep::RemoveBinding { project_id: CLIENT.0.into(), member: format!("serviceAccount:{}", stage.us) };
    stage.link(Purpose::Revoke).await.perform("key", &step).await.expect("we may leave");
    let tables = [gcp_entry(), gcp_permissions(Purpose::Read), gcp_permissions(Purpose::Revoke)];
    let named: BTreeSet<&str> = tables.into_iter().flatten().map(|action| action.call).collect();
    let made: BTreeSet<String> =
        stage.simulator.exchanges().iter().map(|exchange| exchange["call"].as_str().unwrap_or_default().to_owned()).collect();
    for call in &made {
        assert!(named.contains(call.as_str()), "{call} is not in the manifest");
    }
    // This stage exchanges no federated token, and no service is asked for what the index lacks: another test asks them all.
    let unmade: Vec<&&str> = named.iter().filter(|call| !made.contains(**call)).collect();
    assert!(
        unmade.iter().all(|call| **call == "sts.token" || call.ends_with(".get")),
        "the manifest names calls that are not made: {unmade:?}"
    );
    stage.judged().await;
}
