//! What Systems Manager tells of the machines that it can look into.

use aws_config::SdkConfig;
use aws_sdk_ssm::types::InstancePatchState;
use caretaker_cloud::runtime::{Listing, said};
use caretaker_cloud::{Asset, AwsType, PatchFacts, Result};

use crate::inventory::listing::{Page, Place, asset, time};

/// Machines in one page, and ids in one question: at most 50 of either.
/// Source: <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeInstancePatchStates.html>
const MACHINES_PAGE: i32 = 50;

/// The patch states of one page of machines. A machine that Systems Manager does not know, or has not scanned, has none.
pub async fn patch_states(config: &SdkConfig, place: &Place<'_>, token: Option<String>) -> Result<Page> {
    let client = aws_sdk_ssm::Client::new(config);
    let request = || client.describe_instance_information().max_results(MACHINES_PAGE).set_next_token(token.clone()).send();
    let answer = place.calls.make("ssm:DescribeInstanceInformation", request).await?;
    let ids: Vec<String> = answer.instance_information_list().iter().filter_map(|item| item.instance_id().map(str::to_owned)).collect();
    let after = said(answer.next_token());
    let mut assets = Vec::new();
    let (mut more, mut listing) = (None, Listing::of(AwsType::PatchState.operation()));
    // Without ids AWS answers with an error.
    while !ids.is_empty() {
        let request = || client.describe_instance_patch_states().set_instance_ids(Some(ids.clone())).set_next_token(more.clone()).send();
        let answer = place.calls.make(AwsType::PatchState.operation(), request).await?;
        assets.extend(answer.instance_patch_states().iter().map(|state| of(state, place)));
        more = listing.after(answer.next_token())?;
        if more.is_none() {
            break;
        }
    }
    Ok((assets, after))
}

fn of(state: &InstancePatchState, place: &Place<'_>) -> Asset {
    let count = |number: Option<i32>| u64::try_from(number.unwrap_or_default()).unwrap_or_default();
    let patches = PatchFacts {
        missing: u64::try_from(state.missing_count()).unwrap_or_default(),
        failed: u64::try_from(state.failed_count()).unwrap_or_default(),
        critical: count(state.critical_non_compliant_count()),
        pending_reboot: count(state.installed_pending_reboot_count()) > 0,
        assessed_at: time(Some(state.operation_end_time())),
    };
    Asset { patches: Some(patches), ..asset(AwsType::PatchState, state.instance_id(), place) }
}
