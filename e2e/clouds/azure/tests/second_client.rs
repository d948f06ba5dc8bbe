//! Microsoft's own Python clients, and the simulator as a program of its own: what the adapter reads, they read too.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use caretaker_arm_simulator::{Exchange, judge};
use caretaker_testkit::process::Process;
use serde_json::{Value, json};

const PROVIDER: &str = "aaaaaaaa-0000-4000-8000-00000000000f";
const CLIENT: &str = "bbbbbbbb-0000-4000-8000-00000000000f";
const SUBSCRIPTION: &str = "cccccccc-0000-4000-8000-00000000000f";

/// The address that the program prints when it is ready.
fn address(said: &Path) -> String {
    let began = Instant::now();
    loop {
        let text = std::fs::read_to_string(said).expect("what it said");
        if let Some((line, _)) = text.split_once('\n') {
            assert!(line.starts_with("https://127.0.0.1:"), "{text}");
            return line.to_owned();
        }
        assert!(began.elapsed() < Duration::from_secs(20), "it does not get ready: {text}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn microsofts_own_clients_read_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let resources: Vec<Value> =
        (0..2500).map(|number| json!({"id": format!("{number:04}"), "name": "n", "type": "a/b", "location": "x"})).collect();
    let roles = ["acdd72a7-3385-48ef-bd42-f606fba81ae7", "91c1777a-f3dc-4fae-b103-61d183457e46"];
    let world = json!({
        "applications": [{"tenantId": PROVIDER, "clientId": "app", "objectId": "object", "secret": "right", "federation": null}],
        "subscriptions": {SUBSCRIPTION.to_uppercase(): {
            "tenantId": CLIENT, "groups": ["Prod (1)"], "resources": resources,
            "delegations": [{
                "name": "99999999-0000-4000-8000-00000000000f", "tenantId": PROVIDER, "authorizations": roles.map(|role| ("object", role)),
            }],
        }},
    });
    std::fs::write(file("world"), world.to_string()).expect("a file");
    let paths = [("--world", "world"), ("--ca", "ca"), ("--log", "log")];
    let args: Vec<String> = paths.iter().flat_map(|(name, path)| [(*name).to_owned(), file(path).display().to_string()]).collect();
    let program = Path::new(env!("CARGO_BIN_EXE_caretaker-arm-simulator"));
    let _simulator = Process::start("the ARM simulator", program, &args, &[], &file("said")).expect("the program");
    let url = address(&file("said"));
    let python = caretaker_testkit::python::environment("azure").expect("the Python environment");
    let script = caretaker_testkit::source_root().join("e2e/python/azure.py");
    let output = Command::new(python)
        .arg("-I")
        .arg(script)
        .arg(&url)
        .arg(file("ca"))
        .args([PROVIDER, "app", "right", SUBSCRIPTION])
        .output()
        .expect("Python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let actions = [
        "*/read",
        "Microsoft.ManagedServices/registrationAssignments/read",
        "Microsoft.ManagedServices/registrationAssignments/delete",
        "Microsoft.ManagedServices/operationStatuses/read",
    ];
    let expected = json!({
        "subscriptions": [SUBSCRIPTION], "home": CLIENT, "managers": [PROVIDER], "groups": ["Prod (1)"], "actions": actions,
        "delegatedBy": [PROVIDER], "rows": 2500, "pages": 3, "refusal": "SubscriptionNotFound",
    });
    assert_eq!(found, expected);
    let log = std::fs::read_to_string(file("log")).expect("the log");
    let exchanges: Vec<Exchange> = log.lines().map(|line| serde_json::from_str(line).expect("an exchange")).collect();
    assert_eq!(exchanges.len(), 9);
    judge::judge(&exchanges).expect("every exchange is as Microsoft defines it");
}
