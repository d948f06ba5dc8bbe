//! Labels of what the operator makes. Which kinds it makes is in [`crate::kinds`].

use std::collections::BTreeMap;

use caretaker_api::names;

pub use crate::kinds::{Kind, Kinds, OwnedKind};

/// Labels of an object that `owner_kind/owner_name` makes for `client`.
#[must_use]
pub fn labels(client: &str, owner_kind: Kind, owner_name: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        (names::MANAGED_BY.into(), names::MANAGER.into()),
        (names::CLIENT_LABEL.into(), client.into()),
        (names::OWNER_KIND_LABEL.into(), owner_kind.label()),
        (names::OWNER_NAME_LABEL.into(), owner_name.into()),
    ])
}
