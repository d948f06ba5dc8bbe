//! One account's folder.

use std::collections::{BTreeMap, BTreeSet};

use caretaker_cloud::catalog::aws::partition::{self, Partition};
use caretaker_cloud::{Asset, Cloud};

use crate::digest::sha256_hex;

/// An asset that is imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its import id.
    pub id: String,
    /// Its name; empty where it has none.
    pub name: String,
    /// Its region, where the cloud has provider blocks by region; `None` of what is in none.
    pub region: Option<String>,
}

/// One account, subscription or project.
#[derive(Debug)]
pub struct Account {
    /// Which cloud it is in.
    pub cloud: Cloud,
    /// Its id.
    pub id: String,
    /// How many assets its inventory has.
    pub inventory: usize,
    pub(super) blocks: BTreeMap<String, Block>,
    /// What its own assets say of its partition on AWS.
    seen: Option<&'static Partition>,
    default: Option<&'static Partition>,
}

/// Characters of an id that a folder's name keeps.
const KEPT: usize = 48;

impl Account {
    pub(super) fn new(cloud: Cloud, id: &str, default: Option<&'static Partition>) -> Self {
        Self { cloud, id: id.to_owned(), inventory: 0, blocks: BTreeMap::new(), seen: None, default }
    }

    /// Learns the partition from an asset's region, or else from an ARN of it.
    pub(super) fn learn(&mut self, asset: &Asset) {
        if self.cloud == Cloud::Aws && self.seen.is_none() {
            let arn =
                || [Some(asset.id.as_str()), asset.facts.get("arn").map(String::as_str)].into_iter().flatten().find_map(partition::of_arn);
            self.seen = partition::of_region(&asset.region).or_else(arn);
        }
    }

    /// The import blocks by the address of the resource.
    #[must_use]
    pub fn blocks(&self) -> &BTreeMap<String, Block> {
        &self.blocks
    }

    /// Name of its folder: the cloud and the id, and where the id is no name of a file on every machine, what is left of it with a digest.
    #[must_use]
    pub fn folder(&self) -> String {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.id.chars().all(plain) && self.id.len() <= KEPT && !self.id.is_empty() {
            return format!("{}-{}", self.cloud, self.id);
        }
        let kept: String = self.id.chars().map(|c| if plain(c) { c } else { '-' }).take(KEPT).collect();
        format!("{}-{kept}-{}", self.cloud, &sha256_hex(&self.id)[..8])
    }

    /// Region of the provider block of a block: its own, or for what is in none one that the provider takes and each account of the partition has.
    #[must_use]
    pub fn region_of<'a>(&self, block: &'a Block) -> &'a str {
        block.region.as_deref().unwrap_or_else(|| self.home())
    }

    fn home(&self) -> &'static str {
        self.seen.or(self.default).map_or("us-east-1", |partition| partition.home)
    }

    /// Regions of the provider blocks that its import blocks name; none where the cloud has one for all.
    #[must_use]
    pub fn regions(&self) -> BTreeSet<&str> {
        let is_regional = self.cloud == Cloud::Aws;
        self.blocks.values().filter(|_| is_regional).map(|block| self.region_of(block)).collect()
    }
}
