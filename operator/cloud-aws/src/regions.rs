//! Which regions to read: those of the scope, else those that the account says are enabled. Never a list of our own.

use aws_sdk_account::types::RegionOptStatus;
use caretaker_cloud::{CloudError, ErrorClass, Result, Scope};

use crate::errors::classify;
use crate::session::Link;

/// The regions of a run.
pub async fn regions(link: &Link, scope: &Scope) -> Result<Vec<String>> {
    if let Some(regions) = &scope.regions {
        return Ok(regions.clone());
    }
    let first = match from_account(link).await {
        Ok(regions) => return Ok(regions),
        Err(error) => error,
    };
    match from_ec2(link).await {
        Ok(regions) => Ok(regions),
        Err(second) => {
            let class = if second.class == ErrorClass::Denied { first.class } else { second.class };
            let message = format!(
                "cannot tell which regions are enabled ({first}; {second}): allow account:ListRegions or ec2:DescribeRegions, or name the regions in spec.accounts[].aws.regions"
            );
            Err(CloudError::new(class, "account:ListRegions", message))
        }
    }
}

async fn from_account(link: &Link) -> Result<Vec<String>> {
    let client = aws_sdk_account::Client::new(&link.config(None).await);
    let mut found = Vec::new();
    let mut token = None;
    loop {
        link.shared.place(&link.grant.account_id, "global").await;
        let page = client
            .list_regions()
            .region_opt_status_contains(RegionOptStatus::Enabled)
            .region_opt_status_contains(RegionOptStatus::EnabledByDefault)
            .max_results(50)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| classify("account:ListRegions", &error))?;
        found.extend(page.regions().iter().filter_map(|region| region.region_name().map(str::to_owned)));
        token = page.next_token().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    if found.is_empty() {
        return Err(CloudError::new(ErrorClass::Unreachable, "account:ListRegions", "the answer names no region"));
    }
    found.sort();
    Ok(found)
}

async fn from_ec2(link: &Link) -> Result<Vec<String>> {
    let mut found = crate::ec2::enabled_regions(&link.config(None).await).await?;
    found.sort();
    Ok(found)
}
