//! Receivers of every kind, contract hours and a heartbeat as a user meets them, with the configuration that the prometheus-operator makes of them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use caretaker_e2e::{Client, Lab, lab};
use caretaker_testkit::process::run;
use caretaker_testkit::{python, tools};
use serde_json::{Value, json};

const NAMESPACE: &str = "client-paged";
const STACK: [&str; 4] = ["ms", "main", "-n", NAMESPACE];

fn key(key: &str) -> Value {
    json!({"name": "caretaker-receivers", "key": key})
}

fn document(client: &Client) -> Value {
    let mut document = client.document();
    let week = json!(["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]);
    document["spec"]["monitoring"] = json!({
        "tiers": [
            {"name": "desk", "ackWithinMinutes": 15, "hours": "office", "receivers": [
                {"slack": key("slack")}, {"pagerDuty": key("pagerduty")}, {"opsgenie": {"name": "caretaker-receivers", "key": "opsgenie", "eu": true}},
                {"msTeams": key("teams")}, {"webhook": key("hook")},
                {"email": {
                    "to": ["desk@provider.example"], "from": "caretaker@provider.example", "smarthost": "smtp.provider.example:587",
                    "username": "caretaker", "password": key("smtp"),
                }},
            ]},
            {"name": "lead", "webhookUrl": "https://lead.provider.example/alerts"},
        ],
        "hours": [{"name": "office", "zone": "US/Eastern", "times": [{"days": week, "from": "22:00", "to": "06:00"}], "holidays": ["2026-12-25"]}],
        "heartbeat": {"webhook": key("beat")},
    });
    document
}

fn secret(teams: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "caretaker-receivers", "namespace": NAMESPACE},
        "stringData": {
            "slack": "https://hooks.slack.com/services/T0/B0/s3cr3t", "pagerduty": "0123456789abcdef0123456789abcdef",
            "opsgenie": "01234567-89ab-cdef-0123-456789abcdef", "teams": teams, "hook": "https://desk.provider.example:9443/s3cr3t",
            "smtp": "s3cr3t", "beat": "https://beats.example:8443/s3cr3t",
        },
    })
}

fn refuses(lab: &Lab, document: &Value) -> Result<()> {
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 5] = [
        (|terms| terms["tiers"][0]["hours"] = json!("night"), "names an entry of hours"),
        (|terms| terms["tiers"][0]["webhookUrl"] = json!("https://x.example"), "exactly one of webhookUrl, webhookSecret and receivers"),
        (|terms| terms["tiers"][0]["receivers"][0]["webhook"] = key("hook"), "exactly one of email, slack"),
        (|terms| terms["tiers"][0]["receivers"][0]["slack"]["name"] = json!("other"), "kept in the Secret caretaker-receivers"),
        (|terms| terms["hours"][0]["times"][0]["to"] = json!("25:00"), "to must be a time of day"),
    ];
    for (change, message) in cases {
        let mut wrong = document.clone();
        change(&mut wrong["spec"]["monitoring"]);
        let refused = lab.kubectl.apply(&wrong.to_string()).err().map(|error| format!("{error:#}")).unwrap_or_default();
        ensure!(refused.contains(message), "{message}: {refused}");
    }
    Ok(())
}

/// The configuration that the prometheus-operator made, once it is as asked for; judged by amtool.
fn generated(lab: &Lab, folder: &Path, is_so: impl Fn(&str) -> bool) -> Result<PathBuf> {
    let (packed, config) = (folder.join("packed"), folder.join("alertmanager.yaml"));
    let python = python::environment("judges")?;
    let unpack = "import sys,json,base64,gzip; sys.stdout.write(gzip.decompress(base64.b64decode(sys.stdin.read())).decode())";
    lab.until("Alertmanager's configuration", || {
        let found = lab.kubectl.get(&["secret", "alertmanager-main-generated", "-n", NAMESPACE])?;
        std::fs::write(&packed, found["data"]["alertmanager.yaml.gz"].as_str().context("the key is there")?)?;
        let text = run(Command::new(&python).args(["-c", unpack]).stdin(std::fs::File::open(&packed)?))?;
        ensure!(is_so(&text), "{text}");
        Ok(std::fs::write(&config, text)?)
    })?;
    run(Command::new(tools::path("amtool")?).arg("check-config").arg(&config))?;
    Ok(config)
}

