//! Managed fields as the API server writes them down (`FieldsV1`): who owns which path of an object.

use serde_json::{Map, Value, json};

/// Name that begins the field managers of our controllers.
const OURS: &str = "caretaker-";

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A field of an object.
    Field(String),
    /// The element of a list that has these values in its key fields.
    Item(Map<String, Value>),
    /// The element of a list of plain values.
    Value(Value),
    /// The element of a list by its place.
    Index(usize),
}

/// A path.
pub type Path = Vec<Step>;

/// A path that another manager owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    /// The manager.
    pub manager: String,
    /// When it last wrote.
    pub time: Option<String>,
    /// The path.
    pub path: Path,
}

/// Whether an entry speaks of what the manager `own` applied.
fn is_own(entry: &Value, own: impl Fn(&str) -> bool) -> bool {
    entry["operation"] == "Apply" && entry["subresource"].is_null() && own(entry["manager"].as_str().unwrap_or_default())
}

/// Paths below the roots that are owned by others than the applier `own`. What `own` changed otherwise than by applying counts as another's: applying
/// does not take it away. Writers of the status are none.
pub fn foreign(own: &str, roots: &[&str], managed: &Value) -> Vec<Owned> {
    let mut found = Vec::new();
    for entry in managed.as_array().into_iter().flatten() {
        if is_own(entry, |manager| manager == own) || entry["subresource"] == "status" {
            continue;
        }
        let mut paths = Vec::new();
        for root in roots {
            let mut path = vec![Step::Field((*root).to_owned())];
            if let Some(fields) = entry["fieldsV1"].get(format!("f:{root}")) {
                leaves(fields, &mut path, &mut paths);
            }
        }
        let manager = entry["manager"].as_str().unwrap_or("unknown").to_owned();
        let time = entry["time"].as_str().map(str::to_owned);
        found.extend(paths.into_iter().map(|path| Owned { manager: manager.clone(), time: time.clone(), path }));
    }
    found
}

fn leaves(fields: &Value, path: &mut Path, paths: &mut Vec<Path>) {
    let children: Vec<(Step, &Value)> =
        fields.as_object().into_iter().flatten().filter_map(|(name, inner)| Some((step(name)?, inner))).collect();
    if children.is_empty() {
        return paths.push(path.clone());
    }
    for (step, inner) in children {
        path.push(step);
        leaves(inner, path, paths);
        path.pop();
    }
}

/// The step that a name stands for; `.` stands for the field that holds it.
fn step(name: &str) -> Option<Step> {
    let (kind, rest) = name.split_once(':')?;
    match kind {
        "f" => Some(Step::Field(rest.to_owned())),
        "k" => serde_json::from_str(rest).ok().map(Step::Item),
        "v" => serde_json::from_str(rest).ok().map(Step::Value),
        "i" => rest.parse().ok().map(Step::Index),
        _ => None,
    }
}

/// The value at a path.
pub fn at<'a>(value: &'a Value, path: &[Step]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, step| match step {
        Step::Field(name) => value.get(name),
        Step::Item(keys) => value.as_array()?.iter().find(|item| keys.iter().all(|(key, wanted)| item.get(key) == Some(wanted))),
        Step::Value(wanted) => value.as_array()?.iter().find(|item| *item == wanted),
        Step::Index(number) => value.get(number),
    })
}

/// The path for a person.
pub fn text(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Field(name) if text.is_empty() => text.push_str(name),
            Step::Field(name) => text.push_str(&format!(".{name}")),
            Step::Item(keys) => {
                let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("…"))).collect();
                text.push_str(&format!("[{}]", keys.join(",")));
            }
            Step::Value(value) => text.push_str(&format!("[{}]", value.as_str().unwrap_or("…"))),
            Step::Index(number) => text.push_str(&format!("[{number}]")),
        }
    }
    text
}

/// See [`super::worth_keeping`].
pub fn worth_keeping(managed: &Value) -> Value {
    let mut kept = Vec::new();
    for entry in managed.as_array().into_iter().flatten() {
        if is_own(entry, |manager| manager.starts_with(OURS)) {
            continue;
        }
        let mut entry = entry.clone();
        if entry["subresource"] == "status" {
            if entry["manager"].as_str().is_some_and(|manager| manager.starts_with(OURS)) {
                continue;
            }
            entry["fieldsV1"] = json!({});
        } else {
            let Some(fields) = entry["fieldsV1"].as_object_mut() else { continue };
            fields.retain(|name, _| name != "f:metadata" && name != "f:status");
            if fields.is_empty() {
                continue;
            }
        }
        kept.push(entry);
    }
    Value::Array(kept)
}
