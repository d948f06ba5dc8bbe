//! Objects that we watch: our own kinds, and what we make of others (by label). Every change wakes the object that owns it.
//!
//! One watch per kind, managed fields dropped. A kind whose definition is missing is looked for again every half minute; everything else works on.

mod doors;
mod held;
mod members;
mod watched;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use caretaker_api::names::{self, client_namespace};
use caretaker_core::ownership::{self, Kind};
use caretaker_core::provider_profile::is_of_provider;
use futures::StreamExt;
use kube::api::{Api, DynamicObject};
use kube::core::TypeMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use doors::Door;
use held::Held;
pub use watched::api_resource;
use watched::{Watched, is_served, watched_kinds};

/// Wait before a missing definition is looked for again.
const DISCOVERY_PERIOD: Duration = Duration::from_secs(30);
/// Wait before a question that was not answered is asked again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Objects of one page of a list: each may have a mebibyte, and anybody can label one.
const PAGE: u32 = 50;

/// Namespace and name.
type Key = (String, String);
type Objects = BTreeMap<Key, Arc<Held>>;

/// Somebody to be visited: kind, namespace (empty for cluster-scoped kinds) and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wake {
    /// Kind.
    pub kind: Kind,
    /// Namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// Name.
    pub name: String,
}

/// What is known of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Knowledge {
    /// Nothing yet.
    Unknown,
    /// Its definition is missing from the cluster.
    Missing,
    /// Its objects were listed.
    Listed,
}

#[derive(Default)]
struct State {
    objects: RwLock<HashMap<&'static str, Objects>>,
    known: RwLock<HashMap<&'static str, Knowledge>>,
    wakers: Mutex<HashMap<Kind, mpsc::UnboundedSender<Wake>>>,
}

/// Objects that we watch. Cheap to clone.
#[derive(Clone, Default)]
pub struct Cache {
    state: Arc<State>,
}

impl Cache {
    /// An empty cache.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts all watches. They run until the process ends.
    pub fn start(&self, client: &Client) {
        for watched in watched_kinds() {
            self.learn(watched.kind, Knowledge::Unknown);
            tokio::spawn(self.clone().watch(client.clone(), watched));
        }
    }

