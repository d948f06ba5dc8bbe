//! Visits of one object against an API server that a test plays: what its status says while visits fail, or while the status itself is refused.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use caretaker_api::ManagedClient;
use caretaker_api::managed_client::ManagedClientStatus;
use caretaker_core::failures::LASTING_VISITS;
use http::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tower::BoxError;

use super::stream::Loop;
use super::*;
use crate::cache::Cache;
use crate::context::Context;
use crate::definitions::tests::document;
use crate::failure::Failure;
use crate::metrics::Metrics;
use async_trait::async_trait;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_core::conditions::{ConditionSet, Is};
use caretaker_core::outcome::{Fault, Outcome};
use caretaker_core::ownership::Kind;
use jiff::Timestamp;

/// A reconciler whose reads fail while it is told so, and whose visits have a long part while it is told so.
#[derive(Default)]
struct Scripted {
    fails: Arc<AtomicBool>,
    has_rest: Arc<AtomicBool>,
    /// What the API server holds of the ExternalId when the long part begins.
    seen_at_rest: Arc<Mutex<Vec<Value>>>,
    server: Option<Server>,
}

#[async_trait]
impl Reconciler for Scripted {
    type Object = ManagedClient;
    type Context = Arc<Context>;
    type Observed = ();
    type Plan = bool;
    type Done = bool;
    const KIND: Kind = Kind::ManagedClient;
    const CONDITIONS: &'static [ConditionType] = &[ConditionType::AccessProven];

    async fn observe(&self, _: &Arc<Context>, _: &ManagedClient) -> Result<(), Failure> {
        if self.fails.load(Ordering::SeqCst) { Err(Failure::local("read the world", "no answer")) } else { Ok(()) }
    }
    fn check(&self, _: &ManagedClient, _: &()) -> Vec<Fault> {
        Vec::new()
    }
    fn plan(&self, _: &ManagedClient, _: &(), _: Timestamp) -> bool {
        false
    }
    async fn act(&self, _: &Arc<Context>, _: &ManagedClient, is_rest: bool) -> Acted<bool> {
        if let Some(server) = self.server.as_ref().filter(|_| is_rest) {
            self.seen_at_rest.lock().unwrap().push(server.object.lock().unwrap()["status"].clone());
        }
        Acted { done: is_rest, failure: None }
    }
    fn rest(&self, _: &ManagedClient, seen: &Seen<'_, (), bool>) -> Option<bool> {
        (self.has_rest.load(Ordering::SeqCst) && !seen.done).then_some(true)
    }
    fn status(&self, client: &ManagedClient, seen: Seen<'_, (), bool>) -> (ManagedClientStatus, Outcome) {
        let mut status = client.status.clone().unwrap_or_default();
        status.external_ids.insert("prod".into(), "x".into());
        let mut set = ConditionSet::new(&status.conditions, Self::CONDITIONS, 1, seen.now);
        set.set(ConditionType::AccessProven, Is::True, Reason::Proven, "");
        status.conditions = set.finish();
        if *seen.done {
            status.assets += 7;
        }
        (status, Outcome::Settled(std::time::Duration::from_secs(600)))
    }
    async fn clean_up(&self, _: &Arc<Context>, _: &ManagedClient) -> Result<CleanUp, Failure> {
        Ok(CleanUp::Done)
    }
}

/// An API server with one ManagedClient.
#[derive(Clone)]
struct Server {
    object: Arc<Mutex<Value>>,
    writes: Arc<Mutex<Vec<String>>>,
    events: Arc<Mutex<Vec<Value>>>,
    /// What it serves as the definitions; an older one refuses a status that is applied.
    definitions: Arc<Mutex<Value>>,
}

