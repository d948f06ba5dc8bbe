//! The services themselves, one thing at a time: they know what Cloud Asset may not.

use serde_json::{Value, json};

use crate::envelope;
use crate::request::{Answer, Request};
use crate::world::World;

/// One machine, by its path from `projects/` on.
pub fn instance(world: &World, request: &Request) -> Result<Answer, Answer> {
    let caller = world.admit(request, "compute.googleapis.com", &["cloud-platform", "compute", "compute.readonly"])?;
    let path = request.resource.as_str();
    let permission = "compute.instances.get";
    let denied = || envelope::denied(permission, path);
    let project = path.split('/').nth(1).and_then(|id| world.project(id));
    let project = project.filter(|project| world.may_on_project(&caller.principal, permission, project)).ok_or_else(denied)?;
    let name = format!("//compute.googleapis.com/{path}");
    let is_it = |row: &&Value| row["name"] == name.as_str() && !project.ghosts.contains(&name);
    let Some(row) = project.assets.iter().find(is_it) else {
        return Err(envelope::error(404, "NOT_FOUND", &format!("The resource '{path}' was not found")));
    };
    let labels = row["labels"].as_object().cloned().unwrap_or_default();
    let short = path.rsplit('/').next().unwrap_or_default();
    Ok(Answer::ok(json!({"kind": "compute#instance", "id": "1", "name": short, "status": "RUNNING", "labels": labels})))
}