    /// Whether every kind was listed once, or is known to be missing where it may be. Before that, what is absent here says nothing.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        let known = self.state.known.read().expect("no panic while held");
        watched_kinds().iter().all(|watched| match known.get(watched.kind) {
            Some(Knowledge::Listed) => true,
            Some(Knowledge::Missing) => watched.optional,
            Some(Knowledge::Unknown) | None => false,
        })
    }

    /// Whether the definition of an optional kind is there and its objects were listed.
    #[must_use]
    pub fn has_kind(&self, kind: &str) -> bool {
        self.state.known.read().expect("no panic while held").get(kind) == Some(&Knowledge::Listed)
    }

    /// Notes what is known of a kind, and what was known before.
    fn learn(&self, kind: &'static str, knowledge: Knowledge) -> Option<Knowledge> {
        self.state.known.write().expect("no panic while held").insert(kind, knowledge)
    }

    fn held(&self, kind: &str, namespace: &str, name: &str) -> Option<Arc<Held>> {
        let objects = self.state.objects.read().expect("no panic while held");
        objects.get(kind)?.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    /// All of a kind in a namespace, or in all where it is `None`.
    fn held_in(&self, kind: &str, namespace: Option<&str>) -> Vec<(Key, Arc<Held>)> {
        let objects = self.state.objects.read().expect("no panic while held");
        let Some(of_kind) = objects.get(kind) else {
            return Vec::new();
        };
        let pair = |(key, held): (&Key, &Arc<Held>)| (key.clone(), held.clone());
        match namespace {
            None => of_kind.iter().map(pair).collect(),
            Some(namespace) => {
                let from = (namespace.to_owned(), String::new());
                of_kind.range(from..).take_while(|((found, _), _)| found == namespace).map(pair).collect()
            }
        }
    }

    /// One object.
    #[must_use]
    pub fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Arc<DynamicObject>> {
        self.held(kind, namespace, name)?.read().map(Arc::new)
    }

    /// All objects of a kind in a namespace, or in all where it is `None`.
    #[must_use]
    pub fn list(&self, kind: &str, namespace: Option<&str>) -> Vec<Arc<DynamicObject>> {
        self.held_in(kind, namespace).iter().filter_map(|(_, held)| held.read().map(Arc::new)).collect()
    }

    /// One object of our own kinds, as its type. An object that does not fit its type counts as absent; the engine reports it.
    #[must_use]
    pub fn typed<K>(&self, namespace: &str, name: &str) -> Option<K>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        self.held(&K::kind(&()), namespace, name)?.read()
    }

    /// All objects of one of our own kinds, as their type.
    #[must_use]
    pub fn list_typed<K>(&self, namespace: Option<&str>) -> Vec<K>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        self.held_in(&K::kind(&()), namespace).iter().filter_map(|(_, held)| held.read()).collect()
    }

    /// Objects of a kind that `kind/name` made.
    #[must_use]
    pub fn owned_by(&self, kind: &str, owner: Kind, namespace: &str, owner_name: &str) -> Vec<Arc<DynamicObject>> {
        let is_cluster_scoped = ownership::owned(kind).is_some_and(|owned| !owned.namespaced);
        let within = match (owner, is_cluster_scoped) {
            (_, true) => String::new(),
            (Kind::ManagedClient, false) => client_namespace(owner_name),
            (_, false) => namespace.to_owned(),
        };
        let is_owned = |held: &Held| {
            held.labels.get(names::OWNER_KIND_LABEL) == Some(&owner.label())
                && held.labels.get(names::OWNER_NAME_LABEL).map(String::as_str) == Some(owner_name)
        };
        let found = self.held_in(kind, Some(&within));
        found.iter().filter(|(_, held)| is_owned(held)).filter_map(|(_, held)| held.read().map(Arc::new)).collect()
    }

    /// Who must be visited when objects of a kind change.
    pub fn subscribe(&self, kind: Kind) -> mpsc::UnboundedReceiver<Wake> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.state.wakers.lock().expect("no panic while held").insert(kind, sender);
        receiver
    }

    /// Asks for a visit.
    pub fn wake(&self, wake: Wake) {
        if let Some(sender) = self.state.wakers.lock().expect("no panic while held").get(&wake.kind) {
            // A receiver that is gone belongs to an engine that has stopped.
            let _ = sender.send(wake);
        }
    }

    /// Takes an object that the API server has just answered, so that the next visit does not see an older one.
    pub fn remember(&self, kind: &'static str, object: DynamicObject) {
        self.put(kind, object, false);
    }

    async fn watch(self, client: Client, watched: Watched) {
        loop {
            let served = if watched.optional { is_served(&client, &watched.resource).await } else { Some(true) };
            if served != Some(true) {
                if served == Some(false) {
                    self.miss(watched.kind);
                }
                tokio::time::sleep(if served.is_some() { DISCOVERY_PERIOD } else { RETRY_PAUSE }).await;
                continue;
            }
            let api: Api<DynamicObject> = Api::all_with(client.clone(), &watched.resource);
            let config = if watched.labelled {
                watcher::Config::default().labels(&format!("{}={}", names::MANAGED_BY, names::MANAGER)).page_size(PAGE)
            } else {
                watcher::Config::default()
            };
            let mut events = watcher::watcher(api, config).default_backoff().boxed();
            let mut listing = Objects::new();
            while let Some(event) = events.next().await {
                match event {
                    Ok(event) => self.take(&watched, event, &mut listing),
                    Err(error) => {
                        tracing::debug!(kind = watched.kind, %error, "the watch broke and starts again");
                        if watched.optional && is_served(&client, &watched.resource).await == Some(false) {
                            self.miss(watched.kind);
                            break;
                        }
                    }
                }
            }
        }
    }

    /// A definition is not there. Where it was, its objects went with it, and all who make them are to say so.
    fn miss(&self, kind: &'static str) {
        if self.learn(kind, Knowledge::Missing) == Some(Knowledge::Listed) {
            self.state.objects.write().expect("no panic while held").remove(kind);
            tracing::warn!(kind, "its definition is gone from the cluster");
            self.wake_makers(kind);
        }
    }

    fn take(&self, watched: &Watched, event: Event<DynamicObject>, listing: &mut Objects) {
        let kind = watched.kind;
        match event {
            Event::Init => listing.clear(),
            Event::InitApply(mut object) => {
                // The items of a list come without what stands once in the list's head.
                object.types.get_or_insert_with(|| TypeMeta {
                    api_version: watched.resource.api_version.clone(),
                    kind: watched.resource.kind.clone(),
                });
                if watched.keeps(&object) {
                    listing.insert(key(&object), Held::new(object));
                }
            }
            Event::InitDone => {
                let fresh = std::mem::take(listing);
                let old = self.state.objects.write().expect("no panic while held").insert(kind, fresh.clone()).unwrap_or_default();
                if self.learn(kind, Knowledge::Listed) == Some(Knowledge::Missing) {
                    self.wake_makers(kind);
                }
                for (key, held) in old.iter().filter(|(key, _)| !fresh.contains_key(*key)).chain(&fresh) {
                    self.wake_owners(kind, key, &held.labels);
                }
            }
            Event::Apply(object) if watched.keeps(&object) => self.put(kind, object, true),
            // A label is anybody's to give: what names no owner of ours is not kept, and wakes nobody but who has lost it.
            Event::Apply(object) => {
                if self.state.objects.write().expect("no panic while held").entry(kind).or_default().remove(&key(&object)).is_some() {
                    self.wake_owners(kind, &key(&object), object.labels());
                }
            }
            Event::Delete(object) => {
                let gone = self.state.objects.write().expect("no panic while held").entry(kind).or_default().remove(&key(&object));
                self.wake_owners(kind, &key(&object), object.labels());
                self.wake_profiles(kind, gone.as_deref(), None);
            }
        }
    }

    fn put(&self, kind: &'static str, object: DynamicObject, wake: bool) {
        let (key, held) = (key(&object), Held::new(object));
        let before = {
            let mut objects = self.state.objects.write().expect("no panic while held");
            let kept = objects.entry(kind).or_default();
            let before = kept.get(&key).cloned();
            if before.as_ref().is_none_or(|before| !held.is_older(before)) {
                kept.insert(key.clone(), held.clone());
            }
            before
        };
        if wake {
            self.wake_owners(kind, &key, &held.labels);
        }
        // What this process has written itself is held before its event comes, which then brings no news.
        self.wake_profiles(kind, before.as_deref(), Some(&held));
    }

    /// An account begins or ceases to let its principal in: its profile is to say what that means for exits. A client takes a revision of its package or
    /// becomes Ready: the next wave may begin.
    fn wake_profiles(&self, kind: &str, before: Option<&Held>, after: Option<&Held>) {
        for name in if kind == Kind::ManagedClient.as_str() { members::news(before, after) } else { Vec::new() } {
            self.wake(Wake { kind: Kind::ServiceProfile, namespace: String::new(), name });
        }
        if kind != Kind::CloudAccount.as_str() {
            return;
        }
        let (before, after) = (Door::of(before), Door::of(after));
        if before != after {
            for door in before.into_iter().chain(after) {
                self.wake(Wake { kind: Kind::ProviderProfile, namespace: String::new(), name: door.profile });
            }
        }
    }

    /// A definition has appeared or is gone: all who make objects of the kind are to know.
    fn wake_makers(&self, kind: &str) {
        for maker in ownership::owned(kind).map(|owned| owned.owners).unwrap_or_default() {
            for ((namespace, name), _) in self.held_in(maker.as_str(), None) {
                self.wake(Wake { kind: *maker, namespace, name });
            }
        }
    }

    fn wake_owners(&self, kind: &str, (namespace, name): &Key, labels: &BTreeMap<String, String>) {
        if let (Some(owner), Some(owner_name)) =
            (labels.get(names::OWNER_KIND_LABEL).and_then(|label| Kind::from_label(label)), labels.get(names::OWNER_NAME_LABEL))
        {
            let namespace = if matches!(owner, Kind::ManagedClient | Kind::ProviderProfile) { String::new() } else { namespace.clone() };
            self.wake(Wake { kind: owner, namespace, name: owner_name.clone() });
        }
        for wake in self.referrers(kind, namespace, name) {
            self.wake(wake);
        }
    }

    /// Objects that refer to the one that changed without owning it.
    fn referrers(&self, kind: &str, namespace: &str, name: &str) -> Vec<Wake> {
        let all_of = |kinds: &[Kind], within: Option<&str>| -> Vec<Wake> {
            kinds
                .iter()
                .flat_map(|kind| self.held_in(kind.as_str(), within).into_iter().map(|(key, _)| (*kind, key)))
                .map(|(kind, (namespace, name))| Wake { kind, namespace, name })
                .collect()
        };
        match kind {
            "ProviderProfile" => {
                all_of(&[Kind::ManagedClient, Kind::CloudAccount], None).into_iter().filter(|wake| self.names_profile(wake, name)).collect()
            }
            "ServiceProfile" => {
                let newest = self.held(kind, namespace, name).as_deref().and_then(members::revision);
                let is_told =
                    |wake: &Wake| members::is_news(self.held(wake.kind.as_str(), "", &wake.name).as_deref(), name, newest.as_deref());
                all_of(&[Kind::ManagedClient], None).into_iter().filter(is_told).collect()
            }
            "CloudAccount" => {
                let mut wakes = all_of(&[Kind::MonitoringStack, Kind::BackupPolicy, Kind::Handover], Some(namespace));
                wakes.extend(self.blamed_profile(namespace, name));
                wakes
            }
            "ChangeRequest" => {
                let client = namespace.strip_prefix(names::NAMESPACE_PREFIX).unwrap_or_default();
                vec![Wake { kind: Kind::ManagedClient, namespace: String::new(), name: client.into() }]
            }
            "Handover" => {
                let client = namespace.strip_prefix(names::NAMESPACE_PREFIX).unwrap_or_default();
                let mut wakes = all_of(&[Kind::CloudAccount, Kind::BackupPolicy], Some(namespace));
                wakes.push(Wake { kind: Kind::ManagedClient, namespace: String::new(), name: client.into() });
                wakes
            }
            _ => Vec::new(),
        }
    }

    /// The profile of an account that goes unread by a fault of the provider's: it is to tell so.
    fn blamed_profile(&self, namespace: &str, name: &str) -> Option<Wake> {
        let account = self.get(Kind::CloudAccount.as_str(), namespace, name)?;
        let conditions = account.data["status"]["conditions"].as_array()?;
        let text = |condition: &serde_json::Value, field: &str| condition[field].as_str().unwrap_or_default().to_owned();
        let is_blamed = conditions.iter().any(|condition| is_of_provider(&text(condition, "reason"), &text(condition, "message")));
        let profile = account.data["spec"]["providerProfile"].as_str().unwrap_or("default");
        is_blamed.then(|| Wake { kind: Kind::ProviderProfile, namespace: String::new(), name: profile.into() })
    }

    fn names_profile(&self, wake: &Wake, profile: &str) -> bool {
        self.get(wake.kind.as_str(), &wake.namespace, &wake.name)
            .is_some_and(|object| object.data["spec"]["providerProfile"].as_str().unwrap_or("default") == profile)
    }
}