impl Server {
    fn new(ready: &str) -> Self {
        let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "reason": "Settled", "message": "all is as asked", "observedGeneration": 1, "lastTransitionTime": "1970-01-01T00:00:00Z"});
        let object = json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient",
            "metadata": {"name": "acme", "uid": "u", "generation": 1, "resourceVersion": "1", "finalizers": [caretaker_api::names::FINALIZER]},
            "spec": {
                "displayName": "Acme", "contacts": {"vendorManager": {"name": "Jo", "email": "jo@x.example"}},
                "accounts": [{"name": "prod", "aws": {"accountId": "222222222222"}}],
                "exit": {"recipients": ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]},
            },
            "status": {"conditions": [condition("Ready", ready), condition("Reconciling", "False"), condition("Stalled", "False")], "observedGeneration": 1},
        });
        Self {
            object: Arc::new(Mutex::new(object)),
            writes: Arc::default(),
            events: Arc::default(),
            definitions: Arc::new(Mutex::new(document())),
        }
    }

    fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move { Ok::<_, BoxError>(server.answer(request).await) }
        });
        Client::new(service, "default")
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let body: Value = serde_json::from_slice(&body.collect_bytes().await.unwrap()).unwrap_or_default();
        let path = parts.uri.path().to_owned();
        let (code, answer) = if path.contains("/events") {
            self.events.lock().unwrap().push(body.clone());
            (201, body)
        } else if path.starts_with("/openapi/v3") {
            (200, self.definitions.lock().unwrap().clone())
        } else if parts.method == Method::PATCH {
            self.patch(parts.headers["content-type"].to_str().unwrap(), &body)
        } else {
            (200, self.object.lock().unwrap().clone())
        };
        let answer = serde_json::to_vec(&answer).unwrap();
        Response::builder().status(code).header("content-type", "application/json").body(Body::from(answer)).unwrap()
    }

    fn patch(&self, kind: &str, body: &Value) -> (u16, Value) {
        let is_old = *self.definitions.lock().unwrap() != document();
        if kind.contains("apply") && is_old {
            let message = "failed to create typed patch object: .status.externalIds: field not declared in schema";
            return (
                500,
                json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 500, "reason": "InternalError", "message": message}),
            );
        }
        self.writes.lock().unwrap().push(kind.to_owned());
        let mut object = self.object.lock().unwrap();
        if kind.contains("apply") {
            object["status"] = body["status"].clone();
        } else {
            object["status"]["conditions"] = body["status"]["conditions"].clone();
        }
        object["metadata"]["resourceVersion"] =
            json!((object["metadata"]["resourceVersion"].as_str().unwrap().parse::<u32>().unwrap() + 1).to_string());
        (200, object.clone())
    }

    /// `Ready` as it stands: status, reason and message.
    fn ready(&self) -> (String, String, String) {
        let object = self.object.lock().unwrap();
        let conditions = object["status"]["conditions"].as_array().unwrap();
        let ready = conditions.iter().find(|condition| condition["type"] == "Ready").unwrap();
        let text = |field: &str| ready[field].as_str().unwrap().to_owned();
        (text("status"), text("reason"), text("message"))
    }
}

struct Stage {
    server: Server,
    fails: Arc<AtomicBool>,
    has_rest: Arc<AtomicBool>,
    seen_at_rest: Arc<Mutex<Vec<Value>>>,
    clock: Arc<Mutex<i64>>,
    metrics: Metrics,
    running: Loop<Scripted>,
}

impl Stage {
    fn new() -> Self {
        let (server, clock, metrics) = (Server::new("True"), Arc::new(Mutex::new(1000)), Metrics::default());
        let reconciler = Scripted { server: Some(server.clone()), ..Scripted::default() };
        let (client, told) = (server.client(), clock.clone());
        let ctx = Context {
            client: client.clone(),
            cache: Cache::new(),
            clock: Arc::new(move || Timestamp::from_second(*told.lock().unwrap()).unwrap()),
            namespace: "caretaker-system".into(),
            events: crate::events::Events::new(client, None),
            metrics: metrics.clone(),
            repairs: Default::default(),
            definitions: Default::default(),
        };
        let (fails, has_rest, seen_at_rest) = (reconciler.fails.clone(), reconciler.has_rest.clone(), reconciler.seen_at_rest.clone());
        Self { server, fails, has_rest, seen_at_rest, clock, metrics, running: Loop::new(reconciler, Arc::new(ctx)) }
    }

    /// One visit of the object as it stands, some seconds after the last one.
    async fn visit(&self, seconds: i64) {
        *self.clock.lock().unwrap() += seconds;
        let object: ManagedClient = serde_json::from_value(self.server.object.lock().unwrap().clone()).unwrap();
        self.running.visit(&Arc::new(object)).await;
    }

