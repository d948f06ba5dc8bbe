//! Whether a resource is still there, asked of its own provider: Resource Graph is an index, which may lag behind or leave something out.

use std::collections::HashMap;

use caretaker_cloud::{Asset, CloudError, ErrorClass, Presence, Result};
use serde_json::Value;

use crate::call::{Call, segment};
use crate::session::Session;

/// What the question for a provider's versions is named.
const PROVIDERS: &str = "Microsoft.Resources/subscriptions/providers/read";
/// Version of the providers API.
const PROVIDERS_VERSION: &str = "2021-04-01";

/// The parts of a resource's id: type with the provider in it, and path.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    kind: String,
    path: String,
}

impl Place {
    /// Reads an id in lower case, such as `/subscriptions/…/resourcegroups/prod/providers/microsoft.compute/disks/data`.
    fn of(id: &str) -> Option<Self> {
        let (before, after) = id.rsplit_once("/providers/")?;
        let mut parts = after.split('/');
        let provider = parts.next().filter(|provider| !provider.is_empty())?;
        let rest: Vec<&str> = parts.collect();
        let pairs = rest.chunks_exact(2);
        if rest.is_empty() || !pairs.remainder().is_empty() {
            return None;
        }
        let kinds: Vec<&str> = pairs.map(|pair| pair[0]).collect();
        let kind = format!("{provider}/{}", kinds.join("/"));
        let path = format!("{before}/providers/{after}").split('/').map(segment).collect::<Vec<_>>().join("/");
        Some(Self { kind, path })
    }
}

/// The newest version of each type that is no preview, as a page of the list of providers has them.
fn versions(page: &Value) -> HashMap<String, String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let version = |kind: &Value| -> Option<String> {
        let mut all: Vec<&str> = kind["apiVersions"].as_array()?.iter().filter_map(Value::as_str).collect();
        // Dates: the text's order is that of time.
        all.sort_unstable();
        let stable = all.iter().rev().find(|version| version.len() == PROVIDERS_VERSION.len());
        stable.or(all.last()).map(|version| (*version).to_owned())
    };
    let of = |provider: &Value| -> Vec<(String, String)> {
        let namespace = provider["namespace"].as_str().unwrap_or_default().to_lowercase();
        let named = |kind: &Value| Some((format!("{namespace}/{}", kind["resourceType"].as_str()?.to_lowercase()), version(kind)?));
        list(&provider["resourceTypes"]).iter().filter_map(named).collect()
    };
    list(&page["value"]).iter().flat_map(of).collect()
}

/// Asks the resource's provider. A subscription that cannot be seen any more says nothing about what is in it.
pub async fn exists(session: &Session, asset: &Asset) -> Result<Presence> {
    let Some(place) = Place::of(&asset.id) else { return Ok(Presence::Unknown) };
    let Some(version) = version(session, &place).await? else { return Ok(Presence::Unknown) };
    let call = Call::get("*/read", format!("{}?api-version={version}", place.path));
    match session.call(&call).await {
        Ok(_) => Ok(Presence::Present),
        Err(CloudError { class: ErrorClass::NotFound, code, .. }) if is_gone(&code) => Ok(Presence::Gone),
        // Gone, or no access: Azure tells them apart to nobody.
        Err(error) if error.code.eq_ignore_ascii_case("SubscriptionNotFound") => Err(error),
        // The type or its version is not served: no answer to what was asked.
        Err(CloudError { class: ErrorClass::NotFound | ErrorClass::Invalid, .. }) => Ok(Presence::Unknown),
        Err(error) => Err(error),
    }
}

/// Whether a 404 speaks of the resource, and not of a type or a version that is not served.
fn is_gone(code: &str) -> bool {
    ["ResourceNotFound", "ResourceGroupNotFound", "ParentResourceNotFound", "NotFound"].iter().any(|gone| code.eq_ignore_ascii_case(gone))
}

async fn version(session: &Session, place: &Place) -> Result<Option<String>> {
    let mut known = session.versions.lock().await;
    let found = match &mut *known {
        Some(found) => found,
        none => match all_versions(session).await {
            Ok(found) => none.insert(found),
            Err(error) => return Err(error),
        },
    };
    Ok(found.get(&place.kind).cloned())
}

async fn all_versions(session: &Session) -> Result<HashMap<String, String>> {
    let path = format!("/subscriptions/{}/providers?api-version={PROVIDERS_VERSION}", session.subscription());
    let mut found = HashMap::new();
    let take = |page: &Value| {
        found.extend(versions(page));
        Ok(())
    };
    session.each_page(Call::get(PROVIDERS, path), take).await?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_id_says_provider_and_type() {
        let id = "/subscriptions/s/resourcegroups/prod (1)/providers/microsoft.sql/servers/a/databases/b";
        let place = Place::of(id).unwrap();
        assert_eq!(place.kind, "microsoft.sql/servers/databases");
        assert!(place.path.contains("/prod%20%281%29/") && place.path.starts_with("/subscriptions/"), "{}", place.path);
        for bad in ["/subscriptions/s", "/subscriptions/s/providers/", "/subscriptions/s/providers/a", "/subscriptions/s/providers/a/b"] {
            assert_eq!(Place::of(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_newest_version_that_is_no_preview_is_taken() {
        let page = json!({"value": [{"namespace": "Microsoft.Compute", "resourceTypes": [
            {"resourceType": "virtualMachines", "apiVersions": ["2020-12-01", "2021-03-01", "2022-01-01-preview"]},
            {"resourceType": "new", "apiVersions": ["2022-01-01-preview"]},
            {"resourceType": "none", "apiVersions": []},
        ]}]});
        let found = versions(&page);
        let of = |kind: &str| found.get(&format!("microsoft.compute/{kind}")).map(String::as_str);
        assert_eq!((of("virtualmachines"), of("new"), of("none")), (Some("2021-03-01"), Some("2022-01-01-preview"), None));
    }
}
