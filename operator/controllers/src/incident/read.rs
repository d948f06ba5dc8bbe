//! Asks a client's Prometheus which alerts fired when.
//!
//! Prometheus keeps a series `ALERTS` of its own for each alert that fires. Unlike a webhook of Alertmanager it tells of what was while the operator was down,
//! needs no way into the operator, and no token that could be lost.
//! Source: <https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/#inspecting-alerts-during-runtime>,
//! <https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries>.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use caretaker_core::incident::LABEL;
use caretaker_core::incident::outage::{Key, Reading};
use caretaker_core::monitoring_stack::{Answer, GROUP_BY, HEARTBEAT, WATCHDOG};
use jiff::Timestamp;
use serde::Deserialize;

use crate::monitoring_stack::Pods;

/// Seconds between two moments that are looked at: that between two evaluations of the rules.
const STEP: i64 = 30;
/// Seconds that Prometheus may take to write down what it evaluated.
const SETTLES: i64 = 15;
/// Most moments of one answer; Prometheus refuses 11,000.
const MOST: i64 = 10_500;

/// What fired from a moment on: all of it, or that of one key.
///
/// # Errors
/// Prometheus did not answer as it should; without addresses, which change with each pod.
pub async fn reading(pods: &Pods, at: SocketAddr, key: Option<&Key>, from: i64, now: Timestamp) -> Answer<Reading> {
    let until = now.as_second() - SETTLES;
    // Moments of one grid, so that who asks later is told of the same ones. Of what lasts for many days it is wider.
    let step = STEP * (1 + (until - from).max(0) / (STEP * MOST));
    let (start, end) = (from.div_euclid(step) * step, until.div_euclid(step) * step);
    if end < start {
        return Ok(Reading::default());
    }
    let what = key.map_or_else(
        || r#"ALERTS{alertstate="firing"}"#.to_owned(),
        |key| format!(r#"{} or ALERTS{{alertstate="firing",alertname="{WATCHDOG}"}}"#, selector(key, None)),
    );
    let query = escaped(&format!("count by ({},{LABEL}) ({what})", GROUP_BY.join(",")));
    let answer: Data = pods.get(at, &format!("api/v1/query_range?query={query}&start={start}&end={end}&step={step}")).await?;
    Ok(read(answer))
}

/// Machines or addresses that an outage is about now, as far as alerts of this tier name them.
///
/// # Errors
/// As above.
pub async fn members(pods: &Pods, at: SocketAddr, key: &Key, tier: &str, now: Timestamp) -> Answer<Vec<String>> {
    let query = escaped(&selector(key, Some(tier)));
    let answer: Data = pods.get(at, &format!("api/v1/query?query={query}&time={}", now.as_second())).await?;
    let member = |series: Series| ["instance_id", "instance"].iter().find_map(|label| series.metric.get(*label).cloned());
    Ok(answer.data.result.into_iter().filter_map(member).collect::<BTreeSet<_>>().into_iter().collect())
}

fn selector(key: &Key, tier: Option<&str>) -> String {
    let value = |label: &str| match label {
        "alertname" => key.alert.as_str(),
        label => key.labels.get(label).map_or("", String::as_str),
    };
    let mut matchers: Vec<String> = GROUP_BY.iter().map(|label| format!("{label}={}", quoted(value(label)))).collect();
    matchers.extend(tier.map(|tier| format!("{LABEL}={}", quoted(tier))));
    format!(r#"ALERTS{{alertstate="firing",{}}}"#, matchers.join(","))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n"))
}

fn escaped(text: &str) -> String {
    let byte = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(byte).collect()
}

fn read(answer: Data) -> Reading {
    let mut reading = Reading::default();
    for mut series in answer.data.result {
        // Whole seconds: the grid's.
        let moments = series.values.iter().map(|(second, _)| second.round() as i64);
        let alert = series.metric.remove("alertname").unwrap_or_default();
        if alert == WATCHDOG {
            reading.evaluated.extend(moments);
            continue;
        }
        if alert == HEARTBEAT {
            continue;
        }
        let tier = series.metric.remove(LABEL).unwrap_or_default();
        series.metric.retain(|label, value| GROUP_BY.contains(&label.as_str()) && !value.is_empty());
        reading.firing.entry(Key { alert, labels: series.metric }).or_default().entry(tier).or_default().extend(moments);
    }
    reading
}

#[derive(Deserialize)]
struct Data {
    data: Matrix,
}

#[derive(Deserialize)]
struct Matrix {
    result: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    #[serde(default)]
    values: Vec<(f64, String)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_label_leaves_its_place_in_a_query() {
        let labels = [("account".to_owned(), "a\"} or vector(1) or x{b=\"\\".to_owned())].into();
        let text = selector(&Key { alert: "Down\n".into(), labels }, Some("desk"));
        let expected = r#"ALERTS{alertstate="firing",alertname="Down\n",account="a\"} or vector(1) or x{b=\"\\",region="",tier="desk"}"#;
        assert_eq!(text, expected);
        assert_eq!(escaped("a b&time=1"), "a%20b%26time%3D1");
    }
}