    fn writes(&self) -> usize {
        std::mem::take(&mut *self.server.writes.lock().unwrap()).len()
    }
}

/// M1: every visit failed for a quarter of an hour, and the object was Ready all the while.
#[tokio::test]
async fn ready_ends_with_the_third_failed_visit_and_comes_back_with_the_first_good_one() {
    let stage = Stage::new();
    stage.visit(0).await;
    assert_eq!(stage.server.ready().0, "True");
    stage.fails.store(true, Ordering::SeqCst);
    for visit in 1..=LASTING_VISITS {
        stage.visit(5).await;
        let (status, reason, message) = stage.server.ready();
        if visit < LASTING_VISITS {
            assert_eq!((status.as_str(), reason.as_str()), ("True", "Settled"), "visit {visit}");
        } else {
            assert_eq!((status.as_str(), reason.as_str(), message.as_str()), ("False", "Failed", "read the world: no answer"));
        }
    }
    stage.writes();
    stage.visit(5).await;
    assert_eq!(stage.writes(), 0, "the same failure is written once");
    stage.fails.store(false, Ordering::SeqCst);
    stage.visit(5).await;
    assert_eq!(stage.server.ready().0, "True");
}

#[tokio::test]
async fn ready_ends_after_five_minutes_however_few_the_visits() {
    let stage = Stage::new();
    stage.fails.store(true, Ordering::SeqCst);
    stage.visit(0).await;
    assert_eq!(stage.server.ready().0, "True");
    stage.visit(300).await;
    assert_eq!(stage.server.ready().0, "False");
}

/// K10: every status is refused, since a definition in the cluster is older than the operator.
#[tokio::test]
async fn a_status_that_is_refused_is_counted_and_told_with_the_command() {
    let stage = Stage::new();
    let pointer = "/components/schemas/dev.caretaker.v1alpha1.ManagedClient/properties/status/properties";
    stage.server.definitions.lock().unwrap().pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove("externalIds");
    stage.visit(0).await;
    let (status, reason, message) = stage.server.ready();
    assert_eq!((status.as_str(), reason.as_str()), ("False", "SchemaOutdated"));
    assert!(message.contains("ManagedClient status.externalIds") && message.contains("kubectl apply"), "{message}");
    let told: Vec<String> = stage.server.events.lock().unwrap().iter().map(|event| event["reason"].to_string()).collect();
    assert_eq!(told, ["\"SchemaOutdated\""]);
    assert_eq!(stage.writes(), 1, "only the conditions are written");
    stage.visit(5).await;
    assert_eq!(stage.writes(), 0, "the same refusal is written once");
    let metrics = stage.metrics.render();
    assert!(metrics.contains("caretaker_status_write_failures_total{kind=\"ManagedClient\"} 2"), "{metrics}");
    *stage.server.definitions.lock().unwrap() = document();
    stage.visit(5).await;
    assert_eq!(stage.server.ready().0, "True", "cured");
}

/// N06: what was found out is written before the long part of a visit begins, and the request is answered at its end only.
#[tokio::test]
async fn what_is_found_out_is_told_before_the_long_part_where_it_is_news() {
    let stage = Stage::new();
    stage.server.object.lock().unwrap()["metadata"]["annotations"] = json!({caretaker_api::names::REQUESTED_AT: "now"});
    stage.has_rest.store(true, Ordering::SeqCst);
    stage.visit(0).await;
    assert_eq!(stage.writes(), 2, "before it and after it");
    let before = std::mem::take(&mut *stage.seen_at_rest.lock().unwrap());
    assert_eq!((before.len(), &before[0]["externalIds"]["prod"], &before[0]["assets"]), (1, &json!("x"), &json!(0)), "{before:?}");
    assert!(before[0].get("lastHandledRequest").is_none(), "{before:?}");
    let status = stage.server.object.lock().unwrap()["status"].clone();
    assert_eq!((&status["assets"], &status["lastHandledRequest"]), (&json!(7), &json!("now")));
    stage.visit(5).await;
    assert_eq!(stage.writes(), 1, "the conditions say what they said: only the end is written");
    assert_eq!(stage.server.object.lock().unwrap()["status"]["assets"], 14);
}
