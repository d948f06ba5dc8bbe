//! One watch per kind: a list in pages, then every change, and a list again where the API server has forgotten the version that we have.

use std::time::Duration;

use caretaker_api::names;
use caretaker_core::kinds::{Kind, Kinds, OwnedKind};
use futures::StreamExt;
use kube::Client;
use kube::api::{Api, DynamicObject, ListParams, WatchEvent, WatchParams};
use kube::core::{ApiResource, TypeMeta};

use super::held::Held;
use super::{Cache, Knowledge, Objects, api_resource, key};

/// Wait before a missing definition is looked for again.
const DISCOVERY_PERIOD: Duration = Duration::from_secs(30);
/// First wait after a failure, and after a question that was not answered.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Longest wait after failures in a row.
const LAST_PAUSE: Duration = Duration::from_secs(30);
/// Objects of one page of a list.
const PAGE: u32 = 500;
/// Seconds after which the API server ends a watch by itself.
const WATCH_SECONDS: u32 = 280;
/// Longest wait for a page of a list.
const LIST_PATIENCE: Duration = Duration::from_secs(60);
/// Longest silence of a watch, after which the connection counts as dead: longer than the API server lets a watch last, and it sends a bookmark about every
/// minute (<https://kubernetes.io/docs/reference/using-api/api-concepts/#watch-bookmarks>).
const LONGEST_SILENCE: Duration = Duration::from_secs(300);
/// Status code of an answer to a version that the API server has forgotten.
const GONE: u16 = 410;

/// A kind to watch.
pub(super) struct Watched {
    /// The kind in the API.
    pub api: &'static OwnedKind,
    /// The kind of ours; without it only objects with our label are watched.
    pub own: Option<Kind>,
}

/// Everything that is watched: our kinds whole, others by label.
pub(super) fn watched(kinds: Kinds) -> Vec<Watched> {
    let ours = kinds.iter().map(|kind| Watched { api: kind.api(), own: Some(kind) });
    ours.chain(kinds.foreign().into_iter().map(|api| Watched { api, own: None })).collect()
}

/// Why a watch ended.
enum Ended {
    /// The API server ended it in order: it goes on from this version.
    InOrder(String),
    /// The version is too old: list again.
    TooOld,
    /// It failed; where it may go on from a version, with that.
    Failed(String, Option<String>),
}

impl Cache {
    pub(super) async fn watch(self, client: Client, watched: Watched) {
        let kind = watched.api.kind;
        let resource = api_resource(watched.api);
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        let selector = watched.own.is_none().then(|| format!("{}={}", names::MANAGED_BY, names::MANAGER));
        let mut failures = 0_u32;
        let mut version = None;
        loop {
            if watched.api.optional && version.is_none() {
                match is_served(&client, &resource).await {
                    Some(true) => {}
                    Some(false) => {
                        self.learn(kind, Knowledge::Missing);
                        self.clear(kind);
                        tokio::time::sleep(DISCOVERY_PERIOD).await;
                        continue;
                    }
                    None => {
                        tokio::time::sleep(RETRY_PAUSE).await;
                        continue;
                    }
                }
            }
            let begun = tokio::time::Instant::now();
            let ended = match version.take() {
                None => self.list_all(&watched, &api, selector.as_deref()).await,
                Some(from) => {
                    let ended = self.follow(kind, &api, selector.as_deref(), from).await;
                    // A watch that ends as soon as it begins must not become a flood of requests.
                    tokio::time::sleep(RETRY_PAUSE.saturating_sub(begun.elapsed())).await;
                    ended
                }
            };
            match ended {
                Ended::InOrder(next) => {
                    failures = 0;
                    version = Some(next);
                }
                Ended::TooOld => {}
                Ended::Failed(cause, next) => {
                    failures += 1;
                    // The definition of an optional kind may have gone.
                    version = next.filter(|_| !watched.api.optional);
                    self.state.metrics.watch_failed(kind);
                    tracing::warn!(kind, failures, "the watch failed and starts again: {cause}");
                    tokio::time::sleep(pause(failures, rand::random::<f64>())).await;
                }
            }
        }
    }

