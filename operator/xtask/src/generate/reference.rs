//! The reference page: kinds with their fields, conditions, reasons, metrics and alerts, all from the code that they are in.

use anyhow::{Context, Result, ensure};
use caretaker_api::MonitoringStack;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_core::monitoring_stack::{LostInventory, Observed, plan};
use caretaker_core::ownership::Kind;
use serde_json::{Value, json};

/// The page.
pub fn page() -> Result<String> {
    let mut text = "# Reference\n\nMade from the code by `cargo xtask generate`. `kubectl explain KIND --recursive` tells the same of the definitions in your \
                    cluster.\n\n## Kinds\n"
        .to_owned();
    for crd in caretaker_api::all_crds() {
        kind(&mut text, &serde_json::to_value(&crd)?)?;
    }
    text.push_str("\n## Conditions\n\n| condition | of | True means |\n| --- | --- | --- |\n");
    for condition in ConditionType::ALL {
        text.push_str(&format!("| `{condition}` | {} | {} |\n", kinds_of(*condition), cell(condition.meaning())));
    }
    text.push_str("\n## Reasons\n\nA reason says why a condition has its status; the message beside it says what to do.\n\n| reason | meaning |\n| --- | --- |\n");
    for reason in Reason::ALL {
        text.push_str(&format!("| `{reason}` | {} |\n", cell(reason.meaning())));
    }
    text.push_str(
        "\n## Metrics of the operator\n\nCounters end with `_total`. No label names a client.\n\n| metric | meaning |\n| --- | --- |\n",
    );
    for (name, meaning) in metrics(include_str!("../../../engine/src/metrics.rs"))? {
        text.push_str(&format!("| `caretaker_{name}` | {} |\n", cell(&meaning)));
    }
    text.push_str("\n## Alerts\n\nOf the operator itself (`metrics.rules` of the chart):\n\n| alert | meaning |\n| --- | --- |\n");
    for (name, meaning) in chart_alerts(include_str!("../../../../charts/caretaker/templates/monitoring.yaml"))? {
        text.push_str(&format!("| `{name}` | {} |\n", cell(&meaning)));
    }
    text.push_str(
        "\nIn each client's Prometheus, once for each tier:\n\n| alert | after | severity | meaning |\n| --- | --- | --- | --- |\n",
    );
    for row in client_alerts()? {
        text.push_str(&row);
    }
    Ok(text)
}

/// A text as a cell of a table: one line, and nothing that ends the cell.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|").replace('<', "&lt;")
}

fn kind(text: &mut String, crd: &Value) -> Result<()> {
    let names = &crd["spec"]["names"];
    let name = |field: &str| names[field].as_str().unwrap_or_default().to_owned();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let short = names["shortNames"][0].as_str().unwrap_or_default();
    let scope = if crd["spec"]["scope"] == "Cluster" { "cluster" } else { "namespace of a client" };
    text.push_str(&format!(
        "\n### {}\n\n{}\nShort name `{short}`, in the {scope}.\n\n| field | type | what it is |\n| --- | --- | --- |\n",
        name("kind"),
        schema["description"].as_str().context("a kind has a description")?
    ));
    fields(text, "spec", &schema["properties"]["spec"], usize::MAX);
    // What is below is told by the fields' own descriptions.
    fields(text, "status", &schema["properties"]["status"], 1);
    Ok(())
}

