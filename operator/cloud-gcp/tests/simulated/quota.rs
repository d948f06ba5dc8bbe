//! One quota project for many clients: a steady pace, and turns.

use std::sync::Arc;
use std::time::{Duration, Instant};

use caretaker_cloud::{AccessGrant, CloudConnector, GcpGrant, Purpose};

use crate::stage::{Gathered, QUOTA, Stage};

/// Calls in a window of the simulated quota. The window stands for Google's minute.
const CALLS: u32 = 50;
const WINDOW: Duration = Duration::from_secs(1);
/// Projects of the big client, and of the nine others together.
const PROJECTS: (usize, usize) = (21, 9);

#[tokio::test(flavor = "multi_thread")]
async fn thirty_projects_of_ten_clients_share_one_quota() {
    let mut stage = Stage::set().await;
    // A little below the quota, as in practice.
    stage.config.calls_per_minute = (CALLS - 2) * 60;
    let member = format!("serviceAccount:{}", stage.us);
    let grants: Vec<GcpGrant> = {
        let mut world = stage.simulator.world();
        world.quotas.push(caretaker_google_simulator::Quota::new(QUOTA, CALLS, WINDOW));
        let projects = PROJECTS.0 + PROJECTS.1;
        let mut grants = Vec::new();
        for index in 0..projects {
            let id = format!("project-{index:02}");
            world.add_project(&id, &format!("3{index:011}"));
            world.add_machines(&id, 5);
            // As the kit makes it: each project has a service account of its own, also those of one client.
            let account = world.add_client_access(&id, QUOTA, &member);
            let client = if index < PROJECTS.0 { "big".to_owned() } else { id.clone() };
            grants.push(GcpGrant { client, project_id: id, service_account: account });
        }
        grants
    };
    let connector = Arc::new(stage.connector());
    let mut links = Vec::new();
    for grant in &grants {
        links.push(connector.connect(&AccessGrant::Gcp(grant.clone()), Purpose::Read).await.expect("the client lets us in"));
    }
    let began = Instant::now();
    let mut tasks = Vec::new();
    for link in links {
        tasks.push(tokio::spawn(async move {
            let gathered = Gathered::of(link.as_ref()).await;
            (gathered.incomplete().len(), gathered.assets.len(), began.elapsed())
        }));
    }
    let mut ends = Vec::new();
    for task in tasks {
        let (incomplete, assets, end) = task.await.expect("no panic");
        assert_eq!((incomplete, assets), (0, 5));
        ends.push(end);
    }
    let took = began.elapsed();
    let calls = u32::try_from(stage.simulator.calls("cloudasset.search")).expect("few");
    let allowed = WINDOW * calls / CALLS;
    assert!(took < allowed.mul_f64(1.3), "{took:?} for {calls} calls, of which the quota allows {CALLS} in {WINDOW:?}");
    let refused = stage.simulator.exchanges().iter().filter(|exchange| exchange["status"] == 429).count();
    assert!(refused * 20 < calls as usize, "{refused} of {calls} were refused");
    let slowest = ends[PROJECTS.0..].iter().max().expect("there are some");
    assert!(*slowest < took.mul_f64(0.7), "the small clients end after {slowest:?} of {took:?}");
    stage.judged().await;
}
