//! SourceIdentity, what is granted beyond the kit, and every way in, on the emulator.

use std::collections::BTreeSet;

use caretaker_aws_shim::{Explorer, Fault, Rows};
use caretaker_cloud::manifest::{aws_actions, aws_entry};
use caretaker_cloud::suite::Stage;
use caretaker_cloud::{
    AccessGrant, AwsGrant, CloudConnector, CloudError, CloudLink, CloudStep, ErrorClass, ExcessStatement, Presented, Purpose, Scope,
    WantedPermission, WayIn, WayKind,
};
use serde_json::{Value, json};

use crate::stage::{OnEmulator, PROVIDER, ROLE};

/// Calls of sts:AssumeRole with a SourceIdentity, as the proxy names them.
const NAMED: &str = "AssumeRole+SourceIdentity";
const CLOSED: &str = "iam:GetRolePolicy";

fn wanted(purpose: Purpose) -> Vec<WantedPermission> {
    aws_actions(purpose).iter().map(|action| WantedPermission { resource: "*".into(), action: action.name.into() }).collect()
}

async fn link(stage: &OnEmulator, grant: &AwsGrant, purpose: Purpose) -> std::sync::Arc<dyn CloudLink> {
    stage.connector.connect(&AccessGrant::Aws(grant.clone()), purpose).await.expect("the role lets us in")
}

fn assumptions(stage: &OnEmulator) -> (usize, usize) {
    let calls = stage.watch.calls();
    let named = calls.iter().filter(|call| call.contains(NAMED)).count();
    (named, calls.iter().filter(|call| call.contains("/AssumeRole")).count() - named)
}

