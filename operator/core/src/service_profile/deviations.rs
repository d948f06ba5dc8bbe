//! Where a client deviates from its profile.

use caretaker_api::service_profile::{Deviation, at, leaves};
use serde_json::{Map, Value};

use super::shown_value;

/// Values of the profile that the client does not have: those that it sets in another way, and those that it goes without. What the profile does not speak of is
/// free, and an own value that is the same is none.
#[must_use]
pub fn deviations(defaults: &Map<String, Value>, without: &[String], written: &Value) -> Vec<Deviation> {
    let tree = Value::Object(defaults.clone());
    let is_left_out =
        |path: &str| without.iter().any(|out| path == out || path.strip_prefix(out.as_str()).is_some_and(|rest| rest.starts_with('.')));
    let mut found: Vec<Deviation> = without
        .iter()
        .filter_map(|path| Some(Deviation { path: path.clone(), profile: shown_value(at(&tree, path)?), client: None }))
        .collect();
    for (path, value) in leaves(&tree).into_iter().filter(|(path, _)| !is_left_out(path)) {
        if let Some(own) = at(written, &path).filter(|own| **own != value) {
            found.push(Deviation { profile: shown_value(&value), client: Some(shown_value(own)), path });
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found.dedup_by(|one, other| one.path == other.path);
    found
}
