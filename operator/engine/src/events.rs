//! Events of the operator. Events that say the same are counted as one series; events that say something else are told apart.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, Recorder, Reporter};

/// How long a note is remembered: as long as the recorder of `kube` keeps a series open.
const MEMORY: Duration = Duration::from_mins(6);

/// Longest note, in bytes: the API server refuses an Event with a longer one.
/// Source: `NoteLengthLimit` in <https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/validation/events.go>.
const MAX_NOTE: usize = 1024;

/// The note as an Event takes it: cut at a character, and the cut is shown.
fn fitting(note: &str) -> String {
    const CUT: &str = " …";
    if note.len() <= MAX_NOTE {
        return note.to_owned();
    }
    let at = note.floor_char_boundary(MAX_NOTE - CUT.len());
    format!("{}{CUT}", &note[..at])
}

/// Publishes events. Cheap to clone.
///
/// A recorder joins events of one object with one reason into a series that keeps the first note. So each note has a recorder of its own: the second repair
/// names the second field.
#[derive(Clone)]
pub struct Events {
    client: Client,
    reporter: Reporter,
    by_note: Arc<Mutex<HashMap<u64, (Recorder, Instant)>>>,
}

impl Events {
    /// Events of the process with the given identity, such as the name of its pod.
    #[must_use]
    pub fn new(client: Client, identity: Option<String>) -> Self {
        Self { client, reporter: Reporter { controller: "caretaker".into(), instance: identity }, by_note: Arc::default() }
    }

    /// Publishes one event about an object. An event that cannot be published is no failure: conditions say what is the case.
    pub async fn publish(&self, event: &Event, object: &ObjectReference) {
        let event = Event {
            type_: event.type_,
            reason: event.reason.clone(),
            note: event.note.as_deref().map(fitting),
            action: event.action.clone(),
            secondary: event.secondary.clone(),
        };
        let recorder = self.recorder(&event, object, Instant::now());
        if let Err(error) = recorder.publish(&event, object).await {
            tracing::debug!(%error, "an event was not published");
        }
    }

    fn recorder(&self, event: &Event, object: &ObjectReference, now: Instant) -> Recorder {
        let mut hash = DefaultHasher::new();
        (&object.uid, &object.name, &object.namespace, &event.reason, &event.note).hash(&mut hash);
        let mut held = self.by_note.lock().expect("no panic while held");
        held.retain(|_, (_, used)| now.duration_since(*used) < MEMORY);
        let entry = held.entry(hash.finish()).or_insert_with(|| (Recorder::new(self.client.clone(), self.reporter.clone()), now));
        entry.1 = now;
        entry.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};
    use kube::client::Body;
    use kube::runtime::events::EventType;
    use serde_json::{Value, json};

    use super::*;

    type Sent = Arc<Mutex<Vec<(String, Value)>>>;

    /// An API server that keeps what it is sent.
    fn server(sent: &Sent) -> Client {
        let sent = sent.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let sent = sent.clone();
            async move {
                let method = request.method().to_string();
                let body: Value = serde_json::from_slice(&request.into_body().collect_bytes().await?).unwrap_or_default();
                sent.lock().unwrap().push((method, body.clone()));
                let answer = if body["metadata"].is_null() { json!({"metadata": {}, "eventTime": null}) } else { body };
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Response::new(Body::from(answer.to_string().into_bytes())))
            }
        });
        Client::new(service, "default")
    }

    #[tokio::test]
    async fn another_note_is_another_event_and_the_same_note_is_counted() {
        let sent = Sent::default();
        let events = Events::new(server(&sent), None);
        let object = ObjectReference { name: Some("acme".into()), uid: Some("u".into()), ..ObjectReference::default() };
        for note in ["spec.hard was put back", "spec.egress was put back", "spec.hard was put back"] {
            let event = Event {
                type_: EventType::Normal,
                reason: "DriftRepaired".into(),
                note: Some(note.into()),
                action: "Repair".into(),
                secondary: None,
            };
            events.publish(&event, &object).await;
        }
        let sent = sent.lock().unwrap();
        let made: Vec<&str> = sent.iter().filter(|(method, _)| method == "POST").filter_map(|(_, body)| body["note"].as_str()).collect();
        assert_eq!(made, ["spec.hard was put back", "spec.egress was put back"]);
        let last = sent.last().expect("three were sent");
        assert_eq!((last.0.as_str(), last.1["series"]["count"].as_i64()), ("PATCH", Some(2)), "{last:?}");
    }

    /// L6: the longest messages are the most interesting ones.
    #[tokio::test]
    async fn a_note_is_cut_to_what_an_event_takes() {
        let sent = Sent::default();
        let events = Events::new(server(&sent), None);
        let event = Event {
            type_: EventType::Warning,
            reason: "x".into(),
            note: Some(format!("denied {}", "ä".repeat(2000))),
            action: "x".into(),
            secondary: None,
        };
        events.publish(&event, &ObjectReference { name: Some("acme".into()), ..ObjectReference::default() }).await;
        let sent = sent.lock().unwrap();
        let note = sent.first().and_then(|(_, body)| body["note"].as_str()).expect("it was sent");
        assert!(note.len() <= 1024 && note.len() > 1000 && note.starts_with("denied ä") && note.ends_with('…'), "{} bytes", note.len());
        assert_eq!(fitting("short"), "short");
    }

    #[tokio::test]
    async fn notes_are_forgotten() {
        let events = Events::new(server(&Sent::default()), None);
        let event = |note: &str| Event {
            type_: EventType::Normal,
            reason: "x".into(),
            note: Some(note.into()),
            action: "x".into(),
            secondary: None,
        };
        let (now, object) = (Instant::now(), ObjectReference::default());
        for number in 0..10 {
            events.recorder(&event(&number.to_string()), &object, now);
        }
        assert_eq!(events.by_note.lock().unwrap().len(), 10);
        events.recorder(&event("late"), &object, now + MEMORY);
        assert_eq!(events.by_note.lock().unwrap().len(), 1);
    }
}
