//! The accounts of an organization on the emulator, whose own policies decide. It lists all accounts in one page; the reading of pages is tested beside
//! the code.

use caretaker_cloud::manifest::aws_actions;
use caretaker_cloud::suite::Stage;
use caretaker_cloud::{AccessGrant, AwsGrant, CloudConnector, ErrorClass, MemberState, Purpose, WantedPermission};
use serde_json::{Value, json};

use crate::stage::OnEmulator;

async fn organization(stage: &OnEmulator, purposes: &[Purpose]) -> (AwsGrant, Vec<String>) {
    let grant = stage.grant(purposes);
    let made = stage.call(&["organization", &grant.account_id, "shop", "data"], &Value::Null);
    let ids: Vec<String> = serde_json::from_value(made["accounts"].clone()).expect("ids");
    (grant, ids)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_management_account_lists_all_and_says_which_is_closed() {
    let stage = OnEmulator::set().await;
    let (grant, ids) = organization(&stage, &[Purpose::Members]).await;
    let link = stage.connector.connect(&AccessGrant::Aws(grant.clone()), Purpose::Members).await.expect("the role lets us in");
    let members = link.members().await.expect("a list");
    let state = |id: &str| members.iter().find(|member| member.id == id).map(|member| (member.name.as_str(), member.state));
    assert_eq!(members.len(), 3, "{members:?}");
    assert_eq!(state(&ids[0]), Some(("shop", MemberState::Active)));
    assert!(state(&grant.account_id).is_some(), "the management account is one of them");
    stage.call(&["close-account", &grant.account_id, &ids[1]], &json!(null));
    let members = link.members().await.expect("a list");
    let closed: Vec<&str> =
        members.iter().filter(|member| member.state == MemberState::Suspended).map(|member| member.id.as_str()).collect();
    assert_eq!(closed, [ids[1].as_str()]);
    let wanted: Vec<WantedPermission> =
        aws_actions(Purpose::Members).iter().map(|action| WantedPermission { resource: "*".into(), action: action.name.into() }).collect();
    let gap = link.permissions(&wanted).await.expect("an answer");
    assert!(gap.known && gap.missing.is_empty(), "{gap:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_list_is_refused_and_a_reading_session_may_not() {
    let stage = OnEmulator::set().await;
    let (grant, _) = organization(&stage, &[Purpose::Members, Purpose::Read]).await;
    let reading = stage.connector.connect(&AccessGrant::Aws(grant.clone()), Purpose::Read).await.expect("the role lets us in");
    assert_eq!(reading.members().await.expect_err("the session is for reading").class, ErrorClass::Denied);
    let link = stage.connector.connect(&AccessGrant::Aws(grant.clone()), Purpose::Members).await.expect("the role lets us in");
    stage.forbid_action(&AccessGrant::Aws(grant.clone()), "organizations:ListAccounts").await;
    let error = link.members().await.expect_err("it may not list");
    assert_eq!((error.class, error.operation.as_str()), (ErrorClass::Denied, "organizations:ListAccounts"));
    assert!(error.message.contains("delegated administrators"), "{error}");
}