/// One row for each field, and below it for its own, as deep as told.
fn fields(text: &mut String, path: &str, schema: &Value, depth: usize) {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let Some(properties) = schema["properties"].as_object().filter(|_| depth > 0) else { return };
    for (name, field) in properties {
        let (mut at, mut inner) = (format!("{path}.{name}"), field);
        let mut kind = field["type"].as_str().unwrap_or("any").to_owned();
        if field["items"].is_object() {
            inner = &field["items"];
            at.push_str("[]");
            kind = format!("list of {}", inner["type"].as_str().unwrap_or("any"));
        } else if field["additionalProperties"].is_object() {
            kind = "map".to_owned();
        }
        let words: Vec<String> =
            inner["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
        let needed = if required.contains(&name.as_str()) && path.starts_with("spec") { ", required" } else { "" };
        let choice = if words.is_empty() { String::new() } else { format!(" One of {}.", words.join(", ")) };
        let default = if field["default"].is_null() || field["default"].is_object() {
            String::new()
        } else {
            format!(" Default `{}`.", field["default"])
        };
        let what = cell(field["description"].as_str().unwrap_or_default());
        text.push_str(&format!("| `{at}` | {kind}{needed} | {what}{choice}{default} |\n"));
        fields(text, &at, inner, depth - 1);
    }
}

/// The kinds that tell a condition.
fn kinds_of(condition: ConditionType) -> String {
    let of = |kind: &Kind| match kind {
        Kind::ProviderProfile => caretaker_core::provider_profile::CONDITIONS,
        Kind::ServiceProfile => caretaker_core::service_profile::CONDITIONS,
        Kind::ManagedClient => caretaker_core::managed_client::CONDITIONS,
        Kind::CloudAccount => caretaker_core::cloud_account::CONDITIONS,
        Kind::MonitoringStack => caretaker_core::monitoring_stack::CONDITIONS,
        Kind::BackupPolicy => caretaker_core::backup_policy::CONDITIONS,
        Kind::ServiceReport => caretaker_core::service_report::CONDITIONS,
        Kind::Incident => caretaker_core::incident::CONDITIONS,
        Kind::ChangeRequest => caretaker_core::change_request::CONDITIONS,
        Kind::Handover => caretaker_core::handover::CONDITIONS,
    };
    let found: Vec<&str> = Kind::ALL.iter().filter(|kind| of(kind).contains(&condition)).map(|kind| kind.as_str()).collect();
    if found.is_empty() { "all".into() } else { found.join(", ") }
}

/// Name and help of each metric that the engine registers. The registry itself cannot be asked.
fn metrics(source: &str) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for call in source.split("registry.register(\"").skip(1) {
        let (name, rest) = call.split_once("\", ").context("a metric has a name")?;
        let help = match rest.strip_prefix('"') {
            Some(text) => text.split_once('"').map(|(help, _)| help),
            None => {
                let variable = format!("let {} = \"", rest.split(',').next().unwrap_or_default());
                source.split_once(&variable).and_then(|(_, after)| after.split_once('"')).map(|(help, _)| help)
            }
        };
        found.push((name.to_owned(), help.with_context(|| format!("the metric {name} has a help text"))?.to_owned()));
    }
    ensure!(!found.is_empty(), "no metric was found");
    found.sort();
    Ok(found)
}

/// Name and summary of each alert of the chart.
fn chart_alerts(template: &str) -> Result<Vec<(String, String)>> {
    let after = |text: &str, key: &str| text.lines().find_map(|line| line.trim().strip_prefix(key)).map(str::to_owned);
    let alerts = template.split("- alert: ").skip(1).map(|alert| {
        let name = alert.lines().next().unwrap_or_default().to_owned();
        let summary = after(alert, "summary: ").with_context(|| format!("the alert {name} has a summary"))?;
        Ok((name, summary))
    });
    alerts.collect()
}

/// The alerts of a client that has a prober and one tier.
fn client_alerts() -> Result<Vec<String>> {
    let stack: MonitoringStack = serde_json::from_value(json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "MonitoringStack", "metadata": {"name": "main", "namespace": "client-x"},
        "spec": {
            "accounts": [], "prober": "blackbox.monitoring.svc:9115",
            "tiers": [{"name": "tier-1", "afterMinutes": 0, "webhookUrl": "https://desk.provider.example"}],
        },
        "status": {"targets": 1},
    }))?;
    // Machines were watched before; which, does not matter here.
    let lost = vec![LostInventory { account: String::new(), cause: String::new(), is_remembered: false }];
    let objects = plan(&stack, &Observed { lost, ..Observed::default() }).objects;
    let mut rows = Vec::new();
    for made in objects.iter().filter(|made| made.kind == "PrometheusRule") {
        let groups = made.body["spec"]["groups"].as_array().into_iter().flatten();
        for rule in groups.flat_map(|group| group["rules"].as_array().into_iter().flatten()).filter(|rule| rule["alert"].is_string()) {
            let text = |value: &Value| cell(value.as_str().unwrap_or_default());
            let meaning = text(&rule["annotations"]["summary"]);
            rows.push(format!(
                "| `{}` | {} | {} | {meaning} |\n",
                text(&rule["alert"]),
                text(&rule["for"]),
                text(&rule["labels"]["severity"])
            ));
        }
    }
    ensure!(!rows.is_empty(), "a client without alerts");
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_and_every_metric_has_a_meaning() {
        assert!(ConditionType::ALL.iter().all(|word| !word.meaning().trim().is_empty()));
        assert!(Reason::ALL.iter().all(|word| !word.meaning().trim().is_empty()));
        let source = "registry.register(\"a\", \"One\", x); let two = \"Two\"; registry.register(\"b\", two, y);";
        assert_eq!(metrics(source).unwrap(), [("a".into(), "One".into()), ("b".into(), "Two".into())]);
        assert!(metrics("registry.register(\"a\", nowhere, x);").is_err());
    }
}
