//! Which permissions of the manifest are granted, by Google's own test.

use caretaker_cloud::{ErrorClass, PermissionGap, Result, WantedPermission};
use serde_json::json;

use crate::call::http::{Call, url};
use crate::session::{Reach, Session};

/// Permissions in one question: the most that Google takes.
const CHUNK: usize = 100;

/// What is missing. A permission whose resource is the service account's address is tested on it, every other one on the project or folder. Where the
/// test itself is denied, nothing is known.
pub async fn missing(session: &Session, wanted: &[WantedPermission]) -> Result<PermissionGap> {
    let endpoints = &session.shared.services.endpoints;
    let account = &session.grant.service_account;
    let on_project = url(&endpoints.resource_manager, &format!("/v3/{}:testIamPermissions", session.scope()), &[])?;
    let on_account = url(&endpoints.iam, &format!("/v1/projects/-/serviceAccounts/{account}:testIamPermissions"), &[])?;
    let (of_account, of_project): (Vec<_>, Vec<_>) = wanted.iter().partition(|wanted| wanted.resource == *account);
    // Of a folder Google's own description allows the test to a token of the whole scope only.
    let (tested, reach) = if session.folder().is_some() {
        ("cloudresourcemanager:folders.testIamPermissions", Reach::Full)
    } else {
        ("cloudresourcemanager:projects.testIamPermissions", Reach::Read)
    };
    let questions =
        [(tested, reach, on_project, of_project), ("iam:serviceAccounts.testIamPermissions", Reach::Full, on_account, of_account)];
    let mut gap = PermissionGap { missing: Vec::new(), known: true };
    for (operation, reach, url, wanted) in questions {
        for chunk in wanted.chunks(CHUNK) {
            let asked: Vec<&str> = chunk.iter().map(|wanted| wanted.action.as_str()).collect();
            let request = json!({"permissions": asked});
            let answer = match session.call(operation, reach, url.clone(), Call { json: Some(&request), ..Call::default() }).await {
                Ok(answer) => answer,
                Err(error) if error.class == ErrorClass::Denied => return Ok(PermissionGap { missing: Vec::new(), known: false }),
                Err(error) => return Err(error),
            };
            // Without any permission the answer is an empty object.
            let held = answer["permissions"].as_array().cloned().unwrap_or_default();
            gap.missing.extend(asked.iter().filter(|asked| !held.iter().any(|held| held == **asked)).map(|asked| (*asked).to_owned()));
        }
    }
    gap.missing.sort();
    gap.missing.dedup();
    Ok(gap)
}