    /// Lists all objects. Ends in order with the version to watch from.
    async fn list_all(&self, watched: &Watched, api: &Api<DynamicObject>, selector: Option<&str>) -> Ended {
        let kind = watched.api.kind;
        let types = TypeMeta { api_version: watched.api.api_version(), kind: kind.to_owned() };
        let mut fresh = Objects::new();
        let mut params = ListParams { label_selector: selector.map(str::to_owned), ..ListParams::default().limit(PAGE) };
        loop {
            let list = match tokio::time::timeout(LIST_PATIENCE, api.list(&params)).await {
                Ok(Ok(list)) => list,
                // The rest of the list is forgotten: from the beginning.
                Ok(Err(kube::Error::Api(status))) if status.code == GONE && params.continue_token.is_some() => return Ended::TooOld,
                Ok(Err(error)) => return Ended::Failed(error.to_string(), None),
                Err(_) => return Ended::Failed("no answer to a list".into(), None),
            };
            self.state.metrics.watch_heard(kind);
            for mut object in list.items {
                // The items of a list come without what stands once in the list's head.
                object.types.get_or_insert_with(|| types.clone());
                fresh.insert(key(&object), Held::new(object, watched.own));
            }
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => {
                    self.replace(kind, fresh);
                    if self.learn(kind, Knowledge::Listed) == Some(Knowledge::Missing) {
                        self.wake_makers(kind);
                    }
                    return Ended::InOrder(list.metadata.resource_version.unwrap_or_default());
                }
            }
        }
    }

    /// Follows the changes from a version on.
    async fn follow(&self, kind: &'static str, api: &Api<DynamicObject>, selector: Option<&str>, mut version: String) -> Ended {
        let params = WatchParams { label_selector: selector.map(str::to_owned), ..WatchParams::default().timeout(WATCH_SECONDS) };
        let stream = match tokio::time::timeout(LONGEST_SILENCE, api.watch(&params, &version)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(kube::Error::Api(status))) if status.code == GONE => return Ended::TooOld,
            Ok(Err(error)) => return Ended::Failed(error.to_string(), Some(version)),
            Err(_) => return Ended::Failed("no answer to a watch".into(), Some(version)),
        };
        self.state.metrics.watch_heard(kind);
        let mut stream = std::pin::pin!(stream);
        loop {
            let event = match tokio::time::timeout(LONGEST_SILENCE, stream.next()).await {
                Ok(Some(Ok(event))) => event,
                Ok(Some(Err(kube::Error::SerdeError(error)))) => {
                    // Asked again, the API server would tell the same: the others of the kind go on.
                    self.state.metrics.watch_failed(kind);
                    tracing::error!(kind, line = error.line(), "the watch told something that is no object");
                    continue;
                }
                Ok(Some(Err(error))) => return Ended::Failed(error.to_string(), Some(version)),
                Ok(None) => return Ended::InOrder(version),
                Err(_) => return Ended::Failed(format!("silent for {} s", LONGEST_SILENCE.as_secs()), Some(version)),
            };
            self.state.metrics.watch_heard(kind);
            match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                    version = object.metadata.resource_version.clone().unwrap_or(version);
                    self.put(kind, object, super::Source::Watch);
                }
                WatchEvent::Deleted(object) => {
                    version = object.metadata.resource_version.clone().unwrap_or(version);
                    self.remove(kind, &object);
                }
                WatchEvent::Bookmark(bookmark) => version = bookmark.metadata.resource_version,
                WatchEvent::Error(status) if status.code == GONE => return Ended::TooOld,
                WatchEvent::Error(status) => return Ended::Failed(status.message.clone(), Some(version)),
            }
        }
    }
}

/// Wait after so many failures in a row; `jitter` is in 0..1.
fn pause(failures: u32, jitter: f64) -> Duration {
    let doubled = RETRY_PAUSE.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(10)));
    doubled.min(LAST_PAUSE).mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
}

/// Whether the cluster has a definition; `None` where it did not say.
async fn is_served(client: &Client, resource: &ApiResource) -> Option<bool> {
    match client.list_api_group_resources(&resource.api_version).await {
        Ok(list) => Some(list.resources.iter().any(|served| served.name == resource.plural)),
        Err(kube::Error::Api(status)) if status.code == 404 => Some(false),
        Err(_) => None,
    }
}
