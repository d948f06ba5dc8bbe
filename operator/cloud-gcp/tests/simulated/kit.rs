//! The kit that the client applies fits what the adapter asks for: no permission too few, none too many.

use std::collections::BTreeSet;

use caretaker_cloud::{AccessGrant, CloudConnector, CloudError, CloudStep, GcpGrant, Presented, Purpose, StepOutcome};
use caretaker_core::grant::{member, service_account};
use caretaker_core::kit::gcp;
use caretaker_documents::kit::gcp::GcpKit;
use caretaker_google_simulator::apply_terraform;

use crate::stage::{Gathered, PROVIDER, QUOTA, Stage};

const PROJECT: &str = "acme-production";

/// A client who has applied the kit for these purposes, and a provider who has done its own part.
async fn applied(purposes: &[Purpose], quota_project: Option<&str>) -> (Stage, GcpGrant) {
    let mut stage = Stage::set().await;
    stage.config.quota_project = quota_project.map(str::to_owned);
    let us = member(&stage.us);
    let kit = GcpKit {
        client: "acme",
        project_id: PROJECT,
        account_name: "caretaker-acme",
        member: &us,
        quota_project,
        customer_id: None,
        purposes,
    };
    let grant = GcpGrant { client: "acme".into(), project_id: PROJECT.into(), service_account: service_account("caretaker-acme", PROJECT) };
    {
        let mut world = stage.simulator.world();
        world.add_project(PROJECT, "400000000001");
        // A new project has no API on.
        for service in ["cloudasset", "cloudresourcemanager", "iam"] {
            world.disabled.insert((format!("{service}.googleapis.com"), PROJECT.into()));
        }
        world.add_machines(PROJECT, 3);
        apply_terraform(&mut world, PROJECT, &kit.files()["caretaker-access.tf"]).expect("the kit can be applied");
        if kit.provider_command().is_some() {
            let member = format!("serviceAccount:{}", grant.service_account);
            world.projects.get_mut(QUOTA).unwrap().policy.bind("roles/serviceusage.serviceUsageConsumer", &member);
        }
    }
    (stage, grant)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kit_opens_the_door_and_lets_us_leave() {
    for quota_project in [Some(QUOTA), None] {
        let purposes = [Purpose::Read, Purpose::Revoke];
        let (stage, grant) = applied(&purposes, quota_project).await;
        let (connector, access) = (stage.connector(), AccessGrant::Gcp(grant.clone()));
        let link = connector.connect(&access, Purpose::Read).await.expect("the kit lets us in");
        let gap = link.permissions(&gcp::wanted(&purposes, &grant)).await.expect("an answer");
        assert!(gap.known && gap.missing.is_empty(), "{gap:?}");
        let gathered = Gathered::of(link.as_ref()).await;
        assert!(gathered.incomplete().is_empty() && gathered.assets.len() == 3, "{:?}", gathered.cells);
        for presented in [Presented::Nothing, Presented::Wrong] {
            assert!(connector.attempt(&access, presented).await.as_ref().is_err_and(CloudError::is_refusal), "{presented:?}");
        }
        let link = connector.connect(&access, Purpose::Revoke).await.expect("the kit lets us leave");
        let step = CloudStep::RemoveBinding { project_id: PROJECT.into(), member: member(&stage.us) };
        assert_eq!(link.perform("key", &step).await.expect("we may leave").outcome, StepOutcome::Done);
        assert!(connector.attempt(&access, Presented::Right).await.as_ref().is_err_and(CloudError::is_refusal), "we are out");
        stage.judged().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kit_for_reading_lets_us_do_nothing_else() {
    let (stage, grant) = applied(&[Purpose::Read], Some(QUOTA)).await;
    let link = stage.connector().connect(&AccessGrant::Gcp(grant.clone()), Purpose::Revoke).await.expect("the kit lets us in");
    let wanted = gcp::wanted(&[Purpose::Read, Purpose::Revoke], &grant);
    let gap = link.permissions(&wanted).await.expect("an answer");
    let revoke: BTreeSet<String> = gcp::wanted(&[Purpose::Revoke], &grant).into_iter().map(|wanted| wanted.action).collect();
    assert_eq!(gap.missing.into_iter().collect::<BTreeSet<_>>(), revoke);
    let step = CloudStep::RemoveBinding { project_id: PROJECT.into(), member: member(&stage.us) };
    assert!(link.perform("key", &step).await.as_ref().is_err_and(CloudError::is_refusal));
    let elsewhere = AccessGrant::Gcp(GcpGrant { project_id: PROVIDER.into(), ..grant });
    assert!(stage.connector().connect(&elsewhere, Purpose::Read).await.is_err());
    stage.judged().await;
}
