//! Cloud Asset: the record of what each asset was, deletions among it.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::envelope;
use crate::request::{Answer, Request};
use crate::world::{Project, World};

/// How long Google keeps it.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 35);
/// Most assets of a question.
const MOST: usize = 100;

/// The record of some assets of a project.
pub fn show(world: &mut World, request: &Request) -> Result<Answer, Answer> {
    let id = world.asset_project(request, "cloudasset.assets.exportResource")?;
    let since = request.parameter("readTimeWindow.startTime").and_then(|text| text.parse::<Timestamp>().ok());
    let oldest = Timestamp::from_second(world.now()).unwrap_or(Timestamp::MAX) - KEPT;
    if request.parameter("contentType") != Some("RESOURCE") || since.is_none_or(|since| since <= oldest) {
        return Err(envelope::invalid("Only the resources of at most the last 35 days are simulated."));
    }
    let names = request.query.get("assetNames").cloned().unwrap_or_default();
    if names.len() > MOST {
        return Err(envelope::invalid("Too many asset names."));
    }
    let project = &world.projects[&id];
    let since = since.unwrap_or(oldest);
    let mut entries = Vec::new();
    for name in &names {
        let record = of(project, name, oldest).ok_or_else(|| envelope::invalid(&format!("The asset {name} does not exist.")))?;
        // A window that ended before is not asked for.
        entries.extend(record.into_iter().filter(|entry| time(&entry["window"]["endTime"]).is_none_or(|ended| ended > since)));
    }
    let answer = if entries.is_empty() { json!({}) } else { json!({"assets": entries}) };
    Ok(Answer::ok(request.parameter("fields").map_or_else(|| answer.clone(), |mask| masked(&answer, mask))))
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// The record of one asset; `None` where it holds nothing of it. What was deleted is forgotten in the end.
fn of(project: &Project, name: &str, oldest: Timestamp) -> Option<Vec<Value>> {
    let deleted = project.deleted.get(name).filter(|at| at.parse::<Timestamp>().is_ok_and(|at| at > oldest));
    let is_there = project.assets.iter().any(|row| row["name"] == name);
    let asset = json!({"name": name, "assetType": "example.googleapis.com/Thing", "resource": {"version": "v1", "data": {"secret": "of the client's"}}});
    let mut entries = Vec::new();
    if let Some(time) = deleted {
        entries.push(json!({"window": {"startTime": "2026-01-01T00:00:00Z", "endTime": time}, "asset": asset}));
        entries.push(json!({"window": {"startTime": time}, "deleted": true, "asset": asset}));
    }
    if is_there && deleted.is_none() {
        entries.push(json!({"window": {"startTime": "2026-01-01T00:00:00Z"}, "asset": asset}));
    }
    (!entries.is_empty()).then_some(entries)
}

/// The fields that a mask such as `a,b(c)` names, of an object or of each object of a list.
fn masked(value: &Value, mask: &str) -> Value {
    if let Value::Array(rows) = value {
        return rows.iter().map(|row| masked(row, mask)).collect();
    }
    let mut kept = json!({});
    for part in parts(mask) {
        let (field, inner) = part.split_once('(').map_or((part, None), |(field, rest)| (field, rest.strip_suffix(')')));
        if let Some(held) = value.get(field) {
            kept[field] = inner.map_or_else(|| held.clone(), |inner| masked(held, inner));
        }
    }
    kept
}

/// The parts of a mask between the commas that are in no parentheses.
fn parts(mask: &str) -> Vec<&str> {
    let (mut depth, mut from, mut parts) = (0, 0, Vec::new());
    for (at, sign) in mask.char_indices() {
        match sign {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&mask[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&mask[from..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_keeps_what_it_names_and_nothing_else() {
        let row =
            json!({"assets": [{"window": {"startTime": "t"}, "deleted": true, "asset": {"name": "a", "resource": {"data": 1}}}], "x": 1});
        let kept = masked(&row, "assets(window,deleted,asset(name))");
        assert_eq!(kept, json!({"assets": [{"window": {"startTime": "t"}, "deleted": true, "asset": {"name": "a"}}]}));
        assert_eq!(masked(&row, "assets")["assets"][0]["asset"]["resource"]["data"], 1);
    }
}
