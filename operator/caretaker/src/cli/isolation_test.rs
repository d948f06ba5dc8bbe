//! `isolation-test`: the program of the pod that tests a client's namespace. It tries what its environment names, and tells in its termination message.

use std::time::{Duration, Instant};

use anyhow::Context;
use caretaker_api::isolation::Expected;
use caretaker_api::names::MANAGER;
use caretaker_controllers::operator::user_agent;
use caretaker_core::isolation::{ATTEMPTS, Attempt, Found, LATE, Try};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ListParams};
use kube::{Client, Config};

/// Time for one attempt.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Time in which an attempt may come to its right end. Some networks begin to enforce policies for a new pod late, up to a minute.
/// Source: <https://github.com/k3s-io/k3s/issues/947>.
const PATIENCE: Duration = Duration::from_secs(45);
/// Pause between two tries of one attempt.
const PAUSE: Duration = Duration::from_secs(3);
/// Where the kubelet reads what a container has to say at its end. Source: `terminationMessagePath` of a container, whose default this is.
const MESSAGE: &str = "/dev/termination-log";

/// Tries everything and tells.
pub async fn run() -> anyhow::Result<()> {
    let asked = std::env::var(ATTEMPTS).with_context(|| format!("{ATTEMPTS} is not set: the operator sets it in the pod that it makes"))?;
    let asked: Vec<Attempt> = serde_json::from_str(&asked).with_context(|| format!("{ATTEMPTS} holds no attempts"))?;
    // What must work first: until it does, the pod has no network, and everything is refused.
    let mut found: Vec<Option<Found>> = vec![None; asked.len()];
    for phase in [Expected::Works, Expected::Refused] {
        let of_phase = asked.iter().enumerate().filter(|(_, attempt)| attempt.expected == phase);
        let told = futures::future::join_all(of_phase.map(async |(at, attempt)| (at, tried(attempt).await))).await;
        told.into_iter().for_each(|(at, told)| found[at] = Some(told));
    }
    let found: Vec<Found> = found.into_iter().flatten().collect();
    for (attempt, found) in asked.iter().zip(&found) {
        outln!("{}: {} (expected: {})", attempt.what, found.told, attempt.expected.as_str());
    }
    std::fs::write(MESSAGE, serde_json::to_string(&found)?).with_context(|| format!("write {MESSAGE}"))
}

/// One attempt, again until it ends as it must or time is up: the last try counts.
async fn tried(attempt: &Attempt) -> Found {
    let (began, mut is_late) = (Instant::now(), false);
    loop {
        let mut found = once(&attempt.way).await;
        let is_right = found.works == (attempt.expected == Expected::Works);
        if is_right && is_late && attempt.expected == Expected::Refused {
            found.told.push_str(&format!("{LATE}{} s", began.elapsed().as_secs()));
        }
        if is_right || began.elapsed() > PATIENCE {
            return found;
        }
        is_late = true;
        tokio::time::sleep(PAUSE).await;
    }
}

async fn once(way: &Try) -> Found {
    let tried = async {
        match way {
            Try::Resolve(name) => match tokio::net::lookup_host((name.as_str(), 443)).await.map(|mut all| all.next()) {
                Ok(Some(_)) => (true, "resolved".to_owned()),
                Ok(None) => (false, "no address".into()),
                Err(error) => (false, error.to_string()),
            },
            Try::Connect(address) => match tokio::net::TcpStream::connect(address).await {
                Ok(_) => (true, "connected".into()),
                Err(error) => (false, error.kind().to_string()),
            },
            Try::ReadSecrets(namespace) => read_secrets(namespace).await,
        }
    };
    let no_answer = (false, format!("no answer within {} s", TIMEOUT.as_secs()));
    let (works, told) = tokio::time::timeout(TIMEOUT, tried).await.unwrap_or(no_answer);
    Found { works, told: told.chars().take(80).collect() }
}

/// The names and contents that come are dropped: that they came is what counts.
async fn read_secrets(namespace: &str) -> (bool, String) {
    let client = async {
        let mut config = Config::incluster().map_err(|error| error.to_string())?;
        config.connect_timeout = Some(TIMEOUT);
        config.default_retry = false;
        config.headers.push(user_agent(MANAGER));
        Client::try_from(config).map_err(|error| error.to_string())
    };
    let client = match client.await {
        Ok(client) => client,
        Err(why) => return (false, format!("no way to ask: {why}")),
    };
    let api: Api<Secret> = if namespace.is_empty() { Api::all(client) } else { Api::namespaced(client, namespace) };
    match api.list_metadata(&ListParams::default().limit(1)).await {
        Ok(_) => (true, "they were given out".into()),
        Err(kube::Error::Api(status)) => (false, format!("refused with {}", status.code)),
        Err(_) => (false, "no connection".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_open_is_told_apart_from_what_is_closed() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = Try::Connect(listener.local_addr().unwrap().to_string());
        assert_eq!(once(&open).await, Found { works: true, told: "connected".into() });
        let closed = Try::Connect("127.0.0.1:1".into());
        assert_eq!(once(&closed).await, Found { works: false, told: "connection refused".into() });
        assert!(once(&Try::Resolve("localhost".into())).await.works);
        assert!(!once(&Try::Resolve("nobody.invalid".into())).await.works);
    }

    #[tokio::test]
    async fn a_way_that_is_closed_late_is_told_as_such() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let way = Try::Connect(listener.local_addr().unwrap().to_string());
        let attempt = Attempt { what: "x".into(), way, expected: Expected::Refused };
        let closes = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(listener);
        };
        let (found, ()) = tokio::join!(tried(&attempt), closes);
        assert!(!found.works && found.told.starts_with("connection refused; open for the first "), "{}", found.told);
    }
}
