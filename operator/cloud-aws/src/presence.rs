//! Whether an asset is still there. Most lists are the services' own, and what they lack is gone; the rest is from an index.

use caretaker_cloud::{Asset, AwsType, Presence};

use crate::services::resource_explorer::types::passes;

/// Whether the cells of a service are read from an index.
pub fn is_of_an_index(service: &str) -> bool {
    AwsType::of_service(service).is_some_and(AwsType::is_of_an_index)
}

/// Whether an asset is there that a complete cell lacks. An asset that only the index shows is unknown, since no way to ask its service is known; one of a type
/// that passes is no longer listed from the index, and counts as gone.
pub fn exists(asset: &Asset) -> Presence {
    if is_of_an_index(&asset.service) && !passes(&asset.native_type, &asset.id) { Presence::Unknown } else { Presence::Gone }
}
