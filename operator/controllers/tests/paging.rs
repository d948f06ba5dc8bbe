//! What pages say, when they go out, and beats, by a real Prometheus and a real Alertmanager with the routes, receivers and rules of a stack.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use caretaker_api::MonitoringStack;
use caretaker_api::monitoring_stack::MonitoringStackStatus;
use caretaker_controllers::monitoring_stack::Pods;
use caretaker_core::desired::Desired;
use caretaker_core::monitoring_stack::{LostInventory, Observed, plan};
use caretaker_testkit::process::{Process, free_port, run};
use caretaker_testkit::receiver::Receiver;
use caretaker_testkit::tools;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

fn objects(more: &Value) -> Vec<Desired> {
    let mut spec = json!({"accounts": ["prod"]});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut stack: MonitoringStack = serde_json::from_value(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "MonitoringStack", "metadata": {"name": "main", "namespace": "client-acme"}, "spec": spec,
    }))
    .unwrap();
    // Machines were watched before; which, does not matter here.
    stack.status = Some(MonitoringStackStatus { targets: 1, ..MonitoringStackStatus::default() });
    let lost = vec![LostInventory { account: "prod".into(), cause: String::new(), is_remembered: false }];
    plan(&stack, &Observed { client: "acme".into(), lost, now: Timestamp::now(), ..Observed::default() }).objects
}

fn key(key: &str) -> Value {
    json!({"name": "caretaker-receivers", "key": key})
}

/// A name as Alertmanager writes it.
fn snake(name: &str) -> String {
    match name {
        "apiURL" => "api_url".into(),
        "webhookURL" => "webhook_url".into(),
        "msteamsv2Configs" => "msteamsv2_configs".into(),
        _ => name.chars().flat_map(|c| if c.is_uppercase() { vec!['_', c.to_ascii_lowercase()] } else { vec![c] }).collect(),
    }
}

/// The configuration that the objects come to, as the prometheus-operator writes it, but for waits: those are as short as they can be. What keys hold is the
/// address of the test's receiver with the key as path.
fn configuration(objects: &[Desired], url: &str) -> Value {
    let (mut routes, mut receivers, mut intervals) = (Vec::new(), vec![json!({"name": "null"})], Vec::new());
    for object in objects.iter().filter(|object| object.kind == "AlertmanagerConfig") {
        let (spec, prefix) = (&object.body["spec"], format!("client-acme/{}/", object.name));
        let names = |list: &Value| {
            list.as_array().into_iter().flatten().map(|name| format!("{prefix}{}", name.as_str().unwrap())).collect::<Vec<_>>()
        };
        let matcher = |held: &Value| format!("{}{}{}", held["name"].as_str().unwrap(), held["matchType"].as_str().unwrap(), held["value"]);
        let of = &spec["route"];
        routes.push(json!({
            "receiver": format!("{prefix}{}", of["receiver"].as_str().unwrap()), "continue": true, "group_by": of["groupBy"],
            "matchers": of["matchers"].as_array().unwrap().iter().map(matcher).collect::<Vec<_>>(),
            "group_wait": "0s", "group_interval": "1s", "repeat_interval": if object.name.ends_with("heartbeat") { "1s" } else { "4h" },
            "active_time_intervals": names(&of["activeTimeIntervals"]), "mute_time_intervals": names(&of["muteTimeIntervals"]),
        }));
        for held in spec["receivers"].as_array().unwrap() {
            let mut made = Map::from_iter([("name".to_owned(), json!(format!("{prefix}{}", held["name"].as_str().unwrap())))]);
            for (list, entries) in held.as_object().unwrap().iter().filter(|(name, _)| *name != "name") {
                made.insert(snake(list), json!([entry(&entries[0], list, url)]));
            }
            receivers.push(Value::Object(made));
        }
        for named in spec["muteTimeIntervals"].as_array().into_iter().flatten() {
            let times = |held: &Value| {
                let mut made: Map<String, Value> =
                    held.as_object().unwrap().iter().map(|(name, value)| (snake(name), value.clone())).collect();
                if let Some(days) = held["daysOfMonth"].as_array() {
                    made.insert(
                        "days_of_month".into(),
                        days.iter().map(|days| json!(format!("{}:{}", days["start"], days["end"]))).collect(),
                    );
                }
                if let Some(times) = held["times"].as_array() {
                    let of = |time: &Value| json!({"start_time": time["startTime"], "end_time": time["endTime"]});
                    made.insert("times".into(), times.iter().map(of).collect());
                }
                Value::Object(made)
            };
            let entries: Vec<Value> = named["timeIntervals"].as_array().unwrap().iter().map(times).collect();
            intervals.push(json!({"name": format!("{prefix}{}", named["name"].as_str().unwrap()), "time_intervals": entries}));
        }
    }
    json!({"route": {"receiver": "null", "routes": routes}, "receivers": receivers, "time_intervals": intervals})
}

