//! Escalation by Prometheus's own rules, and incidents out of a real Prometheus and a real Alertmanager.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use caretaker_api::incident::{Acknowledgement, IncidentChange, IncidentState};
use caretaker_api::monitoring_stack::MonitoringStackStatus;
use caretaker_api::{Incident, MonitoringStack};
use caretaker_controllers::incident::{read, silences};
use caretaker_controllers::monitoring_stack::{Pods, pages};
use caretaker_core::incident::outage::{Key, due};
use caretaker_core::incident::{Done, Hold, Observed, plan as visit, status, steps};
use caretaker_core::monitoring_stack::page_test::next;
use caretaker_core::monitoring_stack::{LostInventory, Observed as StackSeen, Outages, incident, plan};
use caretaker_testkit::process::{Process, free_port, run};
use caretaker_testkit::receiver::Receiver;
use caretaker_testkit::tools;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

/// A stack with three tiers: told at once, after a quarter of an hour, after three quarters.
fn stack() -> MonitoringStack {
    serde_json::from_value(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "MonitoringStack", "metadata": {"name": "main", "namespace": "client-acme"},
        "spec": {"accounts": ["prod"], "tiers": [
            {"name": "desk", "ackWithinMinutes": 15, "webhookUrl": "https://desk.example/a"},
            {"name": "lead", "ackWithinMinutes": 30, "webhookUrl": "https://lead.example/a"},
            {"name": "vendor", "kind": "Vendor", "webhookUrl": "https://vendor.example/a"},
        ]},
    }))
    .unwrap()
}

/// The rules as they stand in the cluster.
fn rules() -> Value {
    // Machines were watched before; which, does not matter here.
    let lost = vec![LostInventory { account: "prod".into(), cause: String::new(), is_remembered: false }];
    let mut stack = stack();
    stack.status = Some(MonitoringStackStatus { targets: 1, ..MonitoringStackStatus::default() });
    let objects = plan(&stack, &StackSeen { client: "acme".into(), lost, ..StackSeen::default() }).objects;
    objects.iter().find(|object| object.kind == "PrometheusRule").unwrap().body["spec"].clone()
}

const MACHINE: [(&str, &str); 6] =
    [("job", "machines"), ("cloud", "aws"), ("account", "222222222222"), ("region", "eu-west-1"), ("instance_id", "i-1"), ("name", "web")];

fn labels() -> String {
    MACHINE.map(|(label, value)| format!("{label}=\"{value}\"")).join(",")
}

/// Which tiers are told at a minute, by what each minute's scrape of a machine said. The other machine answers always.
fn case(minutes: &[&str], told: &[(&str, &[&str])]) -> Value {
    let expected = |tier: &&str| {
        let mut labels: serde_json::Map<String, Value> =
            MACHINE.map(|(label, value)| (label.to_owned(), json!(value))).into_iter().collect();
        labels.extend([("severity".to_owned(), json!("critical")), ("tier".to_owned(), json!(tier))]);
        json!({"exp_labels": labels, "exp_annotations": {"summary": "i-1 (web) in eu-west-1 does not answer its exporter's port."}})
    };
    let told: Vec<Value> = told
        .iter()
        .map(|(at, tiers)| json!({"eval_time": at, "alertname": "InstanceDown", "exp_alerts": tiers.iter().map(expected).collect::<Vec<_>>()}))
        .collect();
    json!({
        "interval": "1m", "alert_rule_test": told,
        "input_series": [
            {"series": format!("up{{{}}}", labels()), "values": minutes.join(" ")},
            {"series": "up{job=\"machines\",instance_id=\"i-2\"}", "values": format!("1x{}", minutes.len())},
        ],
    })
}

