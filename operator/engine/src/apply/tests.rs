//! What a visit does with an object as it stands, first by comparison alone, then against an API server that a test plays.

use std::sync::{Arc, Mutex};

use http::{Method, Request, Response};
use jiff::Timestamp;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tower::BoxError;

use super::*;
use crate::cache::Cache;
use crate::metrics::Metrics;

fn owner() -> Owner {
    Owner { kind: Kind::CloudAccount, client: "a".into(), namespace: "client-a".into(), name: "x".into(), uid: "u1".into() }
}

fn kit(data: Value) -> Desired {
    Desired::new("ConfigMap", "client-a", "kit", json!({"data": data}))
}

fn desired(text: &str) -> Value {
    whole(ownership::owned("ConfigMap").unwrap(), &owner(), &kit(json!({"k": text})))
}

fn live(mut value: Value) -> DynamicObject {
    value["metadata"]["resourceVersion"] = json!("7");
    serde_json::from_value(value).unwrap()
}

fn verdict(found: Option<&DynamicObject>, wanted: &Value) -> Verdict {
    compare(found, wanted, &owner(), &|_| false)
}

#[test]
fn compare_tells_what_to_do() {
    let wanted = desired("one");
    assert_eq!(verdict(None, &wanted), Verdict::Missing);
    assert_eq!(verdict(Some(&live(wanted.clone())), &wanted), Verdict::Same);
    assert_eq!(verdict(Some(&live(desired("two"))), &wanted), Verdict::Updated);
    for (field, value) in [("k", "somebody's"), ("override.tf", "planted")] {
        let mut drifted = wanted.clone();
        drifted["data"][field] = json!(value);
        let Verdict::Drifted(differences) = verdict(Some(&live(drifted.clone())), &wanted) else { panic!("{field} must be seen") };
        assert_eq!(differences[0].field, format!("data.{field}"));
        let accepted = drift::digest("ConfigMap", &json!(live(drifted.clone())));
        let again = compare(Some(&live(drifted)), &wanted, &owner(), &|digest| digest == accepted);
        assert_eq!(again == Verdict::Same, field != "k", "only an addition is as good as it gets; {field}");
    }
}

#[test]
fn an_object_of_another_maker_is_foreign_whatever_labels_it_carries() {
    let wanted = desired("one");
    let mut other = wanted.clone();
    other["metadata"]["ownerReferences"][0]["uid"] = json!("u2");
    assert_eq!(verdict(Some(&live(other)), &wanted), Verdict::Foreign);
    let mut lost = wanted.clone();
    lost["metadata"].as_object_mut().unwrap().remove("ownerReferences");
    assert_eq!(verdict(Some(&live(lost)), &wanted), Verdict::Foreign);
}

/// An API server with one object, which takes server-side apply and JSON patches as far as these tests need them.
#[derive(Clone, Default)]
struct Server {
    object: Arc<Mutex<Option<Value>>>,
    writes: Arc<Mutex<Vec<String>>>,
    events: Arc<Mutex<Vec<Value>>>,
}

impl Server {
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
        let (code, answer) = if parts.uri.path().contains("/events") {
            self.events.lock().unwrap().push(body.clone());
            (201, body)
        } else if parts.method == Method::PATCH {
            let kind = parts.headers["content-type"].to_str().unwrap().to_owned();
            self.writes.lock().unwrap().push(kind.clone());
            (200, self.patch(&kind, body))
        } else {
            match self.object.lock().unwrap().clone() {
                Some(object) => (200, object),
                None => (404, json!({"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound", "message": "none"})),
            }
        };
        let answer = serde_json::to_vec(&answer).unwrap();
        Response::builder().status(code).header("content-type", "application/json").body(Body::from(answer)).unwrap()
    }

    fn patch(&self, kind: &str, body: Value) -> Value {
        let mut held = self.object.lock().unwrap();
        let mut object = held.clone().unwrap_or_default();
        if kind.contains("apply") {
            let added: Vec<(String, Value)> = object["data"].as_object().cloned().unwrap_or_default().into_iter().collect();
            let managed = object["metadata"]["managedFields"].clone();
            object = body;
            object["metadata"]["managedFields"] = managed;
            object["metadata"]["uid"] = json!("c1");
            for (name, value) in added {
                object["data"].as_object_mut().unwrap().entry(name).or_insert(value);
            }
        } else {
            for step in body.as_array().unwrap() {
                match (step["op"].as_str().unwrap(), step["path"].as_str().unwrap()) {
                    ("test", pointer) => assert_eq!(object.pointer(pointer), Some(&step["value"])),
                    ("add", root) => object[&root[1..]] = step["value"].clone(),
                    _ => {}
                }
            }
        }
        object["metadata"]["resourceVersion"] = json!("8");
        *held = Some(object.clone());
        object
    }

    /// Somebody writes a key into the data.
    fn write(&self, manager: &str, key: &str, value: &str) {
        let mut held = self.object.lock().unwrap();
        let object = held.as_mut().unwrap();
        object["data"][key] = json!(value);
        object["metadata"]["managedFields"] = json!([{
            "manager": manager, "operation": "Update", "apiVersion": "v1", "time": "2026-11-28T01:00:00Z", "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {format!("f:{key}"): {}}},
        }]);
    }

    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.writes.lock().unwrap())
    }
}

