//! Sends the alerts of a page test to a client's Alertmanager, and asks what became of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use caretaker_core::monitoring_stack::{ALERTMANAGER_PORT, Answer, Counts, HEARTBEAT, Observed, PAGE_TEST, Page, State, WATCHDOG};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::Pods;

/// How long an alert of a test would last if nobody ended it.
const LASTS: SignedDuration = SignedDuration::from_mins(60);
/// What names a receiver in a counter, where Alertmanager counts for each.
const RECEIVER: &str = "receiver_name=\"";

/// Notes what Alertmanager says.
pub async fn look(pods: Option<&Pods>, observed: &mut Observed) {
    observed.pages = Some(match (pods, address(observed)) {
        (Some(pods), Ok(at)) => counts(pods, at).await,
        (None, _) => Err("the operator is set up not to ask the clients' monitoring (monitoring.ask)".into()),
        (_, Err(why)) => Err(why),
    });
}

/// Where Alertmanager is.
pub fn address(observed: &Observed) -> Answer<SocketAddr> {
    match observed.alertmanager {
        State::Runs(Some(ip)) => Ok(SocketAddr::new(ip, ALERTMANAGER_PORT)),
        _ => Err("it does not run; see MonitoringReady".into()),
    }
}

/// What Alertmanager has counted and holds.
///
/// # Errors
/// It did not answer as it should; without addresses.
pub async fn counts(pods: &Pods, at: SocketAddr) -> Answer<Counts> {
    let metrics = pods.text(at, "metrics").await?;
    let alerts: Vec<Alert> = pods.get(at, "api/v2/alerts?active=true&silenced=false&inhibited=false").await?;
    let name = |alert: &Alert| alert.labels.get("alertname").cloned().unwrap_or_default();
    let tier = |alert: &Alert| alert.labels.get("tier").cloned().unwrap_or_default();
    let (tests, others): (Vec<&Alert>, Vec<&Alert>) =
        alerts.iter().filter(|alert| name(alert) != WATCHDOG && name(alert) != HEARTBEAT).partition(|alert| name(alert) == PAGE_TEST);
    Ok(Counts {
        requests: sum(&metrics, "alertmanager_notification_requests_total{"),
        failed: sum(&metrics, "alertmanager_notification_requests_failed_total{"),
        receivers: tests
            .iter()
            .map(|alert| (tier(alert), alert.receivers.iter().map(|receiver| receiver.name.clone()).collect()))
            .collect(),
        others: others.len(),
        has_beats: alerts.iter().any(|alert| name(alert) == HEARTBEAT) && !metrics.contains(RECEIVER),
    })
}

/// Sums a counter over all receivers but that of the heartbeat. Its values are whole, and may be written with an exponent.
fn sum(metrics: &str, begins: &str) -> u64 {
    let is_beat = |line: &str| line.contains("-heartbeat/heartbeat\"") && !line.contains("-tier-heartbeat/");
    let of_pages = metrics.lines().filter(|line| line.starts_with(begins) && !is_beat(line));
    of_pages.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).map(|count| count as u64).sum()
}

/// Sends what a test has to send.
///
/// # Errors
/// As above.
pub async fn send(pods: &Pods, at: SocketAddr, page: &Page, now: Timestamp) -> Answer<()> {
    let (tiers, request, ends_at) = match page {
        Page::Begin { tier, request } => (std::slice::from_ref(tier), request, now + LASTS),
        Page::End { tiers, request } => (tiers.as_slice(), request, now),
    };
    let summary = "A test of this way to you, asked for by the provider. Nothing has failed.";
    let alert = |tier: &String| {
        // The request stands where an account does: pages are grouped by that.
        let labels = [("alertname", PAGE_TEST), ("tier", tier.as_str()), ("account", request.as_str()), ("severity", "none")];
        Sent { labels: labels.map(|(label, value)| (label, value.to_owned())).into(), annotations: [("summary", summary)].into(), ends_at }
    };
    let body = serde_json::to_vec(&tiers.iter().map(alert).collect::<Vec<_>>()).map_err(|error| error.to_string())?;
    pods.send(Method::POST, at, "api/v2/alerts", body).await
}

#[derive(Deserialize)]
struct Alert {
    labels: BTreeMap<String, String>,
    #[serde(default)]
    receivers: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    labels: BTreeMap<&'static str, String>,
    annotations: BTreeMap<&'static str, &'static str>,
    ends_at: Timestamp,
}