/// What promtool, of the same release as the server, says of the rules. Nothing of ours runs: this is what happens while the operator is down.
#[test]
fn each_tier_is_told_in_its_minute_and_a_blinking_outage_reaches_them_all() -> anyhow::Result<()> {
    let scrapes = |minutes: usize, is_up: &dyn Fn(usize) -> bool| -> Vec<&'static str> {
        (0..minutes).map(|minute| if is_up(minute) { "1" } else { "0" }).collect()
    };
    let desk: &[&str] = &["desk"];
    let lead: &[&str] = &["desk", "lead"];
    let all: &[&str] = &["desk", "lead", "vendor"];
    let steady =
        case(&scrapes(60, &|_| false), &[("4m30s", &[]), ("5m", desk), ("19m30s", desk), ("20m", lead), ("49m30s", lead), ("50m", all)]);
    // 25 of every 26 minutes: it pauses at minute 25 and 51, and each time five minutes pass until the first tier is told again.
    let blinks = case(
        &scrapes(100, &|minute| minute % 26 == 25),
        &[("24m", lead), ("25m", &[]), ("30m", &[]), ("31m", lead), ("50m", all), ("51m", &[]), ("57m", all)],
    );
    // Ten minutes and more between: another outage, whose time begins anew.
    let twice = case(&scrapes(60, &|minute| (22..33).contains(&minute)), &[("21m", lead), ("38m", desk), ("52m", desk), ("53m", lead)]);
    // Short failures of single scrapes reach nobody.
    let noise = case(&scrapes(120, &|minute| minute % 5 == 0), &[("30m", &[]), ("119m", &[])]);
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("rules.yaml"), rules().to_string())?;
    let tests = json!({"rule_files": ["rules.yaml"], "evaluation_interval": "30s", "tests": [steady, blinks, twice, noise]});
    std::fs::write(folder.path().join("tests.yaml"), tests.to_string())?;
    run(Command::new(tools::path("promtool")?).args(["check", "rules", "rules.yaml"]).current_dir(folder.path()))?;
    run(Command::new(tools::path("promtool")?).args(["test", "rules", "tests.yaml"]).current_dir(folder.path()))?;
    Ok(())
}

/// A server on a port of its own, once it takes connections.
fn serve(name: &str, tool: &str, folder: &Path, arguments: impl Fn(SocketAddr) -> Vec<String>) -> anyhow::Result<(Process, SocketAddr)> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
    let mut process = Process::start(name, &tools::path(tool)?, &arguments(address), &[], &folder.join(format!("{name}.log")))?;
    process.wait_until(&format!("{name} takes connections"), Duration::from_secs(60), || TcpStream::connect(address).is_ok())?;
    Ok((process, address))
}

/// A Prometheus that has seen an outage: it began three hours ago, reached `lead`, paused for two minutes, and lasts. An hour before it another one was short.
/// The second machine has failed with it for the last hour.
fn prometheus(folder: &Path, now: i64) -> anyhow::Result<(Process, SocketAddr)> {
    let mut text = "# TYPE ALERTS gauge\n".to_owned();
    let mut series = |labels: &str, spans: &[(i64, i64)]| -> anyhow::Result<()> {
        for second in spans.iter().flat_map(|(from, to)| (now - from * 60..now - to * 60).step_by(30)) {
            writeln!(text, "ALERTS{{alertstate=\"firing\",{labels}}} 1 {second}")?;
        }
        Ok(())
    };
    let of =
        |id: &str, tier: &str| format!("alertname=\"InstanceDown\",{},severity=\"critical\",tier=\"{tier}\"", labels().replace("i-1", id));
    series("alertname=\"Watchdog\",severity=\"none\",tier=\"-\"", &[(300, 0)])?;
    series(&of("i-1", "desk"), &[(250, 240), (180, 62), (60, 0)])?;
    series(&of("i-1", "lead"), &[(165, 62), (60, 0)])?;
    series(&of("i-2", "desk"), &[(60, 0)])?;
    text.push_str("# EOF\n");
    let (samples, data, config) = (folder.join("samples"), folder.join("data"), folder.join("prometheus.yml"));
    std::fs::write(&samples, text)?;
    run(Command::new(tools::path("promtool")?)
        .args(["tsdb", "create-blocks-from", "--max-block-duration=744h", "openmetrics", "--quiet"])
        .arg(&samples)
        .arg(&data))?;
    std::fs::write(&config, json!({"global": {"scrape_interval": "1h"}}).to_string())?;
    serve("prometheus", "prometheus", folder, |address| {
        vec![
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", data.display()),
            // Samples have no end in a file: as short as two of them are apart.
            "--query.lookback-delta=29s".into(),
            format!("--web.listen-address={address}"),
        ]
    })
}

