//! How an object in the cluster differs from the one that is wanted, field by field, and who changed it.
//!
//! Two questions: does the object hold all that is wanted, and does it hold more where nobody else may add anything? The second is answered exactly for
//! kinds of Kubernetes whose defaults are known. Kinds of custom resources are filled in by the defaults of their definitions; of these an addition is a
//! field that another manager owns: the API server gives a defaulted field to nobody
//! (<https://kubernetes.io/docs/reference/using-api/server-side-apply/>).

mod fields;
pub(crate) mod quantity;

use serde_json::{Value, json};

use fields::{Owned, Path, at, foreign, text};

/// What we own wholly of each kind: nobody else may add anything below.
#[must_use]
pub fn roots(kind: &str) -> &'static [&'static str] {
    match kind {
        // Their other fields belong to the cluster: finalizers of a namespace, tokens and pull secrets of an account.
        "Namespace" | "ServiceAccount" => &[],
        "ConfigMap" => &["data", "binaryData"],
        "Secret" => &["data"],
        "RoleBinding" => &["subjects", "roleRef"],
        _ => &["spec"],
    }
}

/// Kinds whose defaults are known, so that every addition can be told by comparison alone.
fn is_exact(kind: &str) -> bool {
    ["ConfigMap", "LimitRange", "NetworkPolicy", "ResourceQuota", "RoleBinding", "Secret"].contains(&kind)
}

/// Values that the API server fills in below roots. Source: the API reference of `NetworkPolicyPort`.
fn is_default(name: &str, value: &Value) -> bool {
    name == "protocol" && value == "TCP"
}

/// Fields of a kind that another controller of ours sets once: they stay, whether or not they are wanted already.
const SET_ONCE: [(&str, &[&str]); 2] =
    [("CloudAccount", &["spec", "aws", "externalId"]), ("CloudAccount", &["spec", "awsOrganization", "externalId"])];

/// One field that is not as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// Path of the field, such as `spec.hard.pods`.
    pub field: String,
    /// The field manager that changed it, as far as the API server tells; a field that was taken away has none.
    pub manager: Option<String>,
    /// When that manager last wrote, as the API server wrote it down.
    pub time: Option<String>,
}

/// The wanted object with the fields that are set once as they stand.
#[must_use]
pub fn with_set_once(kind: &str, live: &Value, wanted: &Value) -> Value {
    let mut whole = wanted.clone();
    for (_, path) in SET_ONCE.iter().filter(|(of, _)| *of == kind) {
        let pointer = format!("/{}", path.join("/"));
        let parent = format!("/{}", path[..path.len() - 1].join("/"));
        let (Some(value), Some(name)) = (live.pointer(&pointer), path.last()) else { continue };
        if whole.pointer(&pointer).is_none()
            && let Some(parent) = whole.pointer_mut(&parent).and_then(Value::as_object_mut)
        {
            parent.insert((*name).to_owned(), value.clone());
        }
    }
    whole
}

/// Everything in which the object differs from the wanted one. `own` is the field manager that applies it; `live` carries its managed fields, at least
/// those of other managers.
#[must_use]
pub fn differences(kind: &str, own: &str, live: &Value, wanted: &Value) -> Vec<Difference> {
    let others = foreign(own, roots(kind), &live["metadata"]["managedFields"]);
    let mut paths = Vec::new();
    lacking(live, wanted, &mut Path::new(), &mut paths);
    for root in roots(kind) {
        let mut path = vec![fields::Step::Field((*root).to_owned())];
        if is_exact(kind) {
            added(live.get(root), wanted.get(root), &mut path, &mut paths);
        }
    }
    for owned in &others {
        let found = at(live, &owned.path);
        if found.is_some() {
            added(found, at(wanted, &owned.path), &mut owned.path.clone(), &mut paths);
        }
    }
    let mut differences: Vec<Difference> = paths.iter().map(|path| blame(path, &others)).collect();
    differences.sort();
    differences.dedup_by(|one, other| one.field == other.field);
    differences
}

/// Who owns the field, a field below it, or the one that holds it.
fn blame(path: &Path, others: &[Owned]) -> Difference {
    let near = |owned: &&Owned| owned.path.starts_with(path) || path.starts_with(&owned.path);
    let last = others.iter().filter(near).max_by(|one, other| one.time.cmp(&other.time));
    Difference { field: text(path), manager: last.map(|owned| owned.manager.clone()), time: last.and_then(|owned| owned.time.clone()) }
}

