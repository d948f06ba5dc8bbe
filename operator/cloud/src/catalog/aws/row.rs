//! What a row of the catalog says of a type on AWS.

use crate::asset::{Asset, AssetType};
use crate::manifest::action::Action;

/// All that is known of a type.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The type in the words of all clouds.
    pub asset_type: AssetType,
    /// Service and part of its cells.
    pub service: &'static str,
    /// AWS's own name of the type: that of CloudFormation, where it has one.
    pub native_type: &'static str,
    /// What a person calls several of them.
    pub plural: &'static str,
    /// The permission for the call that shows it.
    pub operation: &'static str,
    /// What one answer speaks for.
    pub reach: Reach,
    /// Every permission that reading it needs, with the reason for the client's reader.
    pub permissions: &'static [Action],
    /// How Resource Explorer shows it.
    pub indexed: Indexed,
    /// Where its tags are read.
    pub tags: Tags,
    /// Its resource type in Terraform and OpenTofu, which an asset is imported to under its own id.
    pub terraform: Option<&'static str>,
}

/// What one answer speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// One region.
    Region,
    /// All regions of the account.
    Account,
    /// All regions of the account, from an index that AWS keeps of the services, and not their own lists: what it lacks may be there all the same.
    Index,
}

/// How Resource Explorer shows what a service's own list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indexed {
    /// By this word, which nothing else has.
    As(&'static str),
    /// By words that begin so, which others have as well; its ARNs hold one of these parts.
    Among(&'static str, &'static [&'static str]),
    /// Not at all: it is no resource, or the index is where it is read.
    Nowhere,
}

/// Where the tags of a type are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tags {
    /// The list of the type shows them.
    Listed,
    /// The list shows none: Resource Groups Tagging is asked for them, by the ARN.
    Asked(ArnOf),
    /// They are not read.
    Unread,
}

/// How the ARN of an asset is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArnOf {
    /// It is the asset's id.
    Id,
    /// It is the asset's fact `arn`.
    Fact,
    /// It is made from the asset: `{partition}`, `{region}`, `{account}` and `{id}` stand for its own.
    Parts(&'static str),
}

impl ArnOf {
    /// The ARN of an asset, where it has one.
    #[must_use]
    pub fn of(self, asset: &Asset, partition: &str) -> Option<String> {
        match self {
            Self::Id => Some(asset.id.clone()).filter(|id| !id.is_empty()),
            Self::Fact => asset.facts.get("arn").cloned(),
            Self::Parts(parts) => {
                let arn = parts.replace("{partition}", partition).replace("{region}", &asset.region).replace("{account}", &asset.account);
                Some(arn.replace("{id}", &asset.id))
            }
        }
    }
}
