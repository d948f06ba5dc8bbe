//! Whether an asset is still there, asked of its own service: Cloud Asset is an index, which may lag behind or leave something out.

use caretaker_cloud::{Asset, CloudError, ErrorClass, Presence, Result};

use crate::http::{Call, url};
use crate::session::{Reach, Session};

/// What the call is named in errors.
const READ: &str = "the service's own get";

/// How the name of an asset becomes the address of the thing itself: what the name begins with, the service that serves it, and the beginning of the path.
/// A type that is not here cannot be asked for, and is never taken for gone.
const SERVED: [(&str, &str, &str); 9] = [
    ("//compute.googleapis.com/projects/", "compute", "/compute/v1/projects/"),
    ("//storage.googleapis.com/", "storage", "/storage/v1/b/"),
    ("//container.googleapis.com/projects/", "container", "/v1/projects/"),
    ("//cloudkms.googleapis.com/projects/", "cloudkms", "/v1/projects/"),
    ("//iam.googleapis.com/projects/", "iam", "/v1/projects/"),
    ("//run.googleapis.com/projects/", "run", "/v2/projects/"),
    ("//cloudfunctions.googleapis.com/projects/", "cloudfunctions", "/v2/projects/"),
    ("//cloudsql.googleapis.com/projects/", "sqladmin", "/v1/projects/"),
    ("//pubsub.googleapis.com/projects/", "pubsub", "/v1/projects/"),
];

/// Service and path of an asset, for a project that it must be in.
fn place(name: &str, project: &str) -> Option<(&'static str, String)> {
    let (begin, service, path) = SERVED.iter().find(|(begin, ..)| name.starts_with(begin))?;
    let rest = &name[begin.len()..];
    let is_inside = !begin.ends_with("/projects/") || rest.strip_prefix(project).is_some_and(|rest| rest.starts_with('/'));
    let is_plain = !rest.is_empty() && rest.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    (is_inside && is_plain).then(|| (*service, format!("{path}{}", encoded(rest))))
}

/// A path whose segments stay what they are.
fn encoded(path: &str) -> String {
    path.bytes().fold(String::new(), |mut text, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' | b'@' | b':' => text.push(char::from(byte)),
            byte => text.push_str(&format!("%{byte:02X}")),
        }
        text
    })
}

/// Asks the asset's service. Who may not read it learns nothing: Google answers alike for what is not there.
pub async fn exists(session: &Session, asset: &Asset) -> Result<Presence> {
    let Some((service, path)) = place(&asset.id, &session.grant.project_id) else { return Ok(Presence::Unknown) };
    let base = session.shared.services.endpoints.service(service);
    // Compute takes no token of the read-only scope.
    match session.call(READ, Reach::Full, url(&base, &path, &[])?, Call::default()).await {
        Ok(_) => Ok(Presence::Present),
        Err(CloudError { class: ErrorClass::NotFound, .. }) => Ok(Presence::Gone),
        Err(CloudError { class: ErrorClass::Denied | ErrorClass::NotEnabled | ErrorClass::Invalid, .. }) => Ok(Presence::Unknown),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_its_own_service_and_project_only() {
        let at = |name: &str| place(name, "client").map(|(service, path)| format!("{service} {path}"));
        let machine = at("//compute.googleapis.com/projects/client/zones/europe-west1-b/instances/vm-1");
        assert_eq!(machine.as_deref(), Some("compute /compute/v1/projects/client/zones/europe-west1-b/instances/vm-1"));
        assert_eq!(at("//storage.googleapis.com/a-bucket").as_deref(), Some("storage /storage/v1/b/a-bucket"));
        assert_eq!(
            at("//cloudsql.googleapis.com/projects/client/instances/db").as_deref(),
            Some("sqladmin /v1/projects/client/instances/db")
        );
        for other in [
            "//compute.googleapis.com/projects/client-two/zones/z/instances/vm-1",
            "//compute.googleapis.com/projects/other/zones/z/instances/vm-1",
            "//compute.googleapis.com/projects/client/../other/x",
            "//quantum.googleapis.com/projects/client/things/one",
            "//storage.googleapis.com/",
        ] {
            assert_eq!(at(other), None, "{other}");
        }
        assert_eq!(at("//storage.googleapis.com/a b?c").as_deref(), Some("storage /storage/v1/b/a%20b%3Fc"));
    }
}
