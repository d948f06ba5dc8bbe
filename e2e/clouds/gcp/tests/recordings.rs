//! Recordings of the real services, replayed against the simulator: the same status and the same shape. And the judge can say no.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use caretaker_google_simulator::{Simulator, judge};
use serde_json::{Value, json};

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

fn python() -> PathBuf {
    caretaker_testkit::python::environment("google").expect("an environment with the discovery documents")
}

/// One recorded exchange.
struct Recorded {
    method: String,
    url: String,
    request: Option<Value>,
    status: u16,
    response: Value,
}

fn read(path: &Path) -> Vec<Recorded> {
    let text = std::fs::read_to_string(path).expect("a recording");
    text.split("\n\n---\n\n").map(|part| recorded(part).unwrap_or_else(|| panic!("{}: {part}", path.display()))).collect()
}

/// Request line and headers, perhaps a body, status line and headers, body.
fn recorded(part: &str) -> Option<Recorded> {
    let mut lines = part.lines();
    let (method, url) = lines.next()?.split_once(' ')?;
    let rest: Vec<&str> = lines.collect();
    let is_status = |line: &&str| line.len() > 4 && line.as_bytes()[..3].iter().all(u8::is_ascii_digit) && line.as_bytes()[3] == b' ';
    let at = rest.iter().position(is_status)?;
    let body = |lines: &[&str]| {
        let from = lines.iter().position(|line| line.starts_with('{') || line.starts_with('['))?;
        serde_json::from_str(&lines[from..].join("\n")).ok()
    };
    Some(Recorded {
        method: method.into(),
        url: url.into(),
        request: body(&rest[..at]),
        status: rest[at][..3].parse().ok()?,
        response: body(&rest[at..])?,
    })
}

/// Whether the simulator knows the call.
fn is_known(recorded: &Recorded) -> bool {
    let path = recorded.url.split('?').next().unwrap_or_default();
    let is_policy = path.ends_with(":getIamPolicy") || path.ends_with(":setIamPolicy");
    let is_account = path.contains("/serviceAccounts") && !path.contains("/keys") && !path.ends_with(":disable");
    (path.contains("//cloudresourcemanager.") && is_policy) || (path.contains("//iam.") && is_account && recorded.method != "PATCH")
}

/// The places in a value with the kind of what is there; what an element of a list is called does not count.
fn shape(value: &Value, place: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| shape(value, &format!("{place}/{key}"), found)),
        Value::Array(items) => items.iter().for_each(|item| shape(item, &format!("{place}/*"), found)),
        Value::String(_) => drop(found.insert(format!("{place} text"))),
        Value::Number(number) => drop(found.insert(format!("{place} {number}"))),
        Value::Bool(_) | Value::Null => drop(found.insert(format!("{place} {value}"))),
    }
}

async fn replay(file: &Path) -> usize {
    let simulator = Simulator::new();
    let token = {
        let mut world = simulator.world();
        world.add_project("recorded-project", "1");
        world.add_project("project-abcdef", "2");
        world.organization.bind("roles/owner", "user:admin@example.com");
        world.token_for("user:admin@example.com", &[SCOPE])
    };
    let base = simulator.start(0).await.expect("a port");
    let (client, mut etag, mut count) = (reqwest::Client::new(), String::new(), 0);
    let named = |text: &str| text.replace("${projectId}", "recorded-project").replace("${uniqueId}", "abcdef");
    for recorded in read(file).into_iter().filter(is_known) {
        count += 1;
        let path = named(recorded.url.splitn(4, '/').nth(3).expect("a path"));
        let mut request = client.request(recorded.method.parse().expect("a method"), format!("{base}/{path}")).bearer_auth(&token);
        if let Some(body) = &recorded.request {
            // Recordings hide etags: the one that was read last is what a client sends.
            let text = named(&body.to_string()).replace("abcdef0123A=", &etag);
            request = request.header("content-type", "application/json").body(text);
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.expect("JSON");
        assert_eq!(status, recorded.status, "{} {path}: {body}", recorded.method);
        let (mut ours, mut theirs) = (BTreeSet::new(), BTreeSet::new());
        shape(&body, "", &mut ours);
        shape(&recorded.response, "", &mut theirs);
        assert_eq!(ours, theirs, "{} {path}", recorded.method);
        etag = body["etag"].as_str().map_or(etag, str::to_owned);
    }
    judge(&simulator.exchanges(), &python()).expect("no violation");
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn recordings_are_answered_alike() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("recordings");
    let mut replayed = Vec::new();
    for entry in std::fs::read_dir(&folder).expect("the recordings") {
        let path = entry.expect("a file").path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let count = replay(&path).await;
            assert!(count > 0, "{} holds no call that is known", path.display());
            replayed.push(count);
        }
    }
    assert_eq!(replayed.len(), 4);
    assert!(replayed.iter().sum::<usize>() >= 30, "{replayed:?}");
}

#[test]
fn the_judge_says_no() {
    let good = json!({
        "call": "cloudasset.searchAllResources", "method": "GET", "path": "/v1/projects/p:searchAllResources", "query": {"pageSize": ["500"]},
        "scopes": [SCOPE], "request": null, "status": 200, "response": {"results": [{"name": "//x", "assetType": "t"}]},
    });
    judge(std::slice::from_ref(&good), &python()).expect("no violation");
    assert!(judge(&[], &python()).is_err(), "nothing judged is no success");
    let spoilt = [
        ("/query/pageSize/0", json!("many")),
        ("/query", json!({"pageSze": ["1"]})),
        ("/path", json!("/v1/projects/p/q:searchAllResources")),
        ("/method", json!("POST")),
        ("/scopes/0", json!("https://www.googleapis.com/auth/cloud-platform.read-only")),
        ("/response/results/0/name", json!(1)),
        ("/response", json!({"resluts": []})),
        ("/status", json!(404)),
        ("/call", json!("")),
    ];
    for (place, value) in spoilt {
        let mut exchange = good.clone();
        *exchange.pointer_mut(place).expect("a place") = value;
        assert!(judge(&[exchange], &python()).is_err(), "{place}");
    }
}
