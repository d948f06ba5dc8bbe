//! One page of one cell: where it is read, what it brings, and how an asset is begun.

use std::collections::HashMap;
use std::sync::Mutex;

use aws_smithy_types::DateTime;
use caretaker_cloud::{Asset, AwsType, Cloud, CloudError};
use jiff::Timestamp;
use tokio::sync::OnceCell;

use crate::call::Calls;

/// What a page brings: assets, and the token of the next page.
pub type Page = (Vec<Asset>, Option<String>);

/// Where an index is asked, and what it does not show.
pub struct IndexPlan {
    /// Regions and their views.
    pub asked: Vec<(String, String)>,
    /// For a person; empty where nothing is missing.
    pub note: String,
    /// Why the first region that refuses could not be asked.
    pub refused: Option<CloudError>,
}

/// Where the pages of a cell are read, and how.
pub struct Place<'a> {
    pub account: &'a str,
    pub region: &'a str,
    /// All regions that are read.
    pub regions: &'a [String],
    /// Partition of AWS: `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: &'a str,
    pub calls: Calls<'a>,
    /// Names of keys by their id, which the first page asks for once.
    pub names: OnceCell<HashMap<String, String>>,
    /// Where the index is asked, which the first page finds out once.
    pub index: OnceCell<IndexPlan>,
    /// Why some of what is there was left out.
    pub left_out: Mutex<Option<CloudError>>,
}

impl Place<'_> {
    /// Some of what is there is left out for this error. The first one is told.
    pub fn leave_out(&self, error: CloudError) {
        self.left_out.lock().expect("no panic while held").get_or_insert(error);
    }
}

/// An asset without tags and facts yet.
pub fn asset(kind: AwsType, id: &str, place: &Place<'_>) -> Asset {
    Asset {
        native_type: kind.native_type().into(),
        service: kind.service().into(),
        name: id.into(),
        source: kind.operation().into(),
        seen_at: Timestamp::now(),
        ..Asset::new(Cloud::Aws, place.account, place.region, kind.asset_type(), id)
    }
}

/// AWS's time in ours.
pub fn time(time: Option<&DateTime>) -> Option<Timestamp> {
    time.and_then(|time| Timestamp::from_second(time.secs()).ok())
}

/// The same with facts; those that the cloud did not tell are left out.
pub fn with_facts<const N: usize>(mut asset: Asset, facts: [(&str, Option<String>); N]) -> Asset {
    asset.facts = facts.into_iter().filter_map(|(key, value)| value.map(|value| (key.to_owned(), value))).collect();
    asset
}