#[tokio::test]
async fn what_prometheus_knows_becomes_one_incident_with_its_times() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let now = Timestamp::from_second(Timestamp::now().as_second().div_euclid(60) * 60 + 20)?;
    let whole = now.as_second() - 20;
    let (_process, at) = prometheus(folder.path(), whole)?;
    let pods = Pods::new().map_err(anyhow::Error::msg)?;
    let all = read::reading(&pods, at, None, whole - 84 * 3600, now).await.map_err(anyhow::Error::msg)?;
    let found = due(&all, &[]);
    let minutes: Vec<i64> = found.iter().map(|due| (whole - due.opened_at) / 60).collect();
    assert_eq!(minutes, [250, 180], "{found:?}");
    let key = Key {
        alert: "InstanceDown".into(),
        labels: [("account".to_owned(), "222222222222".to_owned()), ("region".to_owned(), "eu-west-1".to_owned())].into(),
    };
    assert!(found.iter().all(|due| due.key == key), "the tier and the machine are no part of it: {found:?}");
    // Whoever looks back less far finds the same ones.
    let near = read::reading(&pods, at, None, whole - 200 * 60, now).await.map_err(anyhow::Error::msg)?;
    assert_eq!(due(&near, &[]), found[1..]);

    let made: Incident = incident("acme", &found[1]).unwrap();
    let reading = read::reading(&pods, at, Some(&key), found[1].opened_at, now).await.map_err(anyhow::Error::msg)?;
    let members = read::members(&pods, at, &key, "desk", Timestamp::from_second(whole - 10)?).await.map_err(anyhow::Error::msg)?;
    assert_eq!(members, ["i-1", "i-2"]);
    let observed =
        Observed { steps: steps(&stack().spec.terms), reading: Some(Ok(Arc::new(reading))), members: Some(members), ..Observed::default() };
    let planned = visit(&made, &observed, now);
    let (told, _) = status(&made, &observed, (&planned, &Done::default()), now);
    let events: Vec<(i64, IncidentChange)> =
        told.events.iter().map(|event| ((whole - event.at.0.as_second()) / 60, event.change)).collect();
    use IncidentChange::{Escalated, Opened, Reopened, Resolved};
    assert_eq!(events, [(180, Opened), (165, Escalated), (62, Resolved), (60, Reopened)]);
    assert_eq!((told.state, told.tier.as_deref()), (IncidentState::Escalated, Some("lead")));
    Ok(())
}

/// Alertmanager with a receiver for each tier, as the stack's routes are but for their waits.
fn alertmanager(folder: &Path, receiver: &Receiver) -> anyhow::Result<(Process, SocketAddr)> {
    let route = |tier: &str| json!({"receiver": tier, "matchers": [format!("tier=\"{tier}\"")], "continue": false});
    let hook = |tier: &str| json!({"name": tier, "webhook_configs": [{"url": format!("{}/{tier}", receiver.url), "send_resolved": true}]});
    let config = json!({
        "route": {
            "receiver": "null", "group_by": ["alertname", "account", "region"], "group_wait": "0s", "group_interval": "1s", "repeat_interval": "1s",
            "routes": [route("desk"), route("lead"), route("vendor")],
        },
        "receivers": [{"name": "null"}, hook("desk"), hook("lead"), hook("vendor")],
    });
    let file = folder.join("alertmanager.yml");
    std::fs::write(&file, config.to_string())?;
    serve("alertmanager", "alertmanager", folder, |address| {
        vec![
            format!("--config.file={}", file.display()),
            format!("--storage.path={}", folder.join("alertmanager").display()),
            "--cluster.listen-address=".into(),
            format!("--web.listen-address={address}"),
        ]
    })
}

#[tokio::test]
async fn what_somebody_took_pages_no_further_tier_until_it_is_let_through_again() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let receiver = Receiver::start("127.0.0.1")?;
    let (_process, at) = alertmanager(folder.path(), &receiver)?;
    let pods = Pods::new().map_err(anyhow::Error::msg)?;
    let now = Timestamp::from_second(Timestamp::now().as_second())?;
    let raise = async |account: &str, tier: &str| {
        let labels = json!({"alertname": "InstanceDown", "account": account, "region": "eu-west-1", "instance_id": "i-1", "tier": tier});
        let body = json!([{"labels": labels, "endsAt": now + jiff::SignedDuration::from_hours(1)}]).to_string();
        pods.send(reqwest::Method::POST, at, "api/v2/alerts", body.into_bytes()).await.unwrap();
    };
    let hears = async |tier: &str, seconds: u64| {
        let before = receiver.alerts(&format!("/{tier}")).len();
        for _ in 0..seconds * 10 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if receiver.alerts(&format!("/{tier}")).len() > before {
                return true;
            }
        }
        false
    };
    let mut taken: Incident = serde_json::from_value(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "Incident", "metadata": {"name": "instancedown-1", "namespace": "client-acme"},
        "spec": {"alert": "InstanceDown", "labels": {"account": "1", "region": "eu-west-1"}, "openedAt": now},
        "status": {"state": "Opened", "tier": "desk", "events": [{"at": now, "change": "Opened", "tier": "desk"}]},
    }))?;
    taken.spec.acknowledgement = Some(Acknowledgement { by: "mia".into(), at: Some(Time(now)), note: None });
    let observed = Observed { steps: steps(&stack().spec.terms), ..Observed::default() };
    let Hold::Until(silence, until) = visit(&taken, &observed, now).hold else { panic!("nothing is held back") };
    for _ in 0..2 {
        silences::hold(&pods, at, &silence, until, now).await.map_err(anyhow::Error::msg)?;
    }
    let listed: Vec<Value> = reqwest::get(format!("http://{at}/api/v2/silences")).await?.json().await?;
    assert_eq!(listed.len(), 1, "a second visit writes nothing: {listed:?}");

    for tier in ["desk", "lead", "vendor"] {
        raise("1", tier).await;
    }
    raise("2", "lead").await;
    assert!(hears("desk", 10).await, "who was told hears on");
    assert!(hears("lead", 10).await, "another account's outage is another one");
    assert!(!hears("vendor", 3).await, "a further tier was told of what somebody took");

    // It is held back longer in place, and for fewer tiers by another silence, without a gap.
    silences::hold(&pods, at, &silence, until + 60, now).await.map_err(anyhow::Error::msg)?;
    assert!(!hears("vendor", 2).await);
    silences::release(&pods, at, &silence.comment).await.map_err(anyhow::Error::msg)?;
    assert!(hears("vendor", 10).await, "nothing holds it back any more");
    let listed: Vec<Value> = reqwest::get(format!("http://{at}/api/v2/silences")).await?.json().await?;
    assert!(listed.iter().all(|silence| silence["status"]["state"] == "expired"), "{listed:?}");
    Ok(())
}

