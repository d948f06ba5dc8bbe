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
    let caller = world.admit(request, "cloudasset.googleapis.com", &["cloud-platform"])?;
    let permission = "cloudasset.assets.exportResource";
    let project = world.project(&request.resource).filter(|project| world.may_on_project(&caller.principal, permission, project));
    let denied = || envelope::denied(permission, &format!("cloudresourcemanager.googleapis.com/projects/{}", request.resource));
    let id = project.ok_or_else(denied)?.id.clone();
    world.spend(request, &id)?;
    let since = request.parameter("readTimeWindow.startTime").and_then(|text| text.parse::<Timestamp>().ok());
    let oldest = Timestamp::from_second(world.now()).unwrap_or(Timestamp::MAX) - KEPT;
    if request.parameter("contentType") != Some("RESOURCE") || since.is_none_or(|since| since <= oldest) {
        return Err(envelope::invalid("Only the resources of at most the last 35 days are simulated."));
    }
    let names = request.query.get("assetNames").cloned().unwrap_or_default();
    if names.len() > MOST {
        return Err(envelope::invalid("Too many asset names."));
    }
    let Some(project) = world.project(&id) else { return Err(denied()) };
    let mut entries = Vec::new();
    for name in &names {
        entries.extend(
            of(project, name, request.parameter("fields").is_some())
                .ok_or_else(|| envelope::invalid(&format!("The asset {name} does not exist.")))?,
        );
    }
    Ok(Answer::ok(if entries.is_empty() { json!({}) } else { json!({"assets": entries}) }))
}

/// The record of one asset; `None` where there never was one.
fn of(project: &Project, name: &str, is_partial: bool) -> Option<Vec<Value>> {
    let deleted = project.deleted.get(name);
    let is_there = project.assets.iter().any(|row| row["name"] == name);
    let asset = if is_partial { json!({"name": name}) } else { json!({"name": name, "resource": {"version": "v1", "data": {}}}) };
    let mut entries = Vec::new();
    if let Some(time) = deleted {
        entries.push(json!({"window": {"startTime": "2026-01-01T00:00:00Z", "endTime": time}, "asset": asset}));
        entries.push(json!({"window": {"startTime": time}, "deleted": true, "asset": asset}));
    }
    if is_there {
        let began = deleted.map_or("2026-01-01T00:00:00Z", |_| "9999-01-01T00:00:00Z");
        entries.push(json!({"window": {"startTime": began}, "asset": asset}));
    }
    (!entries.is_empty()).then_some(entries)
}
