//! A kind that exists only in tests, and an API server that holds its objects.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use caretaker_core::kinds::{Kind, KindSpec, Kinds, ObjectId, OwnKind, OwnedKind, decode, definition};
use http::{Method, Request, Response};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::client::Body;
use kube::{Client, CustomResource};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A kind that exists only in tests: it reads one account and makes gadgets.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "caretaker.dev",
    version = "v1alpha1",
    kind = "Widget",
    plural = "widgets",
    shortname = "wd",
    namespaced,
    status = "WidgetStatus"
)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WidgetSpec {
    pub size: u32,
    #[serde(default)]
    pub account: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WidgetStatus {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    #[serde(default)]
    pub conditions: Vec<Condition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_request: Option<String>,
}

caretaker_api::common_status!(WidgetStatus);

static GADGET: OwnedKind =
    OwnedKind { group: "example.dev", version: "v1", kind: "Gadget", plural: "gadgets", namespaced: true, optional: true };

static WIDGET: KindSpec = KindSpec {
    api: OwnedKind { group: "caretaker.dev", version: "v1alpha1", kind: "Widget", plural: "widgets", namespaced: true, optional: false },
    short: "wd",
    word: "widgets",
    makes: &[&GADGET],
    reads: &[Kind::CLOUD_ACCOUNT],
    mirrored: None,
    deletion: Some(15),
    decode: decode::<Widget>,
    definition: definition::<Widget>,
};

impl OwnKind for Widget {
    const KIND: Kind = Kind::of(&WIDGET);

    fn reads(&self, other: &ObjectId) -> bool {
        self.spec.account == other.name
    }
}

static KINDS: [Kind; 7] = [
    Kind::PROVIDER_PROFILE,
    Kind::MANAGED_CLIENT,
    Kind::CLOUD_ACCOUNT,
    Kind::MONITORING_STACK,
    Kind::BACKUP_POLICY,
    Kind::HANDOVER,
    Widget::KIND,
];
static WIDGETS: [Kind; 1] = [Widget::KIND];

/// The kinds of Caretaker and the one of the test.
pub(crate) fn all_kinds() -> Kinds {
    Kinds::of(&KINDS)
}

/// The kind of the test alone.
pub(crate) fn widgets_only() -> Kinds {
    Kinds::of(&WIDGETS)
}

/// A widget as it is stored.
pub(crate) fn widget(name: &str, version: u64, spec: &Value) -> Value {
    json!({
        "apiVersion": "caretaker.dev/v1alpha1", "kind": "Widget", "spec": spec,
        "metadata": {"name": name, "namespace": "client-a", "uid": format!("uid-{name}"), "generation": 1, "resourceVersion": version.to_string()},
    })
}

/// An API server: it lists the widgets that it holds, merges patches into them, tells no changes, and notes what it was asked.
#[derive(Default)]
pub(crate) struct Server {
    /// Widgets by name.
    pub stored: Mutex<BTreeMap<String, Value>>,
    /// `METHOD path` and body of each request that writes.
    pub writes: Mutex<Vec<(String, Value)>>,
    /// Lists that are answered with an error before one is answered.
    pub failing_lists: Mutex<u32>,
}

impl Server {
    /// A client of the server.
    pub fn client(self: &Arc<Self>) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        Client::new(service, "default")
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        if head.method == Method::GET {
            if head.uri.query().is_some_and(|query| query.contains("watch=true")) {
                std::future::pending::<()>().await;
            }
            let mut failing = self.failing_lists.lock().unwrap();
            if head.uri.path().ends_with("/widgets") && *failing > 0 {
                *failing -= 1;
                return answer(503, &json!({"kind": "Status", "status": "Failure", "code": 503, "message": "not now", "reason": "x"}));
            }
            let is_of_widgets = head.uri.path().ends_with("/widgets");
            let items: Vec<Value> = if is_of_widgets { self.stored.lock().unwrap().values().cloned().collect() } else { Vec::new() };
            return answer(200, &json!({"metadata": {"resourceVersion": "100"}, "items": items, "resources": [], "groupVersion": "v1"}));
        }
        let body: Value = serde_json::from_slice(&body.collect_bytes().await.unwrap()).unwrap();
        let path = head.uri.path().to_owned();
        self.writes.lock().unwrap().push((format!("{} {path}", head.method), body.clone()));
        let name = path.trim_end_matches("/status").rsplit('/').next().unwrap_or_default().to_owned();
        let mut stored = self.stored.lock().unwrap();
        let Some(object) = stored.get_mut(&name) else { return answer(201, &body) };
        merge(object, &body);
        let writes = self.writes.lock().unwrap().len();
        object["metadata"]["resourceVersion"] = json!((200 + writes).to_string());
        answer(200, object)
    }
}

fn merge(object: &mut Value, patch: &Value) {
    match (object, patch) {
        (Value::Object(object), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(object.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (object, patch) => *object = patch.clone(),
    }
}

fn answer(code: u16, body: &Value) -> Response<Body> {
    Response::builder().status(code).body(Body::from(serde_json::to_vec(body).unwrap())).unwrap()
}