fn context(server: &Server, clock: &Arc<Mutex<i64>>) -> Context {
    let (client, clock) = (server.client(), clock.clone());
    Context {
        client: client.clone(),
        cache: Cache::new(),
        clock: Arc::new(move || Timestamp::from_second(*clock.lock().unwrap()).unwrap()),
        namespace: "caretaker-system".into(),
        events: crate::events::Events::new(client, None),
        metrics: Metrics::default(),
        repairs: Default::default(),
        definitions: Default::default(),
    }
}

/// One visit's apply, from the API server's own words: a cache that is empty asks it.
async fn visit(server: &Server, ctx: &Context) -> Applied {
    let fresh = Context { cache: Cache::new(), ..ctx.clone() };
    let applied = apply(&fresh, &owner(), &kit(json!({"k": "one"}))).await.unwrap();
    assert!(server.object.lock().unwrap().is_some());
    applied
}

/// H1, K17: what is added is taken away exactly, told once with field and manager, and a second pass writes nothing.
#[tokio::test]
async fn an_addition_is_taken_away_and_told() {
    let (server, clock) = (Server::default(), Arc::new(Mutex::new(0)));
    let ctx = context(&server, &clock);
    assert_eq!(visit(&server, &ctx).await, Applied::Created);
    assert_eq!(visit(&server, &ctx).await, Applied::Unchanged);
    assert_eq!(server.taken(), ["application/apply-patch+yaml"], "a second pass writes nothing");
    server.write("kubectl-edit", "override.tf", "planted");
    assert_eq!(visit(&server, &ctx).await, Applied::Repaired);
    assert_eq!(server.object.lock().unwrap().as_ref().unwrap()["data"], json!({"k": "one"}));
    assert_eq!(server.taken(), ["application/json-patch+json"], "one write is enough for an addition");
    assert_eq!(visit(&server, &ctx).await, Applied::Unchanged);
    let events = server.events.lock().unwrap().clone();
    assert_eq!((events.len(), events[0]["reason"].as_str()), (1, Some("DriftRepaired")));
    let note = events[0]["note"].as_str().unwrap();
    assert_eq!(note, "put back ConfigMap client-a/kit: data.override.tf had been changed by kubectl-edit at 2026-11-28T01:00:00Z");
    assert_eq!(events[0]["regarding"]["name"], "x");
}

/// K17: a loop that writes whenever the field is right.
#[tokio::test]
async fn a_war_slows_down_and_names_manager_and_field() {
    let (server, clock) = (Server::default(), Arc::new(Mutex::new(0)));
    let ctx = context(&server, &clock);
    visit(&server, &ctx).await;
    let (mut repaired, mut contested) = (0, None);
    for second in 0..3600 {
        *clock.lock().unwrap() = second;
        server.write("bob", "k", "1000");
        match visit(&server, &ctx).await {
            Applied::Repaired => repaired += 1,
            Applied::Contested(wait) => contested = Some(wait),
            other => panic!("{other:?}"),
        }
    }
    assert!((3..=7).contains(&repaired), "{repaired} repairs in an hour");
    let wait = contested.unwrap();
    assert!(wait.message.starts_with("ContestedBy bob data.k: ConfigMap client-a/kit"), "{}", wait.message);
    let told: Vec<String> = server.events.lock().unwrap().iter().map(|event| event["reason"].to_string()).collect();
    assert!(told.iter().any(|reason| reason.contains("Contested")) && told.len() <= 16, "{told:?}");
}

/// Some default that we do not know: what the API server makes of our own exact write is as good as it gets.
#[tokio::test]
async fn an_answer_that_cannot_be_bettered_is_not_written_again() {
    let (server, clock) = (Server::default(), Arc::new(Mutex::new(0)));
    let ctx = context(&server, &clock);
    visit(&server, &ctx).await;
    let object = server.object.lock().unwrap().clone().unwrap();
    ctx.repairs.accept("ConfigMap client-a/kit", drift::digest("ConfigMap", &json!({"data": {"k": "one", "filled-in": "x"}})));
    server.write("bob", "filled-in", "x");
    server.taken();
    assert_eq!(visit(&server, &ctx).await, Applied::Unchanged);
    assert!(server.taken().is_empty());
    assert_eq!(object["data"], json!({"k": "one"}));
}
