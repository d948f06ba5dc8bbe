//! Whether an asset is still there, asked of its own service: Cloud Asset is an index, which may lag behind or leave something out.

use caretaker_cloud::catalog::gcp::SERVICES;
use caretaker_cloud::{Asset, CloudError, ErrorClass, Presence, Result};

use crate::call::http::{Call, url};
use crate::session::{Reach, Session};

/// Service and path of an asset, for a project that it must be in: by its id or, as some services name it, by its number. A name that no shape of the catalog
/// fits is never asked for.
fn place(name: &str, project: &[String]) -> Option<(&'static str, String)> {
    let service = SERVICES.iter().find(|service| name.starts_with(service.names))?;
    let rest = &name[service.names.len()..];
    let inside = if service.is_in_project {
        let (of, inside) = rest.split_once('/')?;
        project.iter().any(|known| known == of).then_some(inside)?
    } else {
        rest
    };
    let is_served = is_plain(inside) && service.things.iter().flat_map(|thing| thing.shapes).any(|shape| fits(inside, shape));
    is_served.then(|| (service.name, format!("{}{}", service.path, encoded(rest))))
}

/// Whether every segment stays one.
fn is_plain(path: &str) -> bool {
    path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

/// Whether a path is that of one thing of a shape.
fn fits(path: &str, shape: &str) -> bool {
    let (parts, wanted): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), shape.split('/').collect());
    parts.len() == wanted.len() && parts.iter().zip(wanted).all(|(part, wanted)| wanted == "*" || *part == wanted)
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
    let Some((service, path)) = place(&asset.id, &session.parties.client) else { return Ok(Presence::Unknown) };
    let base = session.shared.services.endpoints.service(service);
    let call = Call { pays_itself: true, ..Call::default() };
    // Compute takes no token of the read-only scope.
    match session.call(&format!("{service}:get"), Reach::Full, url(&base, &path, &[])?, call).await {
        Ok(_) => Ok(Presence::Present),
        Err(CloudError { class: ErrorClass::NotFound, .. }) => Ok(Presence::Gone),
        // The service does not serve such an address: no answer to what was asked.
        Err(CloudError { class: ErrorClass::Invalid, .. }) => Ok(Presence::Unknown),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(name: &str) -> Option<String> {
        place(name, &["client".into(), "42".into()]).map(|(service, path)| format!("{service} {path}"))
    }

    #[test]
    fn a_name_leads_to_its_own_service_and_project_only() {
        let of = |name: &str| format!("//{name}");
        for (name, path) in [
            ("compute.googleapis.com/projects/client/zones/z/instances/vm-1", "compute /compute/v1/projects/client/zones/z/instances/vm-1"),
            ("compute.googleapis.com/projects/client/global/networks/n", "compute /compute/v1/projects/client/global/networks/n"),
            ("compute.googleapis.com/projects/client/regions/r/disks/d", "compute /compute/v1/projects/client/regions/r/disks/d"),
            ("storage.googleapis.com/a-bucket", "storage /storage/v1/b/a-bucket"),
            ("storage.googleapis.com/a b?c", "storage /storage/v1/b/a%20b%3Fc"),
            ("cloudsql.googleapis.com/projects/client/instances/db", "sqladmin /v1/projects/client/instances/db"),
            ("container.googleapis.com/projects/client/zones/z/clusters/c", "container /v1/projects/client/zones/z/clusters/c"),
            ("bigtable.googleapis.com/projects/client/instances/b", "bigtableadmin /v2/projects/client/instances/b"),
            ("firestore.googleapis.com/projects/client/databases/(default)", "firestore /v1/projects/client/databases/%28default%29"),
            ("secretmanager.googleapis.com/projects/42/secrets/s", "secretmanager /v1/projects/42/secrets/s"),
            ("logging.googleapis.com/projects/client/sinks/s", "logging /v2/projects/client/sinks/s"),
        ] {
            assert_eq!(at(&of(name)).as_deref(), Some(path));
        }
        for other in [
            "compute.googleapis.com/projects/client-two/zones/z/instances/vm-1",
            "compute.googleapis.com/projects/other/zones/z/instances/vm-1",
            "compute.googleapis.com/projects/client/../other/x",
            "quantum.googleapis.com/projects/client/things/one",
            "storage.googleapis.com/",
            "storage.googleapis.com/a-bucket/o/an-object",
            "compute.googleapis.com/projects/client",
            "compute.googleapis.com/projects/client/zones/z/machines/vm-1",
            "compute.googleapis.com/projects/client/zones/z/instances",
            "compute.googleapis.com/projects/client/zones/z/instances/vm-1/disks/one",
            "compute.googleapis.com/projects/client/global/instances/vm-1",
            "container.googleapis.com/projects/client/locations/l/clusters/c/k8s/namespaces/n",
            "run.googleapis.com/projects/client/locations/l/revisions/r",
            "secretmanager.googleapis.com/projects/43/secrets/s",
        ] {
            assert_eq!(at(&of(other)), None, "{other}");
        }
    }

    #[test]
    fn a_folders_kit_has_every_service_on_that_is_asked() {
        let mut asked: Vec<String> = SERVICES.iter().map(|service| service.api()).collect();
        let mut on = caretaker_core::kit::parents::TELLING.to_vec();
        asked.sort();
        on.sort_unstable();
        assert_eq!(asked, on);
    }
}
