//! Silences of a client's Alertmanager: those of our incidents, which are known by their comment.
//! Source: <https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>.

use std::net::SocketAddr;

use caretaker_api::names;
use caretaker_core::incident::{LABEL, Silence};
use caretaker_core::monitoring_stack::Answer;
use jiff::Timestamp;
use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::monitoring_stack::Pods;

const ALL: &str = "api/v2/silences";

/// Holds back what a silence is about until a second. What is held back so already is left as it is.
///
/// # Errors
/// Alertmanager did not answer as it should; without addresses.
pub async fn hold(pods: &Pods, at: SocketAddr, silence: &Silence, until: i64, now: Timestamp) -> Answer<()> {
    let ends_at = Timestamp::from_second(until).map_err(|error| error.to_string())?;
    let wanted = matchers(silence);
    let (same, others): (Vec<Held>, Vec<Held>) =
        ours(pods, at, &silence.comment).await?.into_iter().partition(|held| sorted(held.matchers.clone()) == wanted);
    if !same.iter().any(|held| held.ends_at.as_second() == until) {
        let body = Wanted {
            id: same.first().map(|held| held.id.as_str()),
            matchers: &wanted,
            starts_at: same.first().map_or(now, |held| held.starts_at),
            ends_at,
            created_by: names::MANAGER,
            comment: &silence.comment,
        };
        let body = serde_json::to_vec(&body).map_err(|error| error.to_string())?;
        pods.send(Method::POST, at, ALL, body).await?;
    }
    // Only once the new one is there: in between nothing would be held back.
    for held in others.iter().chain(same.iter().skip(1)) {
        remove(pods, at, &held.id).await?;
    }
    Ok(())
}

/// Lets through what was held back.
///
/// # Errors
/// As above.
pub async fn release(pods: &Pods, at: SocketAddr, comment: &str) -> Answer<()> {
    for held in ours(pods, at, comment).await? {
        remove(pods, at, &held.id).await?;
    }
    Ok(())
}

async fn remove(pods: &Pods, at: SocketAddr, id: &str) -> Answer<()> {
    // Alertmanager is not trusted: what it calls an id stays one part of the path.
    if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err("the id of a silence is none".into());
    }
    pods.send(Method::DELETE, at, &format!("api/v2/silence/{id}"), Vec::new()).await
}

/// Those of ours that are in force.
async fn ours(pods: &Pods, at: SocketAddr, comment: &str) -> Answer<Vec<Held>> {
    let all: Vec<Held> = pods.get(at, ALL).await?;
    Ok(all
        .into_iter()
        .filter(|held| held.comment == comment && held.created_by == names::MANAGER && held.status.state != "expired")
        .collect())
}

fn matchers(silence: &Silence) -> Vec<Matcher> {
    let plain =
        silence.labels.iter().map(|(name, value)| Matcher { name: name.clone(), value: value.clone(), is_regex: false, is_equal: true });
    // Names of tiers hold nothing that a regular expression would read otherwise.
    let tiers = Matcher { name: LABEL.into(), value: silence.tiers.join("|"), is_regex: true, is_equal: true };
    sorted(plain.chain([tiers]).collect())
}

fn sorted(mut matchers: Vec<Matcher>) -> Vec<Matcher> {
    matchers.sort();
    matchers
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Matcher {
    name: String,
    value: String,
    is_regex: bool,
    #[serde(default = "yes")]
    is_equal: bool,
}

fn yes() -> bool {
    true
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wanted<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    matchers: &'a [Matcher],
    starts_at: Timestamp,
    ends_at: Timestamp,
    created_by: &'a str,
    comment: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Held {
    id: String,
    status: State,
    matchers: Vec<Matcher>,
    starts_at: Timestamp,
    ends_at: Timestamp,
    created_by: String,
    comment: String,
}

#[derive(Deserialize)]
struct State {
    state: String,
}
