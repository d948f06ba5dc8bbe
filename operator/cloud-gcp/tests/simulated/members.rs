//! The projects of a folder: the kit that is granted on it, and what is listed.

use caretaker_cloud::{
    AccessGrant, CloudConnector, CloudError, CloudStep, ErrorClass, GcpFolderGrant, GcpGrant, Member, MemberState, Presented, Purpose,
    Scope, StepOutcome, WantedPermission,
};
use caretaker_core::grant::{member, service_account};
use caretaker_core::kit::parents;
use caretaker_documents::kit::{self, Subject};
use caretaker_google_simulator::{Fault, FaultKind, Folder, apply_terraform};
use serde_json::json;

use crate::stage::{Gathered, PROVIDER, Stage};

const SEED: &str = "acme-seed";
const FOLDER: &str = "77";

/// A folder with a folder in it, and the kit applied; what it must grant.
async fn applied() -> (Stage, Vec<WantedPermission>, AccessGrant) {
    let mut stage = Stage::set().await;
    stage.config.quota_project = None;
    let spec = serde_json::from_value(json!({
        "gcpFolder": {"folderId": FOLDER, "serviceAccountProjectId": SEED}, "allow": ["Revoke"],
    }))
    .expect("a spec");
    let provider = serde_json::from_value(json!({
        "displayName": "Care", "contacts": [], "gcp": {"projectId": PROVIDER, "principal": stage.us},
    }))
    .expect("a provider");
    let files = kit::files(&Subject { client: "acme", account: "folder", spec: &spec, provider: &provider }).expect("a kit");
    {
        let mut world = stage.simulator.world();
        world.folders.insert(FOLDER.into(), Folder::default());
        world.folders.insert("78".into(), Folder { parent: Some(FOLDER.into()), ..Folder::default() });
        world.folders.insert("79".into(), Folder::default());
        world.add_project(SEED, "400000000001");
        for (id, number, folder) in [
            ("acme-shop", "400000000002", FOLDER),
            ("acme-data", "400000000003", "78"),
            ("acme-old", "400000000004", "78"),
            ("acme-else", "400000000005", "79"),
        ] {
            world.add_project(id, number).folder = Some(folder.into());
        }
        world.projects.get_mut("acme-old").expect("it is there").is_closed = true;
        world.add_machines("acme-data", 3);
        world.list_rows = Some(1);
        apply_terraform(&mut world, SEED, &files["caretaker-access.tf"]).expect("the kit can be applied");
    }
    let grant = AccessGrant::GcpFolder(GcpFolderGrant {
        client: "acme".into(),
        folder_id: FOLDER.into(),
        project_id: SEED.into(),
        service_account: service_account("caretaker", SEED),
    });
    let wanted = parents::wanted(&spec, &grant);
    (stage, wanted, grant)
}

fn ids(members: &[Member]) -> Vec<(&str, MemberState)> {
    let mut found: Vec<_> = members.iter().map(|member| (member.id.as_str(), member.state)).collect();
    found.sort_unstable();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kit_of_a_folder_lists_and_reads_what_is_in_it_and_lets_us_leave() {
    let (stage, wanted, grant) = applied().await;
    let connector = stage.connector();
    let link = connector.connect(&grant, Purpose::Members).await.expect("the kit lets us in");
    let gap = link.permissions(&wanted).await.expect("an answer");
    assert!(gap.known && gap.missing.is_empty(), "{gap:?}");
    let members = link.members().await.expect("a list");
    let expected = [("acme-data", MemberState::Active), ("acme-old", MemberState::Closed), ("acme-shop", MemberState::Active)];
    assert_eq!(ids(&members), expected, "sub-folders included, other folders not");

    let email = service_account("caretaker", SEED);
    let project = AccessGrant::Gcp(GcpGrant { client: "acme".into(), project_id: "acme-data".into(), service_account: email });
    let reading = connector.connect(&project, Purpose::Read).await.expect("the folder's grant covers the project");
    let gathered = Gathered::of(reading.as_ref()).await;
    assert_eq!((gathered.assets.len(), gathered.incomplete().len()), (3, 0), "{:?}", gathered.cells);

    for presented in [Presented::Nothing, Presented::Wrong] {
        assert!(connector.attempt(&grant, presented).await.as_ref().is_err_and(CloudError::is_refusal), "{presented:?}");
    }
    let link = connector.connect(&grant, Purpose::Revoke).await.expect("the kit lets us leave");
    let step = CloudStep::RemoveBinding { project_id: SEED.into(), member: member(&stage.us) };
    assert_eq!(link.perform("key", &step).await.expect("we may leave").outcome, StepOutcome::Done);
    for access in [&grant, &project] {
        assert!(connector.attempt(access, Presented::Right).await.as_ref().is_err_and(CloudError::is_refusal), "we are out of all at once");
    }
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_read_makes_the_list_none() {
    let (stage, _, grant) = applied().await;
    let link = stage.connector().connect(&grant, Purpose::Members).await.expect("the kit lets us in");
    for (fault, class) in [
        (Fault::of("cloudresourcemanager.projects.list", FaultKind::Denied).after(1).times(1), ErrorClass::Denied),
        (Fault::of("cloudresourcemanager.folders.list", FaultKind::Server(503)).times(1), ErrorClass::Unreachable),
        (Fault::of("cloudresourcemanager.projects.list", FaultKind::RepeatedToken).after(2).times(1), ErrorClass::Conflict),
    ] {
        stage.simulator.world().faults = vec![fault];
        assert_eq!(link.members().await.expect_err("it is not complete").class, class);
    }
    stage.simulator.world().faults.clear();
    assert_eq!(link.members().await.expect("it is cured").len(), 3);
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_folder_is_a_complete_list_of_nothing_and_a_strange_one_is_refused() {
    let (stage, _, grant) = applied().await;
    stage.simulator.world().projects.values_mut().for_each(|project| project.folder = None);
    let link = stage.connector().connect(&grant, Purpose::Members).await.expect("the kit lets us in");
    assert_eq!(link.members().await.expect("a list"), []);
    assert_eq!(
        link.discover(&Scope::default(), &mut Gathered::default()).await.expect_err("it holds nothing").class,
        ErrorClass::Unsupported
    );
    let AccessGrant::GcpFolder(held) = grant else { panic!("a folder") };
    let other = AccessGrant::GcpFolder(GcpFolderGrant { folder_id: "79".into(), ..held.clone() });
    let error = stage.connector().connect(&other, Purpose::Members).await.err().expect("refused");
    assert!(error.is_refusal() && error.message.contains("or gone"), "{error}");
    let own = AccessGrant::GcpFolder(GcpFolderGrant { project_id: PROVIDER.into(), ..held });
    assert_eq!(stage.connector().connect(&own, Purpose::Members).await.err().map(|error| error.class), Some(ErrorClass::WrongAccount));
    stage.judged().await;
}
