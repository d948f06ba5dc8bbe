//! The kinds that are watched.

use caretaker_core::ownership::{Kind, OWNED, OwnedKind};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Client, ResourceExt};

/// A kind to watch.
pub(super) struct Watched {
    /// Its name.
    pub kind: &'static str,
    /// Where the API server has it.
    pub resource: ApiResource,
    /// Whether only objects that carry our label are watched.
    pub labelled: bool,
    /// Whether its definition may be missing.
    pub optional: bool,
}

impl Watched {
    /// Whether an object is kept: our kinds are; of others what one of ours has made, which says so by its owner reference.
    pub fn keeps(&self, object: &DynamicObject) -> bool {
        let group = format!("{}/", caretaker_api::GROUP);
        !self.labelled || object.owner_references().iter().any(|reference| reference.api_version.starts_with(&group))
    }
}

/// Everything that is watched: our kinds whole, others by label.
pub(super) fn watched_kinds() -> Vec<Watched> {
    let ours = Kind::ALL.iter().map(|kind| Watched {
        kind: kind.as_str(),
        resource: resource(caretaker_api::GROUP, caretaker_api::VERSION, kind.as_str(), kind.plural()),
        labelled: false,
        optional: false,
    });
    let others = OWNED.iter().filter(|owned| owned.group != caretaker_api::GROUP && owned.only_names.is_empty()).map(|owned| Watched {
        kind: owned.kind,
        resource: api_resource(owned),
        labelled: true,
        optional: owned.optional,
    });
    ours.chain(others).collect()
}

fn resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

/// The API resource of an owned kind.
#[must_use]
pub fn api_resource(owned: &OwnedKind) -> ApiResource {
    resource(owned.group, owned.version, owned.kind, owned.plural)
}

/// Whether the cluster has a definition; `None` where it did not say.
pub(super) async fn is_served(client: &Client, resource: &ApiResource) -> Option<bool> {
    match client.list_api_group_resources(&resource.api_version).await {
        Ok(list) => Some(list.resources.iter().any(|served| served.name == resource.plural)),
        Err(kube::Error::Api(status)) if status.code == 404 => Some(false),
        Err(_) => None,
    }
}
