//! Bad days: each ends in the right verdict of its own cell, and loses no other.

use std::time::Duration;

use caretaker_cloud::{Cell, CloudConnector, ErrorClass, Purpose, Scope, Verdict};
use caretaker_google_simulator::{Fault, FaultKind};

use crate::stage::{CLIENT, Gathered, QUOTA, Stage};

/// A wait that is longer than a cell's patience here.
const WAIT: Duration = Duration::from_secs(3);

async fn with(about: &str, kind: FaultKind) -> (Stage, Gathered) {
    let stage = Stage::set().await;
    stage.simulator.world().add_machines(CLIENT.0, 1_200);
    let link = stage.link(Purpose::Read).await;
    stage.search_fault(about, kind);
    let gathered = Gathered::of(link.as_ref()).await;
    (stage, gathered)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_has_its_verdict_and_loses_no_other_cell() {
    let throttled = |retry_after, retry_info: Option<&str>| FaultKind::Throttled { retry_after, retry_info: retry_info.map(str::to_owned) };
    let cases = [
        (FaultKind::Denied, Verdict::Denied, None, "see the grant kit"),
        (throttled(Some(9), Some("4s")), Verdict::Throttled, Some(4), "Too many requests"),
        (throttled(Some(1200), None), Verdict::Throttled, Some(1200), "Too many requests"),
        (throttled(None, Some("1.5s")), Verdict::Throttled, Some(2), "Too many requests"),
        (throttled(None, None), Verdict::Throttled, None, "Too many requests"),
        (FaultKind::Server(500), Verdict::Unreachable, None, "INTERNAL"),
        (FaultKind::Server(503), Verdict::Unreachable, None, "UNAVAILABLE"),
        (FaultKind::Garbled, Verdict::Unreachable, None, "not JSON"),
        (FaultKind::NoObject, Verdict::Unreachable, None, "no JSON object"),
    ];
    for (kind, verdict, wait, cause) in cases {
        let name = format!("{kind:?}");
        let (stage, gathered) = with("sqladmin", kind).await;
        let cell = gathered.cell("sqladmin");
        assert_eq!((cell.verdict, cell.retry_after_seconds), (verdict, wait), "{name}: {cell:?}");
        assert!(cell.cause.contains(cause), "{name}: {cell:?}");
        // A wait holds all that the project pays for; nothing else does.
        let others = gathered.cells.iter().filter(|other| other.key != cell.key);
        let waits = |other: &Cell| wait.is_some() && other.verdict == Verdict::Throttled && other.retry_after_seconds <= wait;
        assert!(others.clone().all(|other| other.verdict == Verdict::Complete || waits(other)), "{name}: {:?}", gathered.cells);
        assert_eq!(gathered.cell("compute").verdict == Verdict::Complete, gathered.assets.len() == 1_200, "{name}");
        stage.judged().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_on_a_later_page_keeps_what_came() {
    for (kind, verdict) in [
        (FaultKind::Server(503), Verdict::Partial),
        (FaultKind::Denied, Verdict::Denied),
        (FaultKind::Throttled { retry_after: Some(7), retry_info: None }, Verdict::Throttled),
    ] {
        let stage = Stage::set().await;
        stage.simulator.world().add_machines(CLIENT.0, 1_200);
        stage.fault(Fault::of("cloudasset.search", kind).about("compute").after(1));
        let gathered = Gathered::of(stage.link(Purpose::Read).await.as_ref()).await;
        let cell = gathered.cell("compute");
        assert_eq!((cell.verdict, cell.assets), (verdict, 500), "{cell:?}");
        assert!(verdict == Verdict::Throttled || gathered.incomplete().len() == 1, "{:?}", gathered.cells);
        assert!(gathered.incomplete().iter().all(|cell| cell.verdict == verdict), "{:?}", gathered.cells);
        stage.judged().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_page_token_is_no_end() {
    let stage = Stage::set().await;
    stage.simulator.world().add_machines(CLIENT.0, 1_200);
    stage.fault(Fault::of("cloudasset.search", FaultKind::RepeatedToken).about("compute").after(1));
    let mut gathered = Gathered::default();
    stage.link(Purpose::Read).await.discover(&Scope::default(), &mut gathered).await.expect("the cells can be read");
    let cell = gathered.cell("compute");
    assert_eq!(cell.verdict, Verdict::Partial);
    assert!(cell.cause.contains("repeated a page token") && cell.calls < 5, "{cell:?}");
    assert_eq!(gathered.incomplete().len(), 1);
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_page_with_a_token_is_no_end() {
    let stage = Stage::set().await;
    stage.simulator.world().add_machines(CLIENT.0, 1_200);
    stage.fault(Fault::of("cloudasset.search", FaultKind::EmptyPage).about("compute").after(1).times(1));
    let gathered = Gathered::of(stage.link(Purpose::Read).await.as_ref()).await;
    assert!(gathered.incomplete().is_empty(), "{:?}", gathered.incomplete());
    assert_eq!((gathered.assets.len(), gathered.cell("compute").calls), (1_200, 4));
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_is_off_in_the_clients_project_is_one_disabled_cell() {
    for consumer in [format!("projects/{}", CLIENT.0), format!("projects/{}", CLIENT.1)] {
        let (stage, gathered) = with("cloudkms", FaultKind::Disabled { service: "cloudkms.googleapis.com".into(), consumer }).await;
        let [cell] = gathered.incomplete()[..] else { panic!("{:?}", gathered.cells) };
        assert_eq!((cell.key.service.as_str(), cell.verdict), ("cloud-asset/cloudkms", Verdict::Disabled));
        let cure = format!("gcloud services enable cloudkms.googleapis.com --project={}", CLIENT.0);
        assert!(cell.cause.contains(&cure), "{}", cell.cause);
        stage.judged().await;
    }
}

/// The fault of the provider's that a reading ends with; no cell of the client's says anything.
async fn providers_fault(stage: &Stage) -> String {
    let mut gathered = Gathered::default();
    let link = stage.link(Purpose::Read).await;
    let error = link.discover(&Scope::default(), &mut gathered).await.expect_err("the provider's fault");
    assert_eq!(error.class, ErrorClass::Credentials, "{error}");
    assert!(error.message.contains(&format!("the provider's quota project {QUOTA}")), "{error}");
    assert!(!error.message.contains(&format!("--project={}", CLIENT.0)), "no client is asked to act: {error}");
    assert!(gathered.incomplete().is_empty(), "{:?}", gathered.incomplete());
    stage.judged().await;
    error.message
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_is_off_in_the_quota_project_is_the_providers_fault() {
    let stage = Stage::set().await;
    stage.simulator.world().disabled.insert(("cloudasset.googleapis.com".into(), QUOTA.into()));
    let message = providers_fault(&stage).await;
    assert!(message.contains(&format!("gcloud services enable cloudasset.googleapis.com --project={QUOTA}")), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_up_quota_of_the_quota_project_is_the_providers_fault() {
    let stage = Stage::set().await;
    let exhausted = |consumer: &str, unit: &str| FaultKind::Exhausted { consumer: format!("projects/{consumer}"), unit: unit.into() };
    stage.fault(Fault::of("cloudasset.search", exhausted("100000000003", "1/d/{project}")));
    providers_fault(&stage).await;
    // A minute's quota is waited for, whosever it is; the client's own is no fault of the provider's.
    for consumer in ["100000000003", CLIENT.1] {
        let (_, gathered) = with("compute", exhausted(consumer, "1/min/{project}")).await;
        assert_eq!(gathered.cell("compute").verdict, Verdict::Throttled, "{consumer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_project_that_the_client_may_not_use_is_the_providers_fault() {
    let stage = Stage::set().await;
    let connector = stage.connector();
    stage.simulator.world().projects.get_mut(QUOTA).unwrap().policy.bindings.clear();
    let error = connector.connect(&stage.access(), Purpose::Read).await.err().expect("the provider's fault");
    assert_eq!(error.class, ErrorClass::Credentials, "{error}");
    assert!(error.message.contains("roles/serviceusage.serviceUsageConsumer") && error.message.contains(QUOTA), "{error}");
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_quota_project_the_client_pays_and_is_told() {
    let mut stage = Stage::set().await;
    stage.config.quota_project = None;
    stage.simulator.world().add_machines(CLIENT.0, 3);
    let gathered = Gathered::of(stage.link(Purpose::Read).await.as_ref()).await;
    assert!(gathered.incomplete().is_empty() && gathered.assets.len() == 3);
    stage.simulator.world().disabled.insert(("cloudasset.googleapis.com".into(), CLIENT.0.into()));
    let gathered = Gathered::of(stage.link(Purpose::Read).await.as_ref()).await;
    assert!(gathered.cells.iter().all(|cell| cell.verdict == Verdict::Disabled), "{:?}", gathered.cells);
    let cure = format!("gcloud services enable cloudasset.googleapis.com --project={}", CLIENT.0);
    assert!(gathered.cells[0].cause.contains(&cure), "{}", gathered.cells[0].cause);
    stage.judged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_does_not_answer_is_unreachable() {
    let mut stage = Stage::set().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    stage.config.endpoints.cloud_asset = nobody.clone();
    let gathered = Gathered::of(stage.link(Purpose::Read).await.as_ref()).await;
    assert!(gathered.cells.iter().all(|cell| cell.verdict == Verdict::Unreachable), "{:?}", gathered.cells);
    assert!(gathered.cells.iter().all(|cell| !cell.cause.contains("pageSize")), "no URL: {:?}", gathered.cells);
    stage.config.endpoints.oauth2 = nobody;
    let error = stage.connector().connect(&stage.access(), Purpose::Read).await.err().expect("no answer");
    assert_eq!(error.class, ErrorClass::Unreachable);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_spoils_cells_and_never_claims_an_end_that_was_not_reached() {
    for (kind, verdict) in [
        (FaultKind::Throttled { retry_after: Some(WAIT.as_secs()), retry_info: None }, Verdict::Throttled),
        (FaultKind::Server(503), Verdict::Unreachable),
    ] {
        let stage = Stage::set().await;
        stage.simulator.world().add_machines(CLIENT.0, 3_000);
        let link = stage.link(Purpose::Read).await;
        stage.fault(Fault::of("cloudasset.search", kind).each(2));
        let gathered = Gathered::of(link.as_ref()).await;
        let incomplete = gathered.incomplete();
        // A failure after rows is Partial; whoever asks to wait says so at any time.
        let is_right = |cell: &&&caretaker_cloud::Cell| {
            cell.verdict == if cell.assets > 0 && verdict == Verdict::Unreachable { Verdict::Partial } else { verdict }
        };
        assert!(!incomplete.is_empty() && incomplete.iter().filter(is_right).count() == incomplete.len(), "{:?}", gathered.cells);
        let compute = gathered.cell("compute");
        assert_eq!(compute.verdict == Verdict::Complete, compute.assets == 3_000, "{compute:?}");
        stage.simulator.world().faults.clear();
        if verdict == Verdict::Throttled {
            tokio::time::sleep(WAIT).await;
        }
        let gathered = Gathered::of(link.as_ref()).await;
        assert!(gathered.incomplete().is_empty() && gathered.assets.len() == 3_000, "the same session goes on after it");
        stage.judged().await;
    }
}
