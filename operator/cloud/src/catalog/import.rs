//! What an asset is in Terraform and OpenTofu: its resource type there, and the id by which that type is imported.
//!
//! The form of each id is that of the section "Import" on the page of the resource type, [`documented_at`].

use crate::asset::{Asset, AssetType, Cloud};
use crate::catalog::{aws, azure, gcp};

/// What an asset is imported as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Type of the resource, such as `aws_instance`.
    pub resource: &'static str,
    /// Its import id, in the spelling that the provider takes.
    pub id: String,
}

/// Why an asset cannot be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoImport {
    /// No row knows a resource type for it.
    NoType,
    /// A row knows one, and something that its id needs is not known, or is not as it must be: what, for a person.
    Lacks(&'static str),
    /// Nobody could manage it by an import, and nothing is missing: why, for a person.
    Needless(&'static str),
}

/// What an asset is imported as.
///
/// # Errors
/// It cannot be imported, and why.
pub fn import(asset: &Asset) -> Result<Import, NoImport> {
    if asset.asset_type == AssetType::PatchState {
        return Err(NoImport::Needless("it is what is known of a machine's patches, and no thing of its own"));
    }
    match asset.cloud {
        Cloud::Aws => aws::import::import(asset),
        Cloud::Azure => azure::import::import(asset),
        Cloud::Gcp => gcp::import::import(asset),
    }
}

/// The page that says how a resource type is imported.
#[must_use]
pub fn documented_at(resource: &str) -> Option<String> {
    let (provider, page) = resource.split_once('_')?;
    Some(format!("https://registry.terraform.io/providers/hashicorp/{provider}/latest/docs/resources/{page}#import"))
}

/// Every resource type that an asset may be imported as.
#[must_use]
pub fn resources() -> Vec<&'static str> {
    let mut all: Vec<_> = aws::import::resources().chain(azure::import::resources()).chain(gcp::import::resources()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_patches_is_no_thing_of_its_own() {
        let state = |cloud| Asset::new(cloud, "1", "eu-west-1", AssetType::PatchState, "i-1");
        assert!(Cloud::ALL.into_iter().all(|cloud| matches!(import(&state(cloud)), Err(NoImport::Needless(_)))));
    }

    #[test]
    fn every_resource_is_one_of_the_three_providers_and_has_a_page() {
        let all = resources();
        assert!(all.len() > 80, "{}", all.len());
        for resource in all {
            assert!(["aws_", "azurerm_", "google_"].iter().any(|provider| resource.starts_with(provider)), "{resource}");
            assert!(resource.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'), "{resource}");
            assert!(documented_at(resource).is_some(), "{resource}");
        }
        let page = "https://registry.terraform.io/providers/hashicorp/azurerm/latest/docs/resources/virtual_network#import";
        assert_eq!(documented_at("azurerm_virtual_network").as_deref(), Some(page));
    }
}