/// One receiver's entry. PagerDuty and Opsgenie are told where to go by an address of their own.
fn entry(held: &Value, list: &str, url: &str) -> Value {
    let mut made = Map::new();
    for (name, value) in held.as_object().unwrap() {
        let at = |value: &Value| json!(format!("{url}/{}", value["key"].as_str().unwrap()));
        match (list, name.as_str()) {
            ("pagerdutyConfigs", "routingKey") => made.extend([("routing_key".to_owned(), json!("k")), ("url".to_owned(), at(value))]),
            ("opsgenieConfigs", "apiKey") => made.extend([("api_key".to_owned(), json!("k")), ("api_url".to_owned(), at(value))]),
            ("pagerdutyConfigs", "details") => {
                let pairs = value.as_array().unwrap().iter().map(|pair| (pair["key"].as_str().unwrap().to_owned(), pair["value"].clone()));
                made.insert("details".into(), Value::Object(pairs.collect()));
            }
            (_, "urlSecret") => drop(made.insert("url".into(), at(value))),
            (_, "apiURL" | "webhookURL") => drop(made.insert(snake(name), at(value))),
            _ => drop(made.insert(snake(name), value.clone())),
        }
    }
    Value::Object(made)
}

/// A server on a port of its own, once it takes connections.
fn serve(name: &str, tool: &str, folder: &Path, arguments: impl Fn(SocketAddr) -> Vec<String>) -> anyhow::Result<(Process, SocketAddr)> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
    let mut process = Process::start(name, &tools::path(tool)?, &arguments(address), &[], &folder.join(format!("{name}.log")))?;
    process.wait_until(&format!("{name} takes connections"), Duration::from_secs(60), || TcpStream::connect(address).is_ok())?;
    Ok((process, address))
}

fn alertmanager(folder: &Path, name: &str, config: &Value) -> anyhow::Result<(Process, SocketAddr)> {
    let file = folder.join(format!("{name}.yml"));
    std::fs::write(&file, config.to_string())?;
    run(Command::new(tools::path("amtool")?).arg("check-config").arg(&file))?;
    serve(name, "alertmanager", folder, |address| {
        vec![
            format!("--config.file={}", file.display()),
            format!("--storage.path={}", folder.join(format!("{name}-data")).display()),
            "--cluster.listen-address=".into(),
            format!("--web.listen-address={address}"),
        ]
    })
}

async fn raise(pods: &Pods, at: SocketAddr, labels: &Value) {
    let body = json!([{
        "labels": labels, "endsAt": Timestamp::now() + SignedDuration::from_hours(1),
        "annotations": {"summary": format!("{} does not answer.", labels["name"].as_str().unwrap_or("it"))},
    }]);
    pods.send(reqwest::Method::POST, at, "api/v2/alerts", body.to_string().into_bytes()).await.unwrap();
}

async fn until(what: &str, seconds: u64, is_so: impl Fn() -> bool) {
    for _ in 0..seconds * 10 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{what}: not within {seconds} s");
}

/// Labels come from clients' clouds. What looks like a template, a mention or an end of a text stays what it is.
#[tokio::test]
async fn a_page_says_client_machine_place_and_tier_and_labels_stay_text() -> anyhow::Result<()> {
    let (folder, receiver) = (tempfile::tempdir()?, Receiver::start("127.0.0.1")?);
    let receivers = json!([{"slack": key("slack")}, {"pagerDuty": key("pagerduty")}, {"opsgenie": key("opsgenie")}, {"msTeams": key("teams")}, {"webhook": key("hook")}]);
    let made = objects(&json!({"tiers": [{"name": "desk", "receivers": receivers}]}));
    let (_process, at) = alertmanager(folder.path(), "alertmanager", &configuration(&made, &receiver.url))?;
    let pods = Pods::new().map_err(anyhow::Error::msg)?;
    let name = r#"a"b\ {{1}} {{ .Foo }} <!channel> & </pre>"#;
    raise(&pods, at, &json!({
        "alertname": "InstanceDown", "client": "acme", "account": "222222222222", "region": "eu-west-1", "instance_id": "i-1", "name": name, "tier": "desk",
    }))
    .await;
    let slack = name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let title = |name: &str| format!("acme: InstanceDown i-1 ({name}), account 222222222222, eu-west-1 [desk]");
    let line = |name: &str| format!("{name} does not answer.\nclient acme, account 222222222222, region eu-west-1, i-1 ({name}) since ");
    for path in ["/slack", "/pagerduty", "/opsgenie/v2/alerts", "/teams", "/hook"] {
        until(path, 20, || !receiver.bodies(path).is_empty()).await;
    }
    let sent = receiver.bodies("/slack")[0]["attachments"][0].clone();
    assert_eq!(sent["title"], title(&slack), "{sent}");
    assert!(sent["text"].as_str().unwrap().starts_with(&line(&slack)) && sent["mrkdwn_in"] == json!(["pretext"]), "{sent}");
    let sent = receiver.bodies("/pagerduty")[0]["payload"].clone();
    assert_eq!(sent["summary"], title(name), "{sent}");
    assert!(sent["custom_details"]["firing"].as_str().unwrap().starts_with(&format!("> {}", line(name))), "{sent}");
    let sent = receiver.bodies("/opsgenie/v2/alerts")[0].clone();
    assert!(sent["message"] == title(name) && sent["description"].as_str().unwrap().ends_with("Told to tier desk."), "{sent}");
    let card = receiver.bodies("/teams")[0]["attachments"][0]["content"]["body"].clone();
    assert!(card[0]["text"] == title(name) && card[1]["text"].as_str().unwrap().starts_with(&line(name)), "{card}");
    assert_eq!(receiver.bodies("/hook")[0]["alerts"][0]["labels"]["name"], name);
    Ok(())
}

