//! AWS's own Python client reads through the shim: pages, tokens, throttling and given rows are what it understands, and the emulator alone says who is
//! let in.

use std::process::{Command, Stdio};

use caretaker_aws_shim::{Answer, Bucket, Explorer, Fault, Rows, Watch, judge, resource, start};
use caretaker_testkit::emulator::Emulator;
use caretaker_testkit::python;
use serde_json::{Value, json};

const ACCOUNT: &str = "720000000001";
const PROVIDER: &str = "111111111111";
const REGION: &str = "eu-west-1";

fn ask(url: &str, key: &[&str], what: &str) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/second_client.py");
    let interpreter = python::environment("aws").expect("an environment with AWS's client");
    let output = Command::new(interpreter).arg("-I").args([script, url, REGION, what]).args(key).stderr(Stdio::inherit()).output();
    let output = output.expect("it runs");
    assert!(output.status.success(), "{what}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn awss_own_client_reads_through_the_shim() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("ministack.log");
    let emulator = tokio::task::spawn_blocking(move || Emulator::start(&log)).await.expect("no panic").expect("an emulator");
    let watch = Watch::judged();
    let url = start(&emulator.cloud.endpoint, watch.clone()).await.expect("a port");
    let cloud = emulator.cloud.clone();
    cloud.call(&["instances", ACCOUNT, REGION, "25"], "").expect("machines");
    let stranger = cloud.call(&["provider", PROVIDER, "stranger"], "").expect("a user");
    let root = [ACCOUNT, "test"];

    watch.set_page_rows(Some(10));
    let read = ask(&url, &root, "machines");
    assert_eq!(read, json!({"ids": 25, "pages": [10, 10, 5]}));
    assert_eq!(ask(&url, &root, "regions")["pages"].as_array().map(Vec::len), Some(4), "31 regions");
    assert_eq!(ask(&url, &root, "bad-token"), json!({"code": "InvalidNextToken"}));
    let text = |key: &str| stranger[key].as_str().unwrap_or_default().to_owned();
    let (key, secret) = (text("accessKeyId"), text("secretAccessKey"));
    assert_eq!(ask(&url, &[&key, &secret], "machines-once"), json!({"code": "UnauthorizedOperation"}));

    let patches = |number: usize| {
        json!({
            "InstanceId": format!("i-{number:017}"), "PatchGroup": "web", "BaselineId": "pb-00000000000000001", "OperationStartTime": 1_700_000_000,
            "OperationEndTime": 1_700_000_100, "Operation": "Scan", "MissingCount": number,
        })
        .to_string()
    };
    watch.set_rows("ssm/DescribeInstancePatchStates", ACCOUNT, REGION, Rows::made(3, patches));
    assert_eq!(ask(&url, &root, "patches"), json!({"i-00000000000000001": 1, "i-00000000000000002": 2}));
    assert_eq!(ask(&url, &[&key, &secret], "patches-once")["code"], "AccessDeniedException", "given rows let nobody in");

    assert_eq!(ask(&url, &root, "no-index"), json!({"code": "ResourceNotFoundException"}));
    let queue = |number: usize| resource("sqs:queue", (ACCOUNT, REGION), &format!("queue-{number}"), &[("number", &number.to_string())]);
    let explorer = Explorer::on([(REGION.to_owned(), Rows::made(12, queue))].into());
    watch.set_explorer(ACCOUNT, Explorer { aggregator: Some(REGION.into()), ..explorer });
    let tags: Vec<Value> = (0..12).map(|number| json!({"number": number.to_string()})).collect();
    let seen = json!({"indexes": [[REGION, "AGGREGATOR"]], "state": "ACTIVE", "filter": "", "pages": [10, 2], "tags": tags});
    assert_eq!(ask(&url, &root, "others"), seen);
    assert_eq!(ask(&url, &[&key, "wrong"], "no-index")["code"], "InvalidSignatureException", "given rows let nobody in");

    watch.set_buckets(vec![Bucket::new("DescribeInstances", 0.0, 2.0)]);
    assert_eq!(ask(&url, &root, "machines-once"), json!({"code": "RequestLimitExceeded"}), "the third page is one too many");
    watch.set_buckets(Vec::new());
    for (answer, code) in [
        (Answer::Throttled { retry_after: None }, "RequestLimitExceeded"),
        (Answer::Error { status: 403, code: "AuthFailure".into(), retry_after: None }, "AuthFailure"),
    ] {
        watch.set_faults(vec![Fault::of("ec2/eu-west-1/", answer)]);
        assert_eq!(ask(&url, &root, "machines-once"), json!({"code": code}));
    }
    watch.set_faults(Vec::new());
    watch.set_clock(600);
    assert_eq!(ask(&url, &root, "machines-once"), json!({"code": "RequestExpired"}));
    watch.set_clock(0);
    assert_eq!(ask(&url, &root, "machines-once")["ids"], 25);
    let exchanges = watch.exchanges();
    tokio::task::spawn_blocking(move || judge::judge(&exchanges)).await.expect("no panic").expect("no violation");
}

#[test]
fn the_judge_says_no() {
    let good = json!({
        "service": "ec2", "region": REGION, "action": "DescribeInstances", "method": "POST", "url": "/", "headers": {},
        "request": "Action=DescribeInstances&Version=2016-11-15&MaxResults=500", "status": 200, "responseType": "text/xml",
        "response": "<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>",
    });
    judge::judge(std::slice::from_ref(&good)).expect("no violation");
    assert!(judge::judge(&[]).is_err(), "nothing judged is no success");
    let json_call = json!({
        "service": "ssm", "region": REGION, "action": "DescribeInstanceInformation", "method": "POST", "url": "/",
        "headers": {"x-amz-target": "AmazonSSM.DescribeInstanceInformation"}, "request": "{\"MaxResults\": 50}", "status": 200, "given": true,
        "responseType": "application/x-amz-json-1.1", "response": "{\"InstanceInformationList\": []}",
    });
    judge::judge(std::slice::from_ref(&json_call)).expect("no violation");
    for (exchange, place, value) in [
        (&good, "/request", json!("Action=DescribeInstances&Version=2016-11-15&MaxResults=many")),
        (&good, "/request", json!("Action=DescribeInstances&Version=2016-11-15&MaxRows=500")),
        (&good, "/request", json!("Action=DescribeInstances&Version=2010-01-01")),
        (&good, "/request", json!("Action=ListInstances&Version=2016-11-15")),
        (&good, "/response", json!("<DescribeInstancesResponse>")),
        (&json_call, "/request", json!("{\"MaxResults\": \"50\"}")),
        (&json_call, "/request", json!("{\"MaxRows\": 50}")),
        (&json_call, "/response", json!("{\"InstanceInformationList\": [{\"InstanceIdd\": \"i-1\"}]}")),
        (&json_call, "/response", json!("{\"InstanceInformationList\": {}}")),
    ] {
        let mut spoilt = exchange.clone();
        *spoilt.pointer_mut(place).expect("a place") = value.clone();
        assert!(judge::judge(&[spoilt]).is_err(), "{place} {value}");
    }
}
