//! The projects of a folder, those of the folders in it included.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use caretaker_cloud::budget::Work;
use caretaker_cloud::runtime::Listing;
use caretaker_cloud::{CloudError, ErrorClass, GcpFolderGrant, GcpGrant, Identity, Member, MemberState, Presented, Purpose, Result};
use serde_json::Value;

use crate::call::http::{Call, url};
use crate::entry;
use crate::session::shared::Shared;
use crate::session::{Reach, Session, generate_as_base, parties};

const GET_FOLDER: &str = "cloudresourcemanager:folders.get";
const LIST_FOLDERS: &str = "cloudresourcemanager:folders.list";
const LIST_PROJECTS: &str = "cloudresourcemanager:projects.list";
/// Rows in one page.
const PAGE: &str = "200";
/// Folders after which the tree is taken for an endless one.
const MAX_FOLDERS: usize = 1_000;

/// The service account that leads in, with the project that holds it.
pub fn way(grant: &GcpFolderGrant) -> Result<GcpGrant> {
    // It becomes part of a path.
    if grant.folder_id.is_empty() || !grant.folder_id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(CloudError::new(ErrorClass::Invalid, "connect", format!("{:?} is not the number of a folder", grant.folder_id)));
    }
    Ok(GcpGrant { client: grant.client.clone(), project_id: grant.project_id.clone(), service_account: grant.service_account.clone() })
}

/// Gets in and proves that the folder can be read, before any other call.
pub async fn open(shared: Arc<Shared>, grant: &GcpFolderGrant, purpose: Purpose) -> Result<Session> {
    let way = way(grant)?;
    let held = generate_as_base(&shared, &way, Reach::Read).await?;
    let path = format!("/v3/folders/{}", grant.folder_id);
    let parties = parties(&shared, &way, None);
    let call = Call { token: Some(&held.token), quota_project: shared.services.quota_project.as_deref(), ..Call::default() };
    let url = url(&shared.services.endpoints.resource_manager, &path, &[])?;
    let (work, budget) = (Work::once(&way.client), shared.services.budget(&shared.services.paying(&way), GET_FOLDER));
    let answer = shared.services.call(&work, &budget, (GET_FOLDER, url, call), &parties).await.map_err(|error| no_access(error, grant))?;
    let named = answer["name"].as_str().unwrap_or_default().trim_start_matches("folders/");
    if named != grant.folder_id {
        let message = format!("the answer shows folder {named}, not {}", grant.folder_id);
        return Err(CloudError::new(ErrorClass::WrongAccount, GET_FOLDER, message));
    }
    let identity = Identity { account: grant.folder_id.clone(), principal: grant.service_account.clone() };
    Ok(Session::of_folder(shared, (way, parties), purpose, (identity, held)))
}

/// Google answers 404 and 403 alike to who has no access: neither says that a thing is gone.
fn no_access(mut error: CloudError, grant: &GcpFolderGrant) -> CloudError {
    if matches!(error.class, ErrorClass::Denied | ErrorClass::NotFound) {
        error.class = ErrorClass::Denied;
        error.message = format!("{}: no access to folder {} by {}, or gone", error.message, grant.folder_id, grant.service_account);
    }
    error
}

/// Tries to get in.
pub async fn attempt(shared: &Arc<Shared>, grant: &GcpFolderGrant, presented: Presented) -> Result<Identity> {
    if presented == Presented::Right {
        return Ok(open(shared.clone(), grant, Purpose::Members).await?.who().clone());
    }
    // A token of the service account is the way in, whatever it leads to.
    entry::attempt(shared, &way(grant)?, presented).await
}

/// All projects of the folder. One folder that cannot be read makes the whole list one from which nothing can be concluded.
pub async fn list(session: &Session, folder: &str) -> Result<Vec<Member>> {
    let (mut members, mut seen) = (Vec::new(), BTreeSet::from([format!("folders/{folder}")]));
    let mut left: VecDeque<String> = seen.iter().cloned().collect();
    while let Some(parent) = left.pop_front() {
        for project in rows(session, (LIST_PROJECTS, "projects"), &parent).await? {
            members.push(member(&project)?);
        }
        for child in rows(session, (LIST_FOLDERS, "folders"), &parent).await? {
            let name = child["name"].as_str().unwrap_or_default().to_owned();
            if seen.len() >= MAX_FOLDERS {
                return Err(CloudError::new(ErrorClass::Conflict, LIST_FOLDERS, format!("more than {MAX_FOLDERS} folders")));
            }
            if seen.insert(name.clone()) {
                left.push_back(name);
            }
        }
    }
    Ok(members)
}

fn member(project: &Value) -> Result<Member> {
    let text = |name: &str| project[name].as_str().unwrap_or_default().to_owned();
    let id = text("projectId");
    if id.is_empty() {
        return Err(CloudError::new(ErrorClass::Unreachable, LIST_PROJECTS, "the answer holds a project without an id"));
    }
    let state = match project["state"].as_str() {
        Some("DELETE_REQUESTED") => MemberState::Closed,
        _ => MemberState::Active,
    };
    Ok(Member { id, name: text("displayName"), state })
}

/// All rows of one list.
async fn rows(session: &Session, (operation, field): (&str, &str), parent: &str) -> Result<Vec<Value>> {
    let (mut listing, mut token, mut rows) = (Listing::of(operation), None::<String>, Vec::new());
    loop {
        let mut query = vec![("parent", parent), ("pageSize", PAGE)];
        // A project that is being shut down is still listed then, and known to be so; a folder that is holds none.
        if field == "projects" {
            query.push(("showDeleted", "true"));
        }
        query.extend(token.as_deref().map(|token| ("pageToken", token)));
        let address = url(&session.shared.services.endpoints.resource_manager, &format!("/v3/{field}"), &query)?;
        let mut answer = session.call(operation, Reach::Read, address, Call::default()).await?;
        if let Some(Value::Array(found)) = answer.get_mut(field).map(Value::take) {
            rows.extend(found);
        }
        token = listing.after(answer["nextPageToken"].as_str())?;
        if token.is_none() {
            return Ok(rows);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_names_a_folder() {
        let grant = |folder: &str| GcpFolderGrant {
            client: "acme".into(),
            folder_id: folder.into(),
            project_id: "p".into(),
            service_account: "s".into(),
        };
        assert!(way(&grant("123")).is_ok());
        for folder in ["", "12/3", "folders", "1?x"] {
            assert_eq!(way(&grant(folder)).unwrap_err().class, ErrorClass::Invalid, "{folder:?}");
        }
    }
}
