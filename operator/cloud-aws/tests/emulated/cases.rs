//! Cases from practice on AWS, each small. The table of all of them, with the tests of the other clouds, is in `e2e/tests/cases_from_practice.rs`.

use std::collections::{BTreeMap, BTreeSet};

use caretaker_aws_shim::{Answer, Fault, Rows};
use caretaker_cloud::suite::{Gathered, PAGE, Stage};
use caretaker_cloud::{AccessGrant, AwsGrant, AwsType, CloudConnector, PatchFacts, Presented, Purpose, Scope, Verdict};
use serde_json::{Value, json};

use crate::stage::{HOME, OnEmulator, PROVIDER, REGIONS, ROLE, aws};

fn scope() -> Scope {
    Scope { regions: Some(REGIONS.map(str::to_owned).to_vec()), ..Scope::default() }
}

/// The value of a parameter in the form of a call.
fn parameter(exchange: &Value, name: &str) -> Option<String> {
    let form = exchange["request"].as_str().unwrap_or_default();
    form.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}

fn exchanges(stage: &OnEmulator, action: &str) -> Vec<Value> {
    stage.watch.exchanges().into_iter().filter(|exchange| exchange["action"] == action).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_the_role_ends_the_session_of_the_old_one() {
    let stage = OnEmulator::set().await;
    let a = stage.grant(&[Purpose::Read]);
    let role = |name: &str| AwsGrant { role_arn: format!("arn:aws:iam::{}:role/{name}", a.account_id), ..a.clone() };
    let connect = async |grant: &AwsGrant| stage.connector.connect(&AccessGrant::Aws(grant.clone()), Purpose::Read).await;
    let link = connect(&a).await.expect("A lets us in");
    link.discover(&scope(), &mut Gathered::default()).await.expect("the cells can be planned");
    let session = stage.calls("DescribeInstances")[0].split(' ').nth(1).expect("a key").to_owned();
    let before = stage.watch.calls().len();
    let b = role("CaretakerB");
    let refused = connect(&b).await.err().expect("B is not there");
    assert!(refused.is_refusal() && refused.to_string().contains("CaretakerB"), "{refused}");
    let trust = json!({"Type": "AWS::IAM::Role", "Properties": {"RoleName": "CaretakerC", "AssumeRolePolicyDocument": stage.trust()}});
    stage.call(&["apply-kit", &a.account_id], &json!({"Resources": {"Access": trust}}));
    let c = connect(&role("CaretakerC")).await.expect("C recovers unaided");
    assert!(c.identity().await.expect("an answer").principal.contains("CaretakerC"));
    let after: Vec<String> = stage.watch.calls().split_off(before);
    assert!(!after.iter().any(|call| call.contains(&session)), "no call after the edit carries A's session: {after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_providers_own_machines_are_in_no_clients_inventory() {
    let stage = OnEmulator::set().await;
    let grant = stage.grant(&[Purpose::Read]);
    // At home the base identity may list, and there is something to be listed.
    let user = stage.base_user();
    let allow = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]});
    stage.call(&["put-user-policy", PROVIDER, &user, "home"], &allow);
    stage.call(&["instances", PROVIDER, REGIONS[0], "2"], &Value::Null);
    stage.call(&["delete-role", &grant.account_id, ROLE], &Value::Null);
    let answer = stage.connector.connect(&AccessGrant::Aws(grant), Purpose::Read).await;
    assert!(answer.err().is_some_and(|error| error.is_refusal()));
    let calls = stage.watch.calls();
    assert!(!calls.is_empty() && calls.iter().all(|call| call.starts_with("sts/")), "not one list call with the base identity: {calls:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn regions_that_may_not_be_asked_for_are_told_with_both_cures() {
    let stage = OnEmulator::set().await;
    let grant = AccessGrant::Aws(stage.grant(&[Purpose::Read]));
    for action in ["ec2:DescribeRegions", "account:ListRegions"] {
        stage.forbid_action(&grant, action).await;
        // The emulator lets the second one slip through.
        let name = if action.starts_with("account") { "POST:listRegions" } else { "DescribeRegions" };
        stage.fault(Fault::error(name, 403, "AccessDeniedException"));
    }
    let link = stage.connector.connect(&grant, Purpose::Read).await.expect("the role lets us in");
    let gathered = Gathered::of(&stage, &grant, link.as_ref()).await;
    assert!(gathered.incomplete().is_empty(), "named regions need nobody's word: {:?}", gathered.incomplete());
    let mut gathered = Gathered::default();
    let error = link.discover(&Scope::default(), &mut gathered).await.expect_err("no region is known");
    for part in ["account:ListRegions", "ec2:DescribeRegions", "spec.accounts[].aws.regions"] {
        assert!(error.to_string().contains(part), "{part} is not in {error}");
    }
    assert!(gathered.cells.is_empty() && gathered.assets.is_empty() && error.is_refusal(), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_does_not_take_our_session_is_denied_by_itself() {
    for code in ["AuthFailure", "InvalidClientTokenId"] {
        let stage = OnEmulator::set().await;
        let grant = AccessGrant::Aws(stage.grant(&[Purpose::Read]));
        let link = stage.connector.connect(&grant, Purpose::Read).await.expect("the role lets us in");
        let assumed = stage.calls("AssumeRole").len();
        let [whole, shut] = REGIONS;
        // Services that know no region are asked by us-east-1 too, and are not what is shut.
        for kind in AwsType::ALL.into_iter().filter(|kind| kind.operation().starts_with("ec2:")) {
            let action = kind.operation().split_once(':').map_or("", |(_, action)| action);
            stage.fault(Fault::error(&format!("ec2/{shut}/{action}"), 401, code));
        }
        let gathered = Gathered::of(&stage, &grant, link.as_ref()).await;
        for cell in &gathered.cells {
            let is_shut = cell.key.region == shut && cell.key.service.starts_with("ec2/");
            assert_eq!(cell.verdict, if is_shut { Verdict::Denied } else { Verdict::Complete }, "{cell:?}");
            assert!(!is_shut || cell.cause.contains(code) && cell.cause.contains("enable the region"), "{}", cell.cause);
        }
        assert!(gathered.cells.iter().any(|cell| cell.key.region == whole), "the other region is read");
        assert!(stage.calls("AssumeRole").len() <= assumed + 1, "at most one more session");
        let regional = exchanges(&stage, "AssumeRole").iter().all(|exchange| exchange["region"] == HOME);
        assert!(regional, "a session of the global endpoint is good for no region that was opted into");
        stage.connector.attempt(&grant, Presented::Right).await.expect("access stands");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_pages_outlive_the_session_that_began_them() {
    let stage = OnEmulator::set().await;
    let grant = AccessGrant::Aws(stage.grant(&[Purpose::Read]));
    let count = 4 * PAGE + 1;
    stage.machines(&grant, REGIONS[0], count).await;
    stage.page_rows(PAGE).await;
    let link = stage.connector.connect(&grant, Purpose::Read).await.expect("the role lets us in");
    let assumed = stage.calls("AssumeRole").len();
    let ended = Answer::Error { status: 400, code: "RequestExpired".into(), retry_after: None };
    stage.fault(Fault { skip: 2, times: Some(1), ..Fault::of("ec2/eu-west-1/DescribeInstances", ended) });
    let gathered = Gathered::of(&stage, &grant, link.as_ref()).await;
    assert!(gathered.incomplete().is_empty(), "{:?}", gathered.incomplete());
    assert_eq!(gathered.machines(), count);
    assert_eq!(stage.calls("AssumeRole").len(), assumed + 1, "one new session");
    let sessions = exchanges(&stage, "AssumeRole");
    let length = |exchange: &Value| parameter(exchange, "DurationSeconds").and_then(|seconds| seconds.parse::<u32>().ok());
    assert!(sessions.iter().all(|exchange| length(exchange).is_some_and(|seconds| seconds <= 3600)), "{sessions:?}");
    let of_region = |exchange: &&Value| exchange["region"] == REGIONS[0];
    let pages = exchanges(&stage, "DescribeInstances");
    let tokens: Vec<_> = pages.iter().filter(of_region).map(|exchange| parameter(exchange, "NextToken")).collect();
    assert_eq!(tokens.len(), 6);
    assert!(tokens[2].is_some() && tokens[2] == tokens[3], "the page that was refused is asked for again: {tokens:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_may_outlive_many_sessions_and_a_page_only_one() {
    let stage = OnEmulator::set().await;
    let grant = AccessGrant::Aws(stage.grant(&[Purpose::Read]));
    let count = 3 * PAGE + 1;
    stage.machines(&grant, REGIONS[0], count).await;
    stage.page_rows(PAGE).await;
    let link = stage.connector.connect(&grant, Purpose::Read).await.expect("the role lets us in");
    let assumed = stage.calls("AssumeRole").len();
    let ended = || Answer::Error { status: 400, code: "RequestExpired".into(), retry_after: None };
    stage.fault(Fault { skip: 1, each: 2, ..Fault::of("ec2/eu-west-1/DescribeInstances", ended()) });
    let gathered = Gathered::of(&stage, &grant, link.as_ref()).await;
    assert!(gathered.incomplete().is_empty(), "{:?}", gathered.incomplete());
    assert_eq!(gathered.machines(), count);
    assert_eq!(stage.calls("AssumeRole").len(), assumed + 2, "a new session for each page that was refused");
    stage.cure().await;
    stage.fault(Fault { skip: 1, ..Fault::of("ec2/eu-west-1/DescribeInstances", ended()) });
    let gathered = Gathered::of(&stage, &grant, link.as_ref()).await;
    let [cell] = gathered.incomplete()[..] else { panic!("one cell only: {:?}", gathered.incomplete()) };
    assert_eq!((cell.verdict, cell.assets), (Verdict::Partial, PAGE as u64), "{cell:?}");
    assert_eq!(stage.calls("AssumeRole").len(), assumed + 3, "a page that is refused again ends the cell");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_inside_another_that_repeats_its_token_is_partial() {
    let stage = OnEmulator::set().await;
    let grant = AccessGrant::Aws(stage.grant(&[Purpose::Read]));
    let link = stage.connector.connect(&grant, Purpose::Read).await.expect("the role lets us in");
    stage.fault(Fault::rewritten("kms/eu-west-1/ListAliases", "\"Truncated\": false", "\"Truncated\": true, \"NextMarker\": \"again\""));
    let gathered = Gathered::of(&stage, &grant, link.as_ref()).await;
    let [cell] = gathered.incomplete()[..] else { panic!("one cell only: {:?}", gathered.incomplete()) };
    assert_eq!((cell.key.service.as_str(), cell.verdict), (AwsType::Key.service(), Verdict::Partial));
    assert!(cell.cause.contains("kms:ListAliases") && cell.cause.contains("repeated a page token"), "{}", cell.cause);
    assert_eq!(stage.calls("kms/eu-west-1/ListAliases").len(), 2, "it is not asked for ever");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_cut_off_without_a_token_is_partial() {
    let stage = OnEmulator::set().await;
    let grant = AccessGrant::Aws(stage.grant(&[Purpose::Read]));
    let link = stage.connector.connect(&grant, Purpose::Read).await.expect("the role lets us in");
    let more = "<IsTruncated>true</IsTruncated>";
    stage.fault(Fault::rewritten("ListUsers", "<IsTruncated>false</IsTruncated>", more));
    let gathered = Gathered::of(&stage, &grant, link.as_ref()).await;
    let [cell] = gathered.incomplete()[..] else { panic!("one cell only: {:?}", gathered.incomplete()) };
    assert_eq!((cell.key.service.as_str(), cell.verdict), (AwsType::User.service(), Verdict::Partial));
    assert!(cell.cause.contains("cut off"), "{}", cell.cause);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_token_that_is_refused_is_partial() {
    let stage = OnEmulator::set().await;
    let grant = AccessGrant::Aws(stage.grant(&[Purpose::Read]));
    stage.machines(&grant, REGIONS[0], 2 * PAGE).await;
    stage.page_rows(PAGE).await;
    let link = stage.connector.connect(&grant, Purpose::Read).await.expect("the role lets us in");
    let refused = Answer::Error { status: 400, code: "InvalidNextToken".into(), retry_after: None };
    stage.fault(Fault { skip: 1, ..Fault::of("ec2/eu-west-1/DescribeInstances", refused) });
    let gathered = Gathered::of(&stage, &grant, link.as_ref()).await;
    let [cell] = gathered.incomplete()[..] else { panic!("one cell only: {:?}", gathered.incomplete()) };
    assert_eq!((cell.verdict, cell.assets), (Verdict::Partial, PAGE as u64), "{cell:?}");
}

/// 120 machines that Systems Manager looks after, of which it has scanned the first 70: three pages of machines, each with its question for states.
#[tokio::test(flavor = "multi_thread")]
async fn what_systems_manager_knows_of_patches_arrives() {
    let stage = OnEmulator::set().await;
    let grant = AccessGrant::Aws(stage.grant(&[Purpose::Read]));
    let id = |number: usize| format!("i-{number:017x}");
    let known = Rows::made(120, move |number| json!({"InstanceId": id(number), "PingStatus": "Online"}).to_string());
    let scanned = Rows::made(70, move |number| {
        json!({
            "InstanceId": id(number), "PatchGroup": "web", "BaselineId": "pb-0123456789abcdef0", "Operation": "Scan",
            "OperationStartTime": 1_760_000_000.0, "OperationEndTime": 1_760_000_060.0, "MissingCount": number, "FailedCount": 0,
            "CriticalNonCompliantCount": 1, "InstalledPendingRebootCount": usize::from(number == 3),
        })
        .to_string()
    });
    stage.watch.set_rows("ssm/DescribeInstanceInformation", grant.account(), REGIONS[0], known);
    stage.watch.set_rows("ssm/DescribeInstancePatchStates", grant.account(), REGIONS[0], scanned);
    let link = stage.connector.connect(&grant, Purpose::Read).await.expect("the role lets us in");
    let gathered = Gathered::of(&stage, &grant, link.as_ref()).await;
    assert!(gathered.incomplete().is_empty(), "{:?}", gathered.incomplete());
    let states: Vec<_> = gathered.assets.iter().filter(|asset| asset.service == AwsType::PatchState.service()).collect();
    let ids: BTreeSet<_> = states.iter().map(|state| state.id.clone()).collect();
    assert_eq!((states.len(), ids.len()), (70, 70), "a machine that was never scanned has no state");
    let facts = |number: usize| PatchFacts::of(states.iter().find(|state| state.id.contains(&id(number))).expect("it is there"));
    assert_eq!((facts(69).missing, facts(69).critical, facts(69).pending_reboot), (69, 1, false));
    assert!(facts(3).pending_reboot && facts(3).assessed_at == "2025-10-09T08:54:20Z".parse().ok(), "{:?}", facts(3));
    assert_eq!((stage.calls("DescribeInstanceInformation").len(), stage.calls("DescribeInstancePatchStates").len()), (4, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_that_no_list_shows_are_asked_for_and_without_them_nothing_is_listed() {
    let stage = OnEmulator::set().await;
    let grant = AccessGrant::Aws(stage.grant(&[Purpose::Read]));
    let account = aws(&grant).account_id.clone();
    stage.call(&["furnish", &account, REGIONS[0]], &Value::Null);
    let link = stage.connector.connect(&grant, Purpose::Read).await.expect("the role lets us in");
    let gathered = Gathered::of(&stage, &grant, link.as_ref()).await;
    assert!(gathered.incomplete().is_empty(), "{:?}", gathered.incomplete());
    let of = |id: &str, service: &str| {
        let is_it = |asset: &&caretaker_cloud::Asset| asset.service == service && (asset.id == id || asset.name == id);
        gathered.assets.iter().find(is_it).unwrap_or_else(|| panic!("{id} is not in the inventory")).tags.clone()
    };
    let told = BTreeMap::from([("team".to_owned(), "shop".to_owned())]);
    let bucket = format!("backups-{account}");
    for (id, kind) in [("carts", AwsType::Table), ("resize", AwsType::Function), ("alias/orders", AwsType::Key), (&bucket, AwsType::Bucket)]
    {
        assert_eq!(of(id, kind.service()), told, "{id}");
    }
    assert!(of(&format!("trail-{account}"), AwsType::Bucket.service()).is_empty(), "nobody tagged it");
    // The emulator's own tagging API knows no load balancers and no trails.
    let untold = |asset: &&caretaker_cloud::Asset| [AwsType::LoadBalancer, AwsType::Trail].map(AwsType::service).contains(&&*asset.service);
    let arns: Vec<String> = gathered.assets.iter().filter(untold).map(|asset| asset.id.clone()).collect();
    assert_eq!(arns.len(), 2, "{arns:?}");
    let row = |arn: &String| json!({"ResourceARN": arn, "Tags": [{"Key": "team", "Value": "shop"}]}).to_string();
    stage.watch.set_rows("tagging/GetResources", &account, REGIONS[0], Rows::These(arns.iter().map(row).collect()));
    let gathered = Gathered::of(&stage, &grant, link.as_ref()).await;
    assert!(gathered.assets.iter().filter(untold).all(|asset| asset.tags == told), "{:?}", gathered.assets);
    // A region that refuses costs its own buckets and no others.
    let far = REGIONS[1];
    stage.fault(Fault::error(&format!("tagging/{far}/GetResources"), 403, "AccessDeniedException"));
    let gathered = Gathered::of(&stage, &grant, link.as_ref()).await;
    let buckets: Vec<&str> =
        gathered.assets.iter().filter(|asset| asset.service == AwsType::Bucket.service()).map(|asset| asset.id.as_str()).collect();
    assert_eq!(buckets, [bucket.as_str()]);
    let incomplete = gathered.incomplete();
    let cell = incomplete.iter().find(|cell| cell.key.service == AwsType::Bucket.service()).expect("the cell is not complete");
    assert!(
        cell.verdict == Verdict::Denied && cell.assets == 1 && cell.cause.contains(far) && cell.cause.contains("tag:GetResources"),
        "{cell:?}"
    );
    stage.forbid_action(&grant, "tag:GetResources").await;
    let gathered = Gathered::of(&stage, &grant, link.as_ref()).await;
    let untold = ["carts", "resize", "alias/orders", &bucket];
    assert!(
        !gathered.assets.iter().any(|asset| untold.contains(&asset.name.as_str())),
        "an asset without its tags would be judged by them"
    );
    let denied: Vec<&str> = gathered.incomplete().into_iter().map(|cell| cell.key.service.as_str()).collect();
    assert_eq!(denied.len(), 6, "each kind that there is any of: {denied:?}");
    for cell in gathered.incomplete() {
        assert!(cell.verdict == Verdict::Denied && cell.cause.contains("tag:GetResources"), "{cell:?}");
    }
}