/// A window that ends with the next minute, hours that are over, and hours that are now; nothing of ours runs meanwhile.
#[tokio::test]
async fn what_burns_at_the_end_of_a_window_is_told_and_beats_go_on_through_it() -> anyhow::Result<()> {
    let (folder, receiver) = (tempfile::tempdir()?, Receiver::start("127.0.0.1")?);
    let now = Timestamp::now().as_second();
    let end = (now + 20).div_euclid(60) * 60 + 60;
    let clock = |second: i64| Timestamp::from_second(second).unwrap().strftime("%Y-%m-%dT%H:%M").to_string();
    let window = json!({"from": clock(now - 7200), "to": clock(end), "zone": "UTC", "reason": "move"});
    let all = json!(["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]);
    // By a clock that is twelve hours away, from five to seven hours after now: so not now.
    let hour = |hours: i64| (Timestamp::from_second(end + hours * 3600).unwrap()).strftime("%H:00").to_string();
    let tier = |name: &str, more: Value| {
        let mut tier = json!({"name": name, "ackWithinMinutes": 5, "receivers": [{"webhook": key(name)}]});
        tier.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        tier
    };
    let tiers = json!([tier("desk", json!({"hours": "day"})), tier("lead", json!({"hours": "later"})), tier("vendor", json!({}))]);
    let hours = json!([
        {"name": "day", "zone": "Europe/Berlin", "times": [{"days": all, "from": "00:00", "to": "24:00"}]},
        {"name": "later", "zone": "UTC", "times": [{"days": all, "from": hour(5), "to": hour(7)}]},
    ]);
    let made = objects(&json!({"tiers": tiers, "hours": hours, "windows": [window], "heartbeat": {"webhook": key("beat")}}));
    let (_process, at) = alertmanager(folder.path(), "alertmanager", &configuration(&made, &receiver.url))?;
    let pods = Pods::new().map_err(anyhow::Error::msg)?;
    for tier in ["desk", "lead", "vendor"] {
        raise(&pods, at, &json!({"alertname": "InstanceDown", "account": "1", "region": "r", "tier": tier})).await;
    }
    raise(&pods, at, &json!({"alertname": "Heartbeat", "tier": "-"})).await;
    let told = |tier: &str| receiver.alerts(&format!("/{tier}")).len();
    until("two beats in the window", 20, || told("beat") > 1).await;
    while Timestamp::now().as_second() < end - 1 {
        assert_eq!((told("desk"), told("vendor")), (0, 0), "somebody was paged in the window");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let waits = Instant::now();
    until("the page after the window", 10, || told("desk") == 1 && told("vendor") == 1).await;
    assert!(waits.elapsed() < Duration::from_secs(6), "one interval of the group, not more: {:?}", waits.elapsed());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!((told("lead"), told("desk"), told("vendor")), (0, 1, 1), "outside its hours a tier is not paged");
    Ok(())
}

/// The rule of beats alone, with what Prometheus says of its own targets.
fn beats(objects: &[Desired], folder: &Path, name: &str) -> anyhow::Result<std::path::PathBuf> {
    let rules = objects.iter().find(|object| object.kind == "PrometheusRule").unwrap().body["spec"]["groups"][0]["rules"].clone();
    let beat: Vec<&Value> = rules.as_array().unwrap().iter().filter(|rule| rule["alert"] == "Heartbeat").collect();
    assert_eq!(beat.len(), 1);
    let file = folder.join(format!("{name}-rules.json"));
    std::fs::write(&file, json!({"groups": [{"name": "caretaker", "rules": beat}]}).to_string())?;
    Ok(file)
}

#[test]
fn the_beat_stops_where_nothing_is_scraped_and_not_where_a_machine_is_down() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let made = objects(&json!({"tiers": [{"name": "desk", "webhookUrl": "https://desk.example"}], "heartbeat": {"webhook": key("beat")}}));
    let file = beats(&made, folder.path(), "acme")?;
    let case = |itself: &str, machines: &str, told: &[(&str, bool)]| {
        let labels = json!({"severity": "none", "tier": "-"});
        let summary = json!({"summary": "Monitoring is alive: raise the alarm when this stays away."});
        let expected = |is: bool| if is { json!([{"exp_labels": labels, "exp_annotations": summary}]) } else { json!([]) };
        let tests: Vec<Value> =
            told.iter().map(|(at, is)| json!({"eval_time": at, "alertname": "Heartbeat", "exp_alerts": expected(*is)})).collect();
        let series = [("prometheus", itself), ("machines", machines)]
            .map(|(job, values)| json!({"series": format!("up{{job=\"{job}\"}}"), "values": values}));
        json!({"interval": "1m", "alert_rule_test": tests, "input_series": series})
    };
    let tests = json!({"rule_files": [file], "evaluation_interval": "30s", "tests": [
        case("1x60", "0x60", &[("1m", true), ("60m", true)]),
        case("1x60", "1x20 _x40", &[("20m", true), ("29m", true), ("31m", false), ("60m", false)]),
        case("1x20 _x40", "1x60", &[("29m", true), ("31m", false)]),
        case("1x60", "1x20 _x15 1x25", &[("34m", false), ("37m", true)]),
    ]});
    let file = folder.path().join("tests.json");
    std::fs::write(&file, tests.to_string())?;
    run(Command::new(tools::path("promtool")?).args(["test", "rules"]).arg(&file))?;
    Ok(())
}

/// A client's Prometheus, which scrapes itself and what stands for its machine, with the one rule.
fn prometheus(folder: &Path, client: &str, alertmanager: SocketAddr, rules: &Path) -> anyhow::Result<(Process, SocketAddr)> {
    let port = free_port()?;
    let job = |name: &str| json!({"job_name": name, "static_configs": [{"targets": [format!("127.0.0.1:{port}")]}]});
    let config = json!({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s", "external_labels": {"client": client}}, "rule_files": [rules],
        "scrape_configs": [job("prometheus"), job("machines")],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager.to_string()]}]}]},
    });
    let file = folder.join(format!("{client}.json"));
    std::fs::write(&file, config.to_string())?;
    serve(client, "prometheus", folder, |address| {
        vec![
            format!("--config.file={}", file.display()),
            format!("--storage.tsdb.path={}", folder.join(format!("{client}-tsdb")).display()),
            "--rules.alert.resend-delay=1s".into(),
            format!("--web.listen-address={address}"),
        ]
    })
}