fn key(object: &DynamicObject) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn watched(kind: &str) -> Watched {
        watched_kinds().into_iter().find(|watched| watched.kind == kind).expect("it is watched")
    }

    /// Items of core kinds come without apiVersion and kind. Compared with what is desired, they would look drifted.
    #[test]
    fn an_object_of_a_list_is_whole() {
        let cache = Cache::new();
        let mut listing = Objects::new();
        let owner = json!([{"apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "name": "a", "uid": "u"}]);
        let item: DynamicObject = serde_json::from_value(json!({"metadata": {"name": "client-a", "ownerReferences": owner}})).unwrap();
        cache.take(&watched("Namespace"), Event::InitApply(item), &mut listing);
        cache.take(&watched("Namespace"), Event::InitDone, &mut listing);
        let held = serde_json::to_value(&*cache.get("Namespace", "", "client-a").unwrap()).unwrap();
        assert_eq!((&held["apiVersion"], &held["kind"]), (&json!("v1"), &json!("Namespace")));
    }

    /// H5: anybody who may make a ConfigMap somewhere can give it our label.
    #[tokio::test]
    async fn what_names_no_owner_of_ours_is_not_kept_and_wakes_nobody() {
        let cache = Cache::new();
        let mut wakes = cache.subscribe(Kind::CloudAccount);
        let watched = watched("ConfigMap");
        let map = |name: &str, version: u32, owner: Option<&str>| -> DynamicObject {
            let references = owner.map(|api| json!([{"apiVersion": api, "kind": "CloudAccount", "name": "prod", "uid": "u"}]));
            serde_json::from_value(json!({
                "apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"},
                "metadata": {
                    "name": name, "namespace": "client-a", "uid": name, "resourceVersion": version.to_string(), "ownerReferences": references,
                    "labels": {names::MANAGED_BY: names::MANAGER, names::OWNER_KIND_LABEL: "cloudaccount", names::OWNER_NAME_LABEL: "prod"},
                },
            }))
            .unwrap()
        };
        let mut listing = Objects::new();
        for (name, owner) in [("ours", Some("caretaker.dev/v1alpha1")), ("listed", None), ("theirs", Some("example.org/v1"))] {
            cache.take(&watched, Event::InitApply(map(name, 1, owner)), &mut listing);
        }
        cache.take(&watched, Event::InitDone, &mut listing);
        let names = || cache.list("ConfigMap", None).iter().map(|object| object.name_any()).collect::<Vec<_>>();
        assert_eq!(names(), ["ours"]);
        while wakes.try_recv().is_ok() {}
        for name in ["planted", "listed"] {
            cache.take(&watched, Event::Apply(map(name, 2, None)), &mut listing);
        }
        assert_eq!(names(), ["ours"]);
        assert!(wakes.try_recv().is_err(), "a stranger's object is none of an owner's business");
        cache.take(&watched, Event::Apply(map("ours", 3, None)), &mut listing);
        assert!(names().is_empty() && wakes.try_recv().is_ok(), "its owner is to see that its mark was taken off");
    }

    #[test]
    fn a_cache_that_does_not_know_yet_is_not_synced() {
        let cache = Cache::new();
        for watched in watched_kinds() {
            cache.learn(watched.kind, if watched.optional { Knowledge::Missing } else { Knowledge::Listed });
        }
        assert!(cache.is_synced(), "an optional kind may be missing");
        cache.learn("Prometheus", Knowledge::Unknown);
        assert!(!cache.is_synced(), "nobody may conclude that it is missing");
    }

    #[tokio::test]
    async fn a_definition_that_goes_takes_its_objects_along_and_wakes_their_makers_once() {
        let cache = Cache::new();
        let of = |kind: &str, version: &str| {
            serde_json::from_value(json!({"apiVersion": version, "kind": kind, "metadata": {"name": "main", "namespace": "client-a"}}))
                .unwrap()
        };
        cache.put("MonitoringStack", of("MonitoringStack", "caretaker.dev/v1alpha1"), false);
        cache.put("Prometheus", of("Prometheus", "monitoring.coreos.com/v1"), false);
        cache.learn("Prometheus", Knowledge::Listed);
        let mut wakes = cache.subscribe(Kind::MonitoringStack);
        cache.miss("Prometheus");
        let wake = Wake { kind: Kind::MonitoringStack, namespace: "client-a".into(), name: "main".into() };
        assert_eq!(wakes.try_recv().ok(), Some(wake));
        assert!(cache.get("Prometheus", "client-a", "main").is_none() && !cache.has_kind("Prometheus"));
        cache.miss("Prometheus");
        assert!(wakes.try_recv().is_err(), "it was told before");
    }

    #[tokio::test]
    async fn an_account_that_begins_or_ceases_to_let_us_in_wakes_its_profile_and_nothing_else_does() {
        let cache = Cache::new();
        let account = |version: u32, proven: &str, assets: u32| -> DynamicObject {
            let condition = json!({"type": "AccessProven", "status": proven, "reason": "x", "message": "", "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z"});
            let inventory =
                json!({"digest": "d", "address": "a", "assets": assets, "coverage": {"text": "1/1", "planned": 1, "complete": 1}});
            serde_json::from_value(json!({
                "apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount",
                "metadata": {"name": "prod", "namespace": "client-a", "uid": "u", "generation": 1, "resourceVersion": version.to_string()},
                "spec": {"aws": {"accountId": "111122223333"}, "providerProfile": "west"},
                "status": {"account": "aws 111122223333", "conditions": [condition], "inventory": inventory},
            }))
            .unwrap()
        };
        let mut wakes = cache.subscribe(Kind::ProviderProfile);
        let mut woken = || std::iter::from_fn(|| wakes.try_recv().ok()).map(|wake| wake.name).collect::<Vec<_>>();
        cache.put("CloudAccount", account(1, "False", 1), true);
        assert_eq!(woken(), ["west"], "it is new");
        cache.put("CloudAccount", account(2, "False", 2), true);
        assert!(woken().is_empty(), "its inventory is none of the profile's business");
        cache.put("CloudAccount", account(3, "True", 2), true);
        assert!(woken().contains(&"west".to_owned()), "it lets us in");
        cache.put("CloudAccount", account(4, "False", 2), false);
        assert!(
            woken().contains(&"west".to_owned()),
            "our own status of it says that it does not any more, and its event comes after that"
        );
        cache.put("CloudAccount", account(4, "False", 2), true);
        assert!(woken().is_empty(), "the event of our own write");
        cache.take(&watched("CloudAccount"), Event::Delete(account(4, "True", 2)), &mut Objects::new());
        assert_eq!(woken(), ["west"], "it is gone");
    }

    #[tokio::test]
    async fn a_definition_that_appears_wakes_those_who_waited_for_it() {
        let cache = Cache::new();
        let stack = json!({"apiVersion": "caretaker.dev/v1alpha1", "kind": "MonitoringStack", "metadata": {"name": "main", "namespace": "client-a"}});
        cache.put("MonitoringStack", serde_json::from_value(stack).unwrap(), false);
        cache.learn("Prometheus", Knowledge::Missing);
        let mut wakes = cache.subscribe(Kind::MonitoringStack);
        cache.take(&watched("Prometheus"), Event::InitDone, &mut Objects::new());
        let wake = Wake { kind: Kind::MonitoringStack, namespace: "client-a".into(), name: "main".into() };
        assert_eq!(wakes.try_recv().ok(), Some(wake));
    }
}