fn told(config: &Path, labels: &[&str]) -> Result<Vec<String>> {
    let mut test = Command::new(tools::path("amtool")?);
    test.args(["config", "routes", "test", "--config.file"]).arg(config).args(labels);
    let prefix = format!("{NAMESPACE}/main-");
    let mut names: Vec<String> = run(&mut test)?.trim().split(',').map(|name| name.trim_start_matches(&prefix).to_owned()).collect();
    names.sort();
    Ok(names)
}

#[test]
fn a_tier_is_paged_by_what_can_be_used_in_its_hours_and_a_heartbeat_goes_out() -> Result<()> {
    let (lab, folder) = (lab(), tempfile::tempdir()?);
    let client = Client::new("paged", "200000002201", "eu-west-1");
    let mut document = document(&client);
    refuses(lab, &document)?;
    lab.kubectl.apply(&document.to_string())?;

    // Without the Secret nothing of it is made, and the other tier pages.
    let message = lab.condition(&STACK, "MonitoringReady", "False", "ReceiverUnusable")?;
    ensure!(message.contains("desk.slack is not paged: the Secret caretaker-receivers does not exist"), "{message}");
    ensure!(message.contains("no heartbeat goes out") && message.contains("all other ways page"), "{message}");
    let config = generated(lab, folder.path(), |text| text.contains("main-tier-lead/lead") && !text.contains("desk."))?;
    ensure!(told(&config, &["tier=lead", "alertname=InstanceDown"])? == ["tier-lead/lead"]);

    // What the prometheus-operator lets through and Alertmanager does not load never reaches it.
    lab.kubectl.apply(&secret("hello").to_string())?;
    let config = generated(lab, folder.path(), |text| text.contains("main-tier-desk.email") && text.contains("main-heartbeat"))?;
    let message = lab.condition(&STACK, "MonitoringReady", "False", "ReceiverUnusable")?;
    ensure!(message.contains("desk.msteams is not paged: the key teams") && !message.contains("desk.slack"), "{message}");
    let five = ["email", "opsgenie", "pagerduty", "slack", "webhook"].map(|kind| format!("tier-desk.{kind}/desk.{kind}"));
    ensure!(told(&config, &["tier=desk", "alertname=InstanceDown"])? == five, "{:?}", told(&config, &["tier=desk"])?);

    lab.kubectl.apply(&secret("https://x.logic.azure.com/workflows/1?sig=s3cr3t").to_string())?;
    let message = lab.condition(&STACK, "MonitoringReady", "True", "Settled")?;
    ensure!(message.contains("desk is paged in the hours office (America/New_York, written as US/Eastern)"), "{message}");
    let config = generated(lab, folder.path(), |text| text.contains("main-tier-desk.msteams"))?;
    ensure!(told(&config, &["tier=desk", "alertname=InstanceDown"])?.len() == 6, "{:?}", told(&config, &["tier=desk"])?);
    ensure!(
        told(&config, &["tier=-", "alertname=Heartbeat"])? == ["heartbeat/heartbeat"],
        "{:?}",
        told(&config, &["tier=-", "alertname=Heartbeat"])?
    );
    let policy = lab.kubectl.get(&["netpol", "main-alertmanager", "-n", NAMESPACE])?["spec"]["egress"][0]["ports"].clone();
    let ports: Vec<i64> = policy.as_array().into_iter().flatten().filter_map(|port| port["port"].as_i64()).collect();
    ensure!(ports == [443, 587, 8443, 9443], "{policy}");
    let all = lab.kubectl.run(&["get", "mc,ms,events,alertmanagerconfigs,netpol", "-n", NAMESPACE, "-o", "json"])?;
    ensure!(!all.contains("s3cr3t"), "a value of the Secret is shown");

    // A zone that is none is refused by name, and the routes of before stay.
    let before = lab.kubectl.get(&["alertmanagerconfig", "main-tier-desk.slack", "-n", NAMESPACE])?["spec"].clone();
    ensure!(
        before["muteTimeIntervals"][0]["timeIntervals"].as_array().is_some_and(|entries| (10..60).contains(&entries.len())),
        "{before}"
    );
    document["spec"]["monitoring"]["hours"][0]["zone"] = json!("America/NewYork");
    lab.kubectl.apply(&document.to_string())?;
    let message = lab.condition(&["mc", "paged"], "Ready", "False", "InvalidSpec")?;
    ensure!(message.contains("there is no time zone America/NewYork: write America/New_York"), "{message}");
    ensure!(
        lab.kubectl.get(&["alertmanagerconfig", "main-tier-desk.slack", "-n", NAMESPACE])?["spec"] == before,
        "the routes have changed"
    );
    Ok(())
}