#[tokio::test]
async fn a_client_whose_prometheus_ends_sends_no_beat_and_another_client_does() -> anyhow::Result<()> {
    let (folder, receiver) = (tempfile::tempdir()?, Receiver::start("127.0.0.1")?);
    let mut running = Vec::new();
    for client in ["acme", "beta"] {
        let made =
            objects(&json!({"tiers": [{"name": "desk", "webhookUrl": "https://desk.example"}], "heartbeat": {"webhook": key(client)}}));
        let rules = beats(&made, folder.path(), client)?;
        let (alerts, at) = alertmanager(folder.path(), &format!("alertmanager-{client}"), &configuration(&made, &receiver.url))?;
        running.push((prometheus(folder.path(), client, at, &rules)?.0, alerts));
    }
    let beats = |client: &str| receiver.alerts(&format!("/{client}")).len();
    until("three beats of each", 60, || beats("acme") > 2 && beats("beta") > 2).await;
    let (prometheus, _alerts) = running.remove(0);
    drop(prometheus);
    // Alertmanager takes an alert that is not renewed for ended after four rounds.
    tokio::time::sleep(Duration::from_secs(8)).await;
    let (acme, beta) = (beats("acme"), beats("beta"));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(beats("acme"), acme, "beats without a Prometheus");
    assert!(beats("beta") > beta + 1, "another client's beats stopped as well");
    assert!(receiver.bodies("/acme").iter().all(|body| body["status"] == "firing"), "the end of a beat is no beat");
    Ok(())
}
