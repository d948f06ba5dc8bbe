//! Folders: what is in them, and who may see it.

use serde_json::{Value, json};

use crate::assets::{offset, token_of};
use crate::envelope;
use crate::iam::{asked_permissions, held};
use crate::projects;
use crate::request::{Answer, Request};
use crate::world::World;

/// A call about folders, or about the projects in one. Who has no permission is told the same as who asks for what is not there.
pub fn route(world: &World, request: &Request) -> Result<Answer, Answer> {
    let whole = request.call.ends_with("testIamPermissions");
    let scopes: &[&str] = if whole { &["cloud-platform"] } else { &["cloud-platform", "cloud-platform.read-only"] };
    let caller = world.admit(request, "cloudresourcemanager.googleapis.com", scopes)?.principal;
    let denied = || envelope::error(403, "PERMISSION_DENIED", "The caller does not have permission");
    let asked = if request.call.ends_with(".list") { request.parameter("parent").unwrap_or_default() } else { request.resource.as_str() };
    let id = asked.trim_start_matches("folders/").to_owned();
    let may = |permission: &str| world.may_on_folder(&caller, permission, &id);
    let folder = world.folders.get(&id).ok_or_else(denied)?;
    match request.call {
        "cloudresourcemanager.folders.get" if may("resourcemanager.folders.get") => Ok(Answer::ok(shown(&id, folder.parent.as_deref()))),
        "cloudresourcemanager.folders.testIamPermissions" => {
            Ok(held(asked_permissions(request)?.into_iter().filter(|asked| may(asked)).collect()))
        }
        "cloudresourcemanager.folders.list" if may("resourcemanager.folders.list") => {
            let inside = world.folders.iter().filter(|(_, folder)| folder.parent.as_deref() == Some(&id));
            page(world, request, "folders", inside.map(|(id, folder)| shown(id, folder.parent.as_deref())).collect())
        }
        "cloudresourcemanager.projects.list" if may("resourcemanager.projects.list") => {
            let closed = request.parameter("showDeleted") == Some("true");
            let inside = world.projects.values().filter(|project| project.folder.as_deref() == Some(&id) && (closed || !project.is_closed));
            page(world, request, "projects", inside.map(projects::shown).collect())
        }
        _ => Err(denied()),
    }
}

fn shown(id: &str, parent: Option<&str>) -> Value {
    let parent = parent.map_or_else(|| "organizations/1".to_owned(), |parent| format!("folders/{parent}"));
    json!({
        "name": format!("folders/{id}"), "displayName": format!("Folder {id}"), "state": "ACTIVE", "parent": parent,
        "createTime": "2026-01-01T00:00:00Z", "updateTime": "2026-01-01T00:00:00Z", "etag": "abcdef0123A=",
    })
}

fn page(world: &World, request: &Request, field: &str, rows: Vec<Value>) -> Result<Answer, Answer> {
    let asked = request.parameter("pageSize").and_then(|size| size.parse().ok()).unwrap_or(100);
    let size = world.list_rows.map_or(asked, |rows| rows.min(asked));
    let from = offset(request).ok_or_else(|| envelope::invalid("The page token is not of this question."))?;
    let has_more = rows.len() > from + size;
    let rows: Vec<Value> = rows.into_iter().skip(from).take(size).collect();
    let mut body = if rows.is_empty() { json!({}) } else { json!({field: rows}) };
    if has_more {
        body["nextPageToken"] = token_of(request, from + size).into();
    }
    Ok(Answer::ok(body))
}
