//! Projects: what they are, who may do what, and their policies.

use serde_json::{Value, json};

use crate::envelope;
use crate::iam::{self, asked_permissions, held, replace};
use crate::request::{Answer, Request};
use crate::world::{Project, World};

/// A call about projects. Who has no permission is told the same as who asks for what is not there.
pub fn route(world: &mut World, request: &Request) -> Result<Answer, Answer> {
    let reads = matches!(request.call, "cloudresourcemanager.projects.get" | "cloudresourcemanager.projects.testIamPermissions");
    let scopes: &[&str] =
        if reads || request.call.ends_with("getIamPolicy") { &["cloud-platform", "cloud-platform.read-only"] } else { &["cloud-platform"] };
    let caller = world.admit(request, "cloudresourcemanager.googleapis.com", scopes)?.principal;
    let denied = || envelope::error(403, "PERMISSION_DENIED", "The caller does not have permission");
    let project = world.project(&request.resource).ok_or_else(denied)?;
    let may = |permission: &str| if world.may_on_project(&caller, permission, project) { Ok(()) } else { Err(denied()) };
    match request.call {
        "cloudresourcemanager.projects.get" => {
            may("resourcemanager.projects.get")?;
            Ok(Answer::ok(shown(project)))
        }
        "cloudresourcemanager.projects.testIamPermissions" => {
            let asked = asked_permissions(request)?;
            Ok(held(asked.into_iter().filter(|asked| world.may_on_project(&caller, asked, project)).collect()))
        }
        "cloudresourcemanager.projects.getIamPolicy" => {
            may("resourcemanager.projects.getIamPolicy")?;
            Ok(Answer::ok(iam::shown(&project.policy, request.body["options"]["requestedPolicyVersion"] == 3)))
        }
        _ => {
            may("resourcemanager.projects.setIamPolicy")?;
            let id = project.id.clone();
            let delay = world.revocation_delay;
            let project = world.projects.get_mut(&id).ok_or_else(denied)?;
            replace((&mut project.policy, delay), &request.body["policy"])
        }
    }
}

/// A project as it is shown.
pub fn shown(project: &Project) -> Value {
    let parent = project.folder.as_ref().map_or_else(|| "organizations/1".to_owned(), |folder| format!("folders/{folder}"));
    json!({
        "name": format!("projects/{}", project.number), "projectId": project.id, "displayName": project.id,
        "state": if project.is_closed { "DELETE_REQUESTED" } else { "ACTIVE" },
        "parent": parent, "createTime": "2026-01-01T00:00:00Z", "updateTime": "2026-01-01T00:00:00Z", "etag": "abcdef0123A=",
    })
}
