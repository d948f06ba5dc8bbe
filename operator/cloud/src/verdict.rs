//! What an error means for the cell that was being read.

use crate::model::Verdict;
use crate::{CloudError, ErrorClass};

/// The verdict of a cell that an error ended after `assets` had come, its cause for a person, and the wait in seconds that the cloud asked for.
#[must_use]
pub fn verdict_of(error: &CloudError, assets: u64, region: &str) -> (Verdict, String, Option<u64>) {
    let call = &error.operation;
    match error.class {
        ErrorClass::Denied => (Verdict::Denied, format!("{error}: allow {call} in {region} (see the grant kit)"), None),
        ErrorClass::Throttled(after) => {
            (Verdict::Throttled, format!("{error}: tried again at the next reading"), after.map(|after| after.as_secs()))
        }
        ErrorClass::NotEnabled => (Verdict::Disabled, format!("{error}: the region is not enabled in this account"), None),
        ErrorClass::Unreachable if assets == 0 => (Verdict::Unreachable, format!("{error}: tried again at the next reading"), None),
        _ => (Verdict::Partial, format!("{error}: {assets} assets came before it"), None),
    }
}
