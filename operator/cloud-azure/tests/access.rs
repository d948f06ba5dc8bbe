//! Access on the simulator: who gets in, who does not, and what is said of it. Emulated: nothing here was proved against Azure.

mod common;

use std::collections::BTreeMap;

use caretaker_arm_simulator::entra::{self, AUDIENCE};
use caretaker_arm_simulator::world::{Application, DELEGATION_DELETE, Federation, READER, Refusal, Subscription};
use caretaker_cloud::manifest::{azure_actions, azure_roles};
use caretaker_cloud::{AccessGrant, AzureGrant, CloudConnector, CloudError, ErrorClass, Identity, Presented, Purpose, WantedPermission};
use caretaker_cloud_azure::{AzureConfig, AzureConnector, AzureCredentials};
use common::{APPLICATION, CLIENT, OBJECT, PROVIDER, SECRET, SUBSCRIPTION, Stage, delegated, delegation, grant};

/// How connecting ends.
async fn connecting(stage: &Stage, grant: &AccessGrant) -> Option<CloudError> {
    stage.connector().connect(grant, Purpose::Read).await.err()
}

fn declared(home_tenant_id: &str) -> AccessGrant {
    AccessGrant::Azure(AzureGrant {
        client: "acme".into(),
        subscription_id: SUBSCRIPTION.into(),
        home_tenant_id: Some(home_tenant_id.into()),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_lets_in_and_a_wrong_one_is_our_own_fault() {
    let stage = Stage::new().await;
    let me = Identity { account: PROVIDER.into(), principal: format!("{APPLICATION}/{OBJECT}") };
    assert_eq!(stage.connector().base_identity().await.expect("the secret is right"), me);
    let wrong = "wr0ng~secret.never/+=shown";
    let config = AzureConfig { credentials: AzureCredentials::ClientSecret(wrong.into()), ..stage.config() };
    assert!(!format!("{config:?}").contains("wr0ng"), "{config:?}");
    let error = AzureConnector::new(&config).expect("a connector").base_identity().await.expect_err("the secret is wrong");
    assert_eq!((error.class, error.code.as_str()), (ErrorClass::Credentials, "AADSTS7000215"));
    assert!(!format!("{error} {error:?}").contains("wr0ng"), "{error:?}");
    assert!(!serde_json::to_string(&stage.simulator.exchanges()).expect("JSON").contains(SECRET));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projected_token_lets_in_while_it_is_good() {
    let stage = Stage::new().await;
    let federation = Federation { issuer: "https://oidc.example".into(), subject: "system:serviceaccount:a:b".into(), key: "k".into() };
    stage.simulator.change(|world| world.applications[0].federation = Some(federation.clone()));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    let config = AzureConfig { credentials: AzureCredentials::ProjectedToken(file.clone()), ..stage.config() };
    let connector = AzureConnector::new(&config).expect("a connector");
    let ends = |token: String| {
        std::fs::write(&file, token).expect("a file");
        connector.base_identity()
    };
    let stranger = Federation { subject: "system:serviceaccount:a:c".into(), ..federation.clone() };
    let forger = Federation { key: "other".into(), ..federation.clone() };
    for (token, code) in [
        (entra::assertion(&federation, AUDIENCE, -1), "AADSTS700024"),
        (entra::assertion(&federation, "another", 600), "AADSTS700212"),
        (entra::assertion(&stranger, AUDIENCE, 600), "AADSTS700213"),
        (entra::assertion(&forger, AUDIENCE, 600), "AADSTS700027"),
    ] {
        let error = ends(token.clone()).await.expect_err("the token is not good");
        assert_eq!((error.class, error.code.as_str()), (ErrorClass::Credentials, code), "{error}");
        assert!(!format!("{error:?}").contains(&token));
    }
    // The file is read for each use: what the kubelet renews counts at once.
    let good = ends(entra::assertion(&federation, AUDIENCE, 600) + "\n").await.expect("the token is good");
    assert_eq!(good.account, PROVIDER);
    connector.connect(&grant(), Purpose::Read).await.expect("and the subscription can be read");
    std::fs::remove_file(&file).expect("it is there");
    assert_eq!(connector.base_identity().await.expect_err("no file").class, ErrorClass::Credentials);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegated_subscription_is_proved_in_any_letter_case() {
    let stage = Stage::new().await;
    for home_tenant_id in [None, Some(CLIENT.to_uppercase())] {
        let grant = AccessGrant::Azure(AzureGrant { client: "acme".into(), subscription_id: SUBSCRIPTION.to_uppercase(), home_tenant_id });
        let link = stage.connector().connect(&grant, Purpose::Read).await.expect("it is delegated");
        let identity = link.identity().await.expect("an answer");
        assert_eq!((identity.account.as_str(), identity.principal), (SUBSCRIPTION, format!("{APPLICATION}/{OBJECT}")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_a_subscription_is_decides() {
    let stage = Stage::new().await;
    let class = |error: Option<CloudError>| error.map(|error| error.class);
    assert_eq!(class(connecting(&stage, &grant()).await), None);
    let other = "ffffffff-0000-4000-8000-00000000000f";
    assert_eq!(class(connecting(&stage, &declared(other)).await), Some(ErrorClass::WrongAccount), "another home than declared");
    stage.edit(|subscription| subscription.tenant_id = PROVIDER.to_uppercase());
    let own = connecting(&stage, &grant()).await.expect("it is refused");
    assert!(own.class == ErrorClass::WrongAccount && own.message.contains("the provider's own"), "{own}");
    stage.edit(|subscription| subscription.tenant_id = CLIENT.into());
    stage.simulator.change(|world| world.hide_managers = true);
    let silent = connecting(&stage, &grant()).await.expect("nothing is proved");
    assert!(silent.class == ErrorClass::Unreachable && silent.message.contains("who manages"), "{silent}");
    stage.simulator.change(|world| world.hide_managers = false);
    // A guest's role assignment is another way in: neither a proof nor a refusal.
    stage.edit(|subscription| {
        subscription.delegations.clear();
        subscription.assignments = vec![(OBJECT.into(), READER.into())];
    });
    let guest = connecting(&stage, &grant()).await.expect("it is not delegated");
    assert!(guest.class == ErrorClass::WrongAccount && !guest.is_refusal(), "{guest}");
    assert!(stage.queries().is_empty(), "nothing was listed of any of them");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_cannot_be_seen_is_never_called_gone() {
    let stage = Stage::new().await;
    stage.edit(|subscription| subscription.delegations.clear());
    let error = connecting(&stage, &grant()).await.expect("it is refused");
    assert!(error.is_refusal() && error.message.contains("no access or gone"), "{error}");
    assert_eq!(error.code, "SubscriptionNotFound");
    let malformed = AccessGrant::Azure(AzureGrant { client: "acme".into(), subscription_id: "../tenants".into(), home_tenant_id: None });
    assert_eq!(connecting(&stage, &malformed).await.expect("no id").class, ErrorClass::Invalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_right_principal_gets_in_and_each_attempt_is_fresh() {
    let stage = Stage::new().await;
    let connector = stage.connector();
    for number in 1..=2 {
        let identity = connector.attempt(&grant(), Presented::Right).await.expect("it is delegated");
        assert_eq!((identity.account.as_str(), stage.tokens()), (SUBSCRIPTION, number), "each attempt takes a token of its own");
    }
    for presented in [Presented::Wrong, Presented::Nothing] {
        let attempt = connector.attempt(&grant(), presented).await;
        assert!(attempt.as_ref().is_err_and(CloudError::is_refusal), "{presented:?}: {attempt:?}");
    }
    // Another provider's principal, in its own tenant.
    let elsewhere = "abababab-0000-4000-8000-00000000000f";
    stage.simulator.change(|world| {
        let application = Application { tenant_id: elsewhere.into(), object_id: elsewhere.into(), ..world.applications[0].clone() };
        world.applications.push(application);
    });
    let stranger = AzureConnector::new(&AzureConfig { tenant_id: elsewhere.into(), ..stage.config() }).expect("a connector");
    let attempt = stranger.attempt(&grant(), Presented::Right).await;
    assert!(attempt.as_ref().is_err_and(CloudError::is_refusal), "{attempt:?}");
    stage.edit(|subscription| subscription.delegations.clear());
    let attempt = connector.attempt(&grant(), Presented::Right).await;
    assert!(attempt.as_ref().is_err_and(CloudError::is_refusal), "the delegation is gone: {attempt:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_no_refusal() {
    let stage = Stage::new().await;
    let connector = stage.connector();
    stage.rule("/subscriptions/", "", Refusal::Server(502), (0, Some(1)));
    let class = |result: caretaker_cloud::Result<Identity>| result.expect_err("no answer").class;
    assert_eq!(class(connector.attempt(&grant(), Presented::Right).await), ErrorClass::Unreachable);
    stage.rule("/oauth2/", "", Refusal::Server(503), (0, Some(1)));
    assert_eq!(class(connector.base_identity().await), ErrorClass::Unreachable);
    stage.rule("/oauth2/", "", Refusal::Throttled(7), (0, Some(1)));
    assert_eq!(class(connector.base_identity().await), ErrorClass::Throttled(Some(std::time::Duration::from_secs(7))));
    let distrustful = AzureConnector::new(&AzureConfig { ca_bundle_pem: None, ..stage.config() }).expect("a connector");
    assert_eq!(class(distrustful.base_identity().await), ErrorClass::Unreachable, "an unknown CA is no answer");
    // A fresh token that counts as ended is our own fault, such as a wrong clock.
    stage.rule("/subscriptions/", "", Refusal::TokenEnded, (0, Some(1)));
    assert_eq!(class(connector.attempt(&grant(), Presented::Right).await), ErrorClass::Credentials);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_in_the_clear() {
    let stage = Stage::new().await;
    let clear = stage.simulator.url().replace("https", "http");
    for config in [AzureConfig { endpoint: clear.clone(), ..stage.config() }, AzureConfig { authority_host: clear, ..stage.config() }] {
        let error = AzureConnector::new(&config).err().expect("it is refused");
        assert_eq!(error.class, ErrorClass::Credentials);
    }
}

fn wanted() -> Vec<WantedPermission> {
    let actions = [Purpose::Read, Purpose::Revoke].into_iter().flat_map(azure_actions);
    actions.map(|action| WantedPermission { resource: "*".into(), action: action.name.into() }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn permissions_say_what_is_missing() {
    let stage = Stage::new().await;
    let gap = stage.link(Purpose::Read).await.permissions(&wanted()).await.expect("an answer");
    assert!(gap.known && gap.missing.is_empty(), "the roles of the manifest hold its actions: {gap:?}");
    assert_eq!(azure_roles(Purpose::Revoke)[0].id, DELEGATION_DELETE);
    stage.edit(|subscription| subscription.delegations = vec![delegation(1, &[READER])]);
    let gap = stage.link(Purpose::Read).await.permissions(&wanted()).await.expect("an answer");
    assert_eq!(gap.missing, ["Microsoft.ManagedServices/registrationAssignments/delete"]);
    assert!(stage.simulator.exchanges().iter().all(|exchange| exchange.method == "GET"), "asking writes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn permissions_that_may_not_be_asked_are_unknown() {
    let stage = Stage::new().await;
    let link = stage.link(Purpose::Read).await;
    stage.rule("Microsoft.Authorization", "", Refusal::Denied, (0, Some(1)));
    let gap = link.permissions(&wanted()).await.expect("an answer");
    assert!(!gap.known && gap.missing.is_empty(), "{gap:?}");
    stage.rule("Microsoft.Authorization", "", Refusal::Server(500), (0, Some(1)));
    assert_eq!(link.permissions(&wanted()).await.expect_err("no answer").class, ErrorClass::Unreachable);
    stage.edit(|subscription| subscription.groups.clear());
    let gap = link.permissions(&wanted()).await.expect("an answer");
    assert!(!gap.known && gap.missing.is_empty(), "without a group nobody can be asked: {gap:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refused_subscription_of_many_stops_no_other() {
    let stage = Stage::new().await;
    let connector = stage.connector();
    let more: BTreeMap<String, Subscription> =
        (0..10).map(|number| (format!("cccccccc-0000-4000-8000-{number:012}"), delegated())).collect();
    stage.simulator.change(|world| world.subscriptions.extend(more.clone()));
    stage.rule("/subscriptions/cccccccc-0000-4000-8000-000000000003", "", Refusal::Denied, (0, None));
    for subscription_id in more.into_keys() {
        let refused = subscription_id.ends_with('3');
        let grant = AccessGrant::Azure(AzureGrant { client: "acme".into(), subscription_id, home_tenant_id: None });
        assert_eq!(connector.connect(&grant, Purpose::Read).await.is_err_and(|error| error.is_refusal()), refused);
    }
}
