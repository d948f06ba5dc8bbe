//! A kind's whole loop against an API server that a test plays.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use kube::ResourceExt;
use kube::runtime::events::{Recorder, Reporter};
use serde_json::{Value, json};

use super::super::*;
use crate::cache::Cache;
use crate::metrics::Metrics;
use crate::testing::{Server, Widget, WidgetStatus, widget, widgets_only};

/// Notes whom it visits.
#[derive(Clone, Default)]
struct Widgets(Arc<Mutex<Vec<String>>>);

#[async_trait]
impl Reconciler for Widgets {
    type Object = Widget;
    type Context = Arc<Context>;
    type Observed = ();
    type Plan = ();
    type Done = ();
    const CONDITIONS: &'static [ConditionType] = &[];

    async fn observe(&self, _ctx: &Arc<Context>, object: &Widget) -> Result<(), Failure> {
        self.0.lock().unwrap().push(object.name_any());
        Ok(())
    }

    fn check(&self, _object: &Widget, _observed: &()) -> Vec<Fault> {
        Vec::new()
    }

    fn plan(&self, _object: &Widget, _observed: &(), _now: Timestamp) {}

    async fn act(&self, _ctx: &Arc<Context>, _object: &Widget, _plan: ()) -> Acted<()> {
        Acted { done: (), failure: None }
    }

    fn status(&self, _object: &Widget, _seen: Seen<'_, (), ()>) -> (WidgetStatus, Outcome) {
        (WidgetStatus::default(), Outcome::Settled(Duration::from_secs(3600)))
    }

    async fn clean_up(&self, _ctx: &Arc<Context>, _object: &Widget) -> Result<CleanUp, Failure> {
        Ok(CleanUp::Done)
    }
}

/// Waits until something is so.
async fn until(what: &str, is: impl Fn() -> bool) {
    let patience = tokio::time::timeout(Duration::from_secs(20), async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    patience.await.unwrap_or_else(|_| panic!("not within 20 s: {what}"));
}

/// Objects of a wrong shape were stored before the schema was tightened.
#[tokio::test]
async fn a_stored_object_of_a_wrong_shape_stops_nobody() {
    let server = Arc::new(Server::default());
    for (name, spec) in
        [("good", json!({"size": 1})), ("bad", json!({"size": "large"})), ("late", json!({"size": 2})), ("worse", Value::Null)]
    {
        server.stored.lock().unwrap().insert(name.into(), widget(name, 7, &spec));
    }
    *server.failing_lists.lock().unwrap() = 1;
    let (client, metrics) = (server.client(), Metrics::default());
    let cache = Cache::new(widgets_only(), metrics.clone());
    let ctx = Context {
        client: client.clone(),
        cache: cache.clone(),
        clock: Arc::new(Timestamp::now),
        namespace: "caretaker-system".into(),
        recorder: Recorder::new(client.clone(), Reporter { controller: "caretaker".into(), instance: None }),
        metrics: metrics.clone(),
        repairs: Default::default(),
        definitions: Default::default(),
    };
    cache.start(&client);
    until("the kind is listed, although a list failed and two of its objects are bad", || cache.is_synced()).await;
    let (widgets, (stop, stopped)) = (Widgets::default(), tokio::sync::oneshot::channel::<()>());
    let running = tokio::spawn(run(widgets.clone(), Arc::new(ctx), async move {
        let _ = stopped.await;
    }));
    let written = |start: &str| -> Vec<(String, Value)> {
        server.writes.lock().unwrap().iter().filter(|(line, _)| line.starts_with(start)).cloned().collect()
    };
    let path = "PATCH /apis/caretaker.dev/v1alpha1/namespaces/client-a/widgets";
    until("the good ones have a status", || written(path).iter().filter(|(line, _)| line.ends_with("/status")).count() == 2).await;
    until("both bad ones are told of", || {
        written("POST /apis/events.k8s.io").len() >= 2 || written("PATCH /apis/events.k8s.io").len() >= 2
    })
    .await;
    // Longer than the pause after a change: our own writes must not start a visit.
    tokio::time::sleep(Duration::from_millis(300)).await;

    let mut visited = widgets.0.lock().unwrap().clone();
    visited.sort();
    assert_eq!(visited, ["good", "late"], "each once");
    let events = written("POST /apis/events.k8s.io");
    let notes: Vec<&str> = events.iter().filter_map(|(_, event)| event["note"].as_str()).collect();
    assert!(notes.iter().any(|note| note.ends_with("spec.size: expected u32")), "{notes:?}");
    assert!(events.iter().all(|(_, event)| event["type"] == "Warning" || event["reason"] != "Undecodable"), "{events:?}");
    let text = metrics.render();
    for line in [
        "caretaker_undecodable_objects{kind=\"Widget\"} 2\n",
        "caretaker_watch_failures_total{kind=\"Widget\"} 1\n",
        "caretaker_watch_last_event_timestamp_seconds{kind=\"Widget\"} ",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    let gate = cache.gates().remove(0);
    assert!(gate.is_listed && gate.is_running && gate.objects == 4 && gate.unfit == 2, "{gate:?}");
    stop.send(()).unwrap();
    running.await.unwrap();
    assert!(!cache.gates()[0].is_running, "the gate closes with the loop");
}
