//! From the grant kit to the end: the client's Owner applies the kit, the adapter gets in and finds nothing missing, and leaves by itself. Emulated.

use std::collections::BTreeMap;

use caretaker_arm_simulator::world::{Application, Subscription};
use caretaker_arm_simulator::{AUDIENCE, Simulator, World, judge};
use caretaker_cloud::{AccessGrant, AzureGrant, CloudConnector, CloudError, CloudStep, Presented, Purpose};
use caretaker_cloud_azure::{AzureConfig, AzureConnector, AzureCredentials};
use caretaker_core::kit::azure::wanted;
use caretaker_documents::kit::azure::{Delegation, files};
use serde_json::Value;

const PROVIDER: &str = "aaaaaaaa-0000-4000-8000-00000000000f";
const CLIENT: &str = "bbbbbbbb-0000-4000-8000-00000000000f";
const SUBSCRIPTION: &str = "cccccccc-0000-4000-8000-00000000000f";
const OBJECT: &str = "eeeeeeee-0000-4000-8000-00000000000f";

async fn start() -> Simulator {
    let application = Application {
        tenant_id: PROVIDER.into(),
        client_id: "app".into(),
        object_id: OBJECT.into(),
        secret: Some("right".into()),
        federation: None,
    };
    let subscription = Subscription { tenant_id: CLIENT.into(), groups: vec!["g".into()], ..Subscription::default() };
    let subscriptions = BTreeMap::from([(SUBSCRIPTION.to_owned(), subscription)]);
    Simulator::start(World { applications: vec![application], subscriptions, ..World::default() }).await.expect("a simulator")
}

fn template(principal_id: &str) -> Value {
    let delegation = Delegation {
        client: "acme".into(),
        provider: "[Care] & \"Co\"".into(),
        subscription_id: SUBSCRIPTION.to_uppercase(),
        tenant_id: PROVIDER.into(),
        principal_id: principal_id.into(),
    };
    serde_json::from_str(&files(&delegation)["caretaker-access.azure.json"]).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kit_lets_in_with_nothing_missing_and_out_again() {
    let simulator = start().await;
    let config = AzureConfig {
        authority_host: simulator.url(),
        endpoint: simulator.url(),
        audience: AUDIENCE.into(),
        ca_bundle_pem: Some(simulator.ca_pem().as_bytes().to_vec()),
        ..AzureConfig::public(PROVIDER, "app", AzureCredentials::ClientSecret("right".into()))
    };
    let connector = AzureConnector::new(&config).expect("a connector");
    let grant =
        AccessGrant::Azure(AzureGrant { client: "acme".into(), subscription_id: SUBSCRIPTION.into(), home_tenant_id: Some(CLIENT.into()) });
    let before = connector.connect(&grant, Purpose::Read).await.err().expect("the kit is not applied yet");
    assert!(before.is_refusal(), "{before}");
    for _ in 0..2 {
        simulator.deploy(SUBSCRIPTION, &template(OBJECT)).expect("the Owner may");
    }
    assert_eq!(simulator.change(|world| world.subscriptions[SUBSCRIPTION].delegations.len()), 1, "applied again, it adds nothing");
    let link = connector.connect(&grant, Purpose::Revoke).await.expect("the kit is applied");
    let gap = link.permissions(&wanted(SUBSCRIPTION)).await.expect("an answer");
    assert!(gap.known && gap.missing.is_empty(), "{gap:?}");
    link.perform("revoke", &CloudStep::DeleteDelegation { subscription_id: SUBSCRIPTION.into() }).await.expect("the kit lets us leave");
    let after = connector.attempt(&grant, Presented::Right).await;
    assert!(after.as_ref().is_err_and(CloudError::is_refusal), "{after:?}");
    judge::judge(&simulator.exchanges()).expect("every exchange is as Microsoft defines it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_azure_would_not_delegate_is_refused() {
    let simulator = start().await;
    let mut owner = template(OBJECT);
    owner["resources"][0]["properties"]["authorizations"][0]["roleDefinitionId"] = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635".into();
    let mut other_definition = template(OBJECT);
    other_definition["resources"][1]["properties"]["registrationDefinitionId"] = "elsewhere".into();
    let mut unknown_function = template(OBJECT);
    unknown_function["resources"][0]["name"] = "[newGuid()]".into();
    let mut group = template(OBJECT);
    group["$schema"] = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#".into();
    for (template, why) in [
        (owner, "cannot be delegated"),
        (other_definition, "another definition"),
        (unknown_function, "not understood"),
        (group, "something else"),
    ] {
        let error = simulator.deploy(SUBSCRIPTION, &template).expect_err(why);
        assert!(format!("{error:#}").contains(why), "{error:#}");
    }
    simulator.change(|world| world.subscriptions.get_mut(SUBSCRIPTION).expect("it").tenant_id = PROVIDER.into());
    assert!(simulator.deploy(SUBSCRIPTION, &template(OBJECT)).is_err(), "a tenant does not delegate to itself");
    assert!(simulator.change(|world| world.subscriptions[SUBSCRIPTION].delegations.is_empty()));
}
