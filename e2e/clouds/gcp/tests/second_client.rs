//! Google's own Python client reads the simulator: what it understands is not our own idea of Google alone.

use std::process::{Command, Stdio};

use caretaker_google_simulator::{Simulator, judge};
use serde_json::{Value, json};

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

#[tokio::test(flavor = "multi_thread")]
async fn googles_own_client_reads_the_simulator() {
    let python = caretaker_testkit::python::environment("google").expect("an environment with Google's client");
    let simulator = Simulator::new();
    let (token, account) = {
        let mut world = simulator.world();
        world.add_project("provider-project", "1");
        world.add_project("client-project", "2");
        world.add_machines("client-project", 1_234);
        let account = world.add_client_access("client-project", "provider-project", "user:admin@provider.example");
        let spanner = "//spanner.googleapis.com/projects/client-project/instances/orders";
        world.add_row("client-project", json!({"name": spanner, "assetType": "spanner.googleapis.com/Instance"}));
        world.key_uses.insert("key-7".into(), "2026-05-04T07:00:00Z".into());
        (world.token_for("user:admin@provider.example", &[SCOPE]), account)
    };
    let url = simulator.start(0).await.expect("a port");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/second_client.py");
    let mut command = Command::new(&python);
    command.args([script, &url, &token, "provider-project", "client-project", &account]).stderr(Stdio::inherit());
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it runs");
    assert!(output.status.success());
    let read: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let expected = json!({
        "record": [false], "used": ["2026-05-04T07:00:00Z"], "server": "projects/client-project/instances/orders",
        "project": "client-project", "held": ["resourcemanager.projects.get"], "assets": 1_234, "pages": 3, "etagChanged": true, "bindings": 2,
    });
    assert_eq!(read, expected);
    judge(&simulator.exchanges(), &python).expect("no violation");
}

/// The program says where it listens, writes its exchanges for the judge, and listens on 127.0.0.1.
#[tokio::test(flavor = "multi_thread")]
async fn the_program_serves_and_logs() {
    use std::io::BufRead;
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("exchanges.jsonl");
    let mut child = Command::new(env!("CARGO_BIN_EXE_caretaker-google-simulator"))
        .args(["--machines", "2", "--exchanges"])
        .arg(&log)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    std::io::BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    let shown: Value = serde_json::from_str(&line).expect("JSON");
    let url = shown["url"].as_str().expect("a URL");
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    let status = reqwest::get(format!("{url}/v3/projects/client-project")).await.expect("an answer").status();
    child.kill().and_then(|()| child.wait()).expect("it ends");
    assert_eq!(status, 401);
    let text = std::fs::read_to_string(&log).expect("a log");
    let exchanges: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(exchanges.len(), 1);
    judge(&exchanges, &caretaker_testkit::python::environment("google").expect("an environment")).expect("no violation");
}