/// A page test against a real Alertmanager: the receiver of `desk` takes what it is sent, `lead` has none, that of `vendor` refuses connections.
#[tokio::test]
async fn a_page_test_passes_where_a_receiver_took_the_page_and_nowhere_else() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let receiver = Receiver::start("127.0.0.1")?;
    let name = |tier: &str| format!("client-acme/main-tier-{tier}/{tier}");
    let route = |tier: &str| json!({"receiver": name(tier), "matchers": [format!("tier=\"{tier}\"")]});
    let hook = |tier: &str, url: String| json!({"name": name(tier), "webhook_configs": [{"url": url, "send_resolved": true}]});
    let config = json!({
        "route": {"receiver": "null", "group_by": ["alertname", "account", "region"], "group_wait": "0s", "routes": [route("desk"), route("vendor")]},
        "receivers": [{"name": "null"}, hook("desk", format!("{}/desk", receiver.url)), hook("vendor", format!("http://127.0.0.1:{}", free_port()?))],
    });
    let file = folder.path().join("alertmanager.yml");
    std::fs::write(&file, config.to_string())?;
    let (_process, at) = serve("alertmanager", "alertmanager", folder.path(), |address| {
        vec![
            format!("--config.file={}", file.display()),
            format!("--storage.path={}", folder.path().join("data").display()),
            "--cluster.listen-address=".into(),
            format!("--web.listen-address={address}"),
        ]
    })?;
    let pods = Pods::new().map_err(anyhow::Error::msg)?;
    let mut stack = stack();
    stack.metadata.annotations = Some([(caretaker_api::names::PAGE_TEST_AT.to_owned(), "1".to_owned())].into());
    // Time passes faster than it does: a page that nobody takes is waited for two minutes.
    let began = Timestamp::now();
    for second in 0..100 {
        let now = began + jiff::SignedDuration::from_secs(second * 10);
        let seen = StackSeen { pages: Some(pages::counts(&pods, at).await), outages: Some(Ok(Outages::default())), ..StackSeen::default() };
        let (test, page) = next(&stack, &seen, now);
        if let Some(page) = page {
            pages::send(&pods, at, &page, Timestamp::now()).await.map_err(anyhow::Error::msg)?;
        }
        stack.status = Some(MonitoringStackStatus { page_test: test, ..MonitoringStackStatus::default() });
        if stack.status.iter().flat_map(|status| &status.page_test).any(|test| test.ended_at.is_some()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let test = stack.status.and_then(|status| status.page_test).unwrap();
    let told: Vec<(&str, bool)> = test.results.iter().map(|result| (result.tier.as_str(), result.passed)).collect();
    assert_eq!(told, [("desk", true), ("lead", false), ("vendor", false)], "{test:?}");
    assert!(test.results[1].message.contains("no page went out") || test.results[1].message.contains("null"), "{test:?}");
    assert!(test.results[2].message.contains("could not deliver"), "{test:?}");
    assert_eq!(receiver.alerts("/desk")[0], "CaretakerPageTest");
    Ok(())
}