/// Whether the field is a quantity of a built-in kind.
fn is_amount(path: &Path) -> bool {
    const MAPS: [&str; 7] = ["hard", "default", "defaultRequest", "max", "min", "requests", "limits"];
    path.len() >= 2 && matches!(&path[path.len() - 2], fields::Step::Field(map) if MAPS.contains(&map.as_str()))
}

/// Paths at which `live` does not hold what is wanted. Lists must agree in length and, element by element, in what is wanted.
fn lacking(live: &Value, wanted: &Value, path: &mut Path, paths: &mut Vec<Path>) {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            for (name, value) in wanted {
                path.push(fields::Step::Field(name.clone()));
                match live.get(name) {
                    Some(found) => lacking(found, value, path, paths),
                    None if is_empty(value) => {}
                    None => paths.push(path.clone()),
                }
                path.pop();
            }
        }
        (Value::Array(live), Value::Array(wanted)) if live.len() == wanted.len() => {
            for (number, (live, wanted)) in live.iter().zip(wanted).enumerate() {
                path.push(fields::Step::Index(number));
                lacking(live, wanted, path, paths);
                path.pop();
            }
        }
        _ if live == wanted || is_amount(path) && quantity::is_same_amount(live, wanted) => {}
        _ => paths.push(path.clone()),
    }
}

/// Paths at which `live` holds more than is wanted. An empty addition counts: an empty selector selects everything.
fn added(live: Option<&Value>, wanted: Option<&Value>, path: &mut Path, paths: &mut Vec<Path>) {
    match (live, wanted) {
        (None, _) => {}
        (Some(live), None) => {
            let is_known = matches!(path.last(), Some(fields::Step::Field(name)) if is_default(name, live));
            if !live.is_null() && !is_known {
                paths.push(path.clone());
            }
        }
        (Some(Value::Object(live)), Some(Value::Object(wanted))) => {
            for (name, value) in live {
                path.push(fields::Step::Field(name.clone()));
                added(Some(value), wanted.get(name), path, paths);
                path.pop();
            }
        }
        (Some(Value::Array(live)), Some(Value::Array(wanted))) if live.len() == wanted.len() => {
            for (number, (live, wanted)) in live.iter().zip(wanted).enumerate() {
                path.push(fields::Step::Index(number));
                added(Some(live), Some(wanted), path, paths);
                path.pop();
            }
        }
        // A value that differs is lacking; it is told there.
        (Some(_), Some(_)) => {}
    }
}

/// Values that the API server drops: an absent field says the same.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().all(is_empty),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

/// The JSON patch that makes what we own wholly exactly as wanted, for the version of the object that was compared. Server-side apply cannot do it: it
/// leaves the fields of other managers where they are.
#[must_use]
pub fn replacement(kind: &str, live: &Value, wanted: &Value) -> Value {
    let mut steps = vec![
        json!({"op": "test", "path": "/metadata/uid", "value": live["metadata"]["uid"]}),
        // Of another version the API server says that there is a conflict.
        json!({"op": "replace", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]}),
    ];
    for root in roots(kind) {
        match (wanted.get(root), live.get(root)) {
            (Some(value), _) => steps.push(json!({"op": "add", "path": format!("/{root}"), "value": value})),
            (None, Some(_)) => steps.push(json!({"op": "remove", "path": format!("/{root}")})),
            (None, None) => {}
        }
    }
    Value::Array(steps)
}

/// Whether all that is wanted is there, so that the differences are additions only.
#[must_use]
pub fn only_added(live: &Value, wanted: &Value) -> bool {
    let mut paths = Vec::new();
    lacking(live, wanted, &mut Path::new(), &mut paths);
    paths.is_empty()
}

/// Digest of what we own wholly, as it stands.
#[must_use]
pub fn digest(kind: &str, live: &Value) -> String {
    let values: Vec<Option<&Value>> = roots(kind).iter().map(|root| live.get(*root)).collect();
    crate::digest::json_digest(&values)
}

/// The managed fields that are worth keeping with an object: those of other managers below what may be ours, and of the status who wrote it and when.
/// Most objects have none.
#[must_use]
pub fn worth_keeping(managed: &Value) -> Value {
    fields::worth_keeping(managed)
}

#[cfg(test)]
mod tests;
