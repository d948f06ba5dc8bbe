//! Asks Prometheus and Alertmanager at their pods what they have loaded.
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/api/>, <https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use caretaker_core::monitoring_stack::{
    ALERTMANAGER_PORT, AlertmanagerSays, Answer, GROUP, Loaded, PROMETHEUS_PORT, PrometheusSays, RuleSays, WATCHDOG,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Time for one answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest answer. The pods run in the client's namespace, and what answers there is not trusted.
const MOST_BYTES: usize = 8 << 20;
/// What is said of a pod that is ready and that nobody can ask.
const NO_ADDRESS: &str = "its pod has no address";

/// The way to the pods.
#[derive(Clone)]
pub struct Pods(reqwest::Client);

impl Pods {
    /// Pods are asked directly, whatever proxy there is for the clouds, and are not followed elsewhere.
    ///
    /// # Errors
    /// No client can be built.
    pub fn new() -> Result<Self, String> {
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT).build();
        client.map(Self).map_err(|error| error.to_string())
    }

    /// What both say.
    pub async fn loaded(&self, prometheus: Option<IpAddr>, alertmanager: Option<IpAddr>) -> Loaded {
        let (prometheus, alertmanager) = tokio::join!(self.prometheus(prometheus), self.alertmanager(alertmanager));
        Loaded { prometheus, alertmanager }
    }

    async fn prometheus(&self, ip: Option<IpAddr>) -> Answer<PrometheusSays> {
        let at = SocketAddr::new(ip.ok_or(NO_ADDRESS)?, PROMETHEUS_PORT);
        let runtime: Data<Runtime> = self.get(at, "api/v1/status/runtimeinfo").await?;
        let pools: Data<Pools> = self.get(at, "api/v1/scrape_pools").await?;
        let rules: Data<Groups> = self.get(at, "api/v1/rules?type=alert&exclude_alerts=true").await?;
        let alertmanagers: Data<Alertmanagers> = self.get(at, "api/v1/alertmanagers").await?;
        let ours = rules.data.groups.into_iter().filter(|group| group.name == GROUP).flat_map(|group| group.rules);
        Ok(PrometheusSays {
            is_reloaded: runtime.data.reload_config_success,
            pools: pools.data.scrape_pools.into_iter().collect(),
            rules: ours.map(|rule| RuleSays { name: rule.name, error: rule.last_error }).collect(),
            alertmanagers: alertmanagers.data.active_alertmanagers.len(),
        })
    }

    async fn alertmanager(&self, ip: Option<IpAddr>) -> Answer<AlertmanagerSays> {
        let at = SocketAddr::new(ip.ok_or(NO_ADDRESS)?, ALERTMANAGER_PORT);
        let receivers: Vec<Named> = self.get(at, "api/v2/receivers").await?;
        let alerts: Vec<serde_json::Value> = self.get(at, &format!("api/v2/alerts?filter=alertname%3D%22{WATCHDOG}%22")).await?;
        Ok(AlertmanagerSays { receivers: receivers.into_iter().map(|receiver| receiver.name).collect(), has_watchdog: !alerts.is_empty() })
    }

    /// Sends something that is answered by a word that nobody needs.
    ///
    /// # Errors
    /// It did not answer, or not with success; without addresses, which change with each pod.
    pub async fn send(&self, method: reqwest::Method, at: SocketAddr, path: &str, body: Vec<u8>) -> Answer<()> {
        let request = self.0.request(method, format!("http://{at}/{path}")).header("content-type", "application/json");
        let status = request.body(body).send().await.map_err(|error| cause(&error))?.status();
        if status.is_success() { Ok(()) } else { Err(format!("{path} answered {status}")) }
    }

    /// Causes without addresses, which change with each pod.
    pub(crate) async fn get<T: DeserializeOwned>(&self, at: SocketAddr, path: &str) -> Answer<T> {
        let body = self.body(at, path).await?;
        serde_json::from_slice(&body).map_err(|error| format!("the answer to {} cannot be read: {error}", plain(path)))
    }

    /// An answer that is text.
    pub(crate) async fn text(&self, at: SocketAddr, path: &str) -> Answer<String> {
        self.body(at, path).await.map(|body| String::from_utf8_lossy(&body).into_owned())
    }

    async fn body(&self, at: SocketAddr, path: &str) -> Answer<Vec<u8>> {
        let mut answer = self.0.get(format!("http://{at}/{path}")).send().await.map_err(|error| cause(&error))?;
        let path = plain(path);
        let status = answer.status();
        if !status.is_success() {
            return Err(format!("{path} answered {status}"));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| cause(&error))? {
            body.extend_from_slice(&chunk);
            if body.len() > MOST_BYTES {
                return Err(format!("the answer to {path} is longer than {} MiB", MOST_BYTES >> 20));
            }
        }
        Ok(body)
    }
}

/// The path without what was asked, which does not belong to a cause.
fn plain(path: &str) -> &str {
    path.split('?').next().unwrap_or(path)
}

fn cause(error: &reqwest::Error) -> String {
    let what = if error.is_timeout() {
        "no answer within 5 s"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    };
    format!("{what}; see that network policies let the operator's pod in")
}

#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Runtime {
    reload_config_success: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pools {
    scrape_pools: Vec<String>,
}

#[derive(Deserialize)]
struct Groups {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    name: String,
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    name: String,
    #[serde(default)]
    last_error: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alertmanagers {
    active_alertmanagers: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::response::Redirect;
    use axum::routing::get;

    use super::*;

    async fn served(router: Router) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        at
    }

    #[tokio::test]
    async fn a_pod_without_an_address_is_not_taken_for_one_that_is_not_asked() {
        let loaded = Pods::new().unwrap().loaded(None, None).await;
        assert_eq!((loaded.prometheus, loaded.alertmanager), (Err(NO_ADDRESS.into()), Err(NO_ADDRESS.into())));
    }

    #[tokio::test]
    async fn what_answers_is_not_trusted() {
        let router = Router::new()
            .route("/fine", get(|| async { r#"[{"name": "desk"}]"# }))
            .route("/long", get(|| async { " ".repeat(MOST_BYTES + 1) }))
            .route("/away", get(|| async { Redirect::temporary("/fine") }))
            .route("/other", get(|| async { "<html>" }));
        let (at, pods) = (served(router).await, Pods::new().unwrap());
        let ask = async |path: &str| pods.get::<Vec<Named>>(at, path).await.map(|list| list.len());
        assert_eq!(ask("fine").await, Ok(1));
        assert_eq!(ask("long").await, Err("the answer to long is longer than 8 MiB".into()));
        assert_eq!(ask("away").await, Err("away answered 307 Temporary Redirect".into()));
        assert!(ask("other").await.unwrap_err().starts_with("the answer to other cannot be read"));
        assert_eq!(ask("none").await, Err("none answered 404 Not Found".into()));
        let closed = pods.get::<Vec<Named>>(SocketAddr::from(([127, 0, 0, 1], 1)), "x").await.map(|list| list.len());
        assert_eq!(closed, Err("no connection; see that network policies let the operator's pod in".into()));
    }
}