/// From now on roles are as an older kit made them: they take no SourceIdentity. The emulator does not look at it, so the proxy refuses.
fn make_older(stage: &OnEmulator) {
    stage.watch.set_faults(vec![Fault::error(NAMED, 403, "AccessDenied")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_session_says_which_object_acts() {
    let stage = OnEmulator::set().await;
    let grant = stage.grant(&[Purpose::Read]);
    let session = link(&stage, &grant, Purpose::Read).await;
    assert_eq!(assumptions(&stage), (1, 0));
    let gap = session.permissions(&wanted(Purpose::Read)).await.expect("an answer");
    assert!(gap.known && gap.missing.is_empty(), "{gap:?}");
    // What must be refused is tried both ways: a role may demand the one or take only the other.
    for presented in [Presented::Nothing, Presented::Wrong] {
        let answer = stage.connector.attempt(&AccessGrant::Aws(grant.clone()), presented).await;
        assert!(answer.as_ref().is_err_and(CloudError::is_refusal), "{presented:?}: {answer:?}");
    }
    assert_eq!(assumptions(&stage), (3, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_from_an_older_kit_works_on_and_what_it_lacks_is_told() {
    let stage = OnEmulator::set().await;
    let grant = stage.grant(&[Purpose::Read, Purpose::Backup]);
    make_older(&stage);
    let session = link(&stage, &grant, Purpose::Read).await;
    assert_eq!(assumptions(&stage), (2, 1), "one try without, between two with");
    link(&stage, &grant, Purpose::Backup).await;
    let right = stage.connector.attempt(&AccessGrant::Aws(grant.clone()), Presented::Right).await;
    assert_eq!(right.expect("it works on").account, grant.account_id);
    assert_eq!(assumptions(&stage), (2, 3), "the role is not asked again and again");
    let gap = session.permissions(&wanted(Purpose::Read)).await.expect("an answer");
    assert_eq!((gap.missing.as_slice(), gap.known), (["sts:SetSourceIdentity".to_owned()].as_slice(), true));
    stage.forbid_action(&AccessGrant::Aws(grant.clone()), "iam:SimulatePrincipalPolicy").await;
    let gap = session.permissions(&wanted(Purpose::Read)).await.expect("an answer");
    assert_eq!((gap.missing.len(), gap.known), (1, false), "the refusal is known, whatever else is not");
    for presented in [Presented::Nothing, Presented::Wrong] {
        let answer = stage.connector.attempt(&AccessGrant::Aws(grant.clone()), presented).await;
        assert!(answer.as_ref().is_err_and(CloudError::is_refusal), "{presented:?}: {answer:?}");
    }
    assert_eq!(assumptions(&stage), (2, 5), "refused for the ExternalId, not for the SourceIdentity");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_made_between_two_attempts_lacks_nothing() {
    let stage = OnEmulator::set().await;
    let grant = stage.grant(&[Purpose::Read]);
    // The first attempt comes before the client has made the role.
    stage.fault(Fault { times: Some(1), ..Fault::error(NAMED, 403, "AccessDenied") });
    let session = link(&stage, &grant, Purpose::Read).await;
    assert_eq!(assumptions(&stage), (2, 1));
    let gap = session.permissions(&wanted(Purpose::Read)).await.expect("an answer");
    assert!(gap.known && gap.missing.is_empty(), "{gap:?}");
    let right = stage.connector.attempt(&AccessGrant::Aws(grant.clone()), Presented::Right).await;
    assert_eq!(right.expect("it is let in").account, grant.account_id);
    assert_eq!(assumptions(&stage), (3, 1), "it goes on with a SourceIdentity");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hole_is_found_whatever_the_role_says_of_source_identities() {
    let stage = OnEmulator::set().await;
    let grant = stage.grant(&[Purpose::Read]);
    let open = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]});
    stage.call(&["set-trust", &grant.account_id, ROLE], &open);
    make_older(&stage);
    for presented in [Presented::Nothing, Presented::Wrong] {
        let answer = stage.connector.attempt(&AccessGrant::Aws(grant.clone()), presented).await;
        assert!(answer.is_ok(), "a refusal of the SourceIdentity must not hide it: {answer:?}");
    }
    // A role that demands a SourceIdentity, and no ExternalId.
    stage.watch.set_faults(vec![Fault::error("/AssumeRole ", 403, "AccessDenied")]);
    let answer = stage.connector.attempt(&AccessGrant::Aws(grant), Presented::Wrong).await;
    assert!(answer.is_ok(), "nor its absence: {answer:?}");
}

fn allow(sid: &str, actions: &[&str]) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": "*"}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_kit_grants_is_not_too_much_and_any_other_statement_is_named() {
    let stage = OnEmulator::set().await;
    let grant = stage.grant(&[Purpose::Read]);
    let session = link(&stage, &grant, Purpose::Read).await;
    let report = session.excess(&wanted(Purpose::Read)).await.expect("an answer");
    assert_eq!((report.statements, report.unknown), (vec![], None));
    stage.call(&["put-policy", &grant.account_id, ROLE, "extra"], &allow("All", &["s3:*", "ec2:DescribeVpcs", "ec2:RunInstances"]));
    let arn = "arn:aws:iam::aws:policy/AdministratorAccess";
    let role = json!({"Type": "AWS::IAM::Role", "Properties": {
        "RoleName": ROLE, "AssumeRolePolicyDocument": stage.trust(), "ManagedPolicyArns": [arn],
    }});
    stage.call(&["apply-kit", &grant.account_id], &json!({"Resources": {"Access": role}}));
    let report = session.excess(&wanted(Purpose::Read)).await.expect("an answer");
    let expected = [
        ExcessStatement { name: "inline policy extra, statement All".into(), beyond: vec!["s3:*".into(), "ec2:RunInstances".into()] },
        ExcessStatement { name: format!("policy {arn}, statement 1"), beyond: vec!["*".into()] },
    ];
    assert_eq!((report.statements.as_slice(), report.unknown), (expected.as_slice(), None));
    assert!(stage.watch.writes().is_empty(), "looking writes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_iam_does_not_tell_is_unknown_and_never_none() {
    let stage = OnEmulator::set().await;
    let grant = stage.grant(&[Purpose::Read]);
    let session = link(&stage, &grant, Purpose::Read).await;
    stage.watch.set_faults(vec![Fault::error("/GetRolePolicy ", 503, "ServiceUnavailable")]);
    assert_eq!(session.excess(&wanted(Purpose::Read)).await.expect_err("no answer").class, ErrorClass::Unreachable);
    stage.watch.set_faults(Vec::new());
    for action in [CLOSED, "iam:ListRolePolicies"] {
        stage.forbid_action(&AccessGrant::Aws(grant.clone()), action).await;
        let report = session.excess(&wanted(Purpose::Read)).await.expect("an answer");
        assert!(report.unknown.is_some() && report.statements.is_empty(), "{report:?}");
        assert_eq!(report, session.excess(&wanted(Purpose::Read)).await.expect("an answer"), "the words stay the same");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_and_key_of_ours_is_listed() {
    let stage = OnEmulator::set().await;
    let grant = stage.grant(&[Purpose::Read]);
    let other = json!({"Type": "AWS::IAM::Role", "Properties": {
        "RoleName": "Forgotten", "ManagedPolicyArns": ["arn:aws:iam::aws:policy/AdministratorAccess"],
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{}:root", PROVIDER)}, "Action": "sts:AssumeRole",
        }]},
    }});
    let service = json!({"Type": "AWS::IAM::Role", "Properties": {
        "RoleName": "Service", "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole",
        }]},
    }});
    stage.call(&["apply-kit", &grant.account_id], &json!({"Resources": {"Other": other, "Service": service}}));
    let user = stage.call(&["provider", &grant.account_id, "caretaker-old"], &Value::Null);
    stage.call(&["provider", &grant.account_id, "deploy"], &Value::Null);
    let used = "</RoleName><RoleLastUsed><LastUsedDate>2026-11-25T10:00:00Z</LastUsedDate><Region>eu-west-1</Region></RoleLastUsed>";
    stage.watch.set_faults(vec![Fault::rewritten("/GetRole ", "</RoleName>", used)]);
    let session = link(&stage, &grant, Purpose::Read).await;
    let register = session.ways_in().await.expect("an answer");
    assert!(register.unread.is_empty(), "{register:?}");
    let found = |kind: WayKind| register.ways.iter().filter(|way| way.kind == kind).collect::<Vec<&WayIn>>();
    let roles = found(WayKind::Role);
    assert_eq!(roles.len(), 2, "{register:?}");
    let role = |name: &str| *roles.iter().find(|way| way.scope.ends_with(name)).expect("it is listed");
    assert_eq!(
        (&role(ROLE).scope, role(ROLE).grants.as_slice()),
        (&grant.role_arn, ["inline policy caretaker-read".to_owned()].as_slice())
    );
    assert_eq!(role("Forgotten").grants, ["policy arn:aws:iam::aws:policy/AdministratorAccess"]);
    assert!(role("Forgotten").principal.ends_with(":root"), "{:?}", role("Forgotten"));
    assert_eq!(role(ROLE).last_used.map(|day| day.to_string()).as_deref(), Some("2026-11-25"));
    assert_eq!((found(WayKind::User).len(), found(WayKind::AccessKey).len()), (1, 1), "{register:?}");
    let key = user["accessKeyId"].as_str().expect("a key");
    assert!(found(WayKind::AccessKey)[0].principal.contains(key), "{register:?}");
    assert!(!format!("{register:?}").contains(user["secretAccessKey"].as_str().expect("a secret")));
    assert_eq!(register, session.ways_in().await.expect("an answer"), "an unchanged account reads the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_refused_is_a_line_and_a_part_that_does_not_answer_stops_the_reading() {
    let stage = OnEmulator::set().await;
    let grant = stage.grant(&[Purpose::Read]);
    let session = link(&stage, &grant, Purpose::Read).await;
    stage.forbid_action(&AccessGrant::Aws(grant.clone()), "iam:GetRole").await;
    let register = session.ways_in().await.expect("an answer");
    assert_eq!((register.ways.len(), register.unread.len()), (1, 1), "{register:?}");
    stage.forbid_action(&AccessGrant::Aws(grant.clone()), "iam:ListRoles").await;
    let register = session.ways_in().await.expect("an answer");
    assert!(register.ways.is_empty() && register.unread[0].starts_with("roles: iam:ListRoles was refused"), "{register:?}");
    stage.watch.set_faults(vec![Fault::error("/ListUsers ", 503, "ServiceUnavailable")]);
    assert_eq!(session.ways_in().await.expect_err("no answer").class, ErrorClass::Unreachable);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_that_is_made_is_in_the_manifest() {
    let stage = OnEmulator::set().await;
    let grant = stage.grant(&[Purpose::Read, Purpose::Backup, Purpose::Revoke]);
    stage.watch.set_explorer(&grant.account_id, Explorer::on([("eu-west-1".to_owned(), Rows::These(Vec::new()))].into()));
    let session = link(&stage, &grant, Purpose::Backup).await;
    session.permissions(&wanted(Purpose::Read)).await.expect("an answer");
    session.excess(&wanted(Purpose::Read)).await.expect("an answer");
    session.ways_in().await.expect("an answer");
    let mut sink = Nothing;
    session
        .discover(&Scope { regions: Some(vec!["eu-west-1".into()]), ..Scope::default() }, &mut sink)
        .await
        .expect("the cells can be planned");
    let leaving = link(&stage, &grant, Purpose::Revoke).await;
    let strip = CloudStep::StripOwnRole { role: ROLE.into(), last: "caretaker-revoke".into() };
    leaving.perform("key", &strip).await.expect("we may leave");
    let purposes = [Purpose::Read, Purpose::Backup, Purpose::Revoke];
    let tables = std::iter::once(aws_entry()).chain(purposes.into_iter().map(aws_actions));
    let named: BTreeSet<&str> = tables.flatten().filter_map(|action| action.call.split(':').nth(1)).collect();
    for call in stage.watch.calls() {
        let action = call.split(' ').next().and_then(|call| call.rsplit('/').next()).unwrap_or_default();
        // The paths of this REST service are the names of its actions.
        let action = if call.starts_with("resource-explorer-2/") { action.trim_start_matches("POST:") } else { action };
        // Other REST services name no action in the request.
        if !action.starts_with(|c: char| c.is_ascii_uppercase()) || action.contains(':') {
            continue;
        }
        let action = action.split('+').next().unwrap_or_default();
        assert!(named.contains(action), "{action} is not in the manifest: {call}");
    }
}

struct Nothing;

#[async_trait::async_trait]
impl caretaker_cloud::AssetSink for Nothing {
    async fn asset(&mut self, _asset: caretaker_cloud::Asset) -> caretaker_cloud::Result<()> {
        Ok(())
    }

    async fn cell(&mut self, _cell: caretaker_cloud::Cell) -> caretaker_cloud::Result<()> {
        Ok(())
    }
}
