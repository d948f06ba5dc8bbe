//! Which regions to read: those of the scope, else those that the account says are enabled. Never a list of our own.

use aws_sdk_account::types::RegionOptStatus;
use caretaker_cloud::budget::Work;
use caretaker_cloud::runtime::Listing;
use caretaker_cloud::{CloudError, ErrorClass, Result, Scope};

use crate::call::{Calls, GLOBAL};
use crate::session::Session;

const FROM_ACCOUNT: &str = "account:ListRegions";
const FROM_EC2: &str = "ec2:DescribeRegions";

/// The regions of a run.
pub async fn regions(session: &Session, scope: &Scope, work: &Work) -> Result<Vec<String>> {
    if let Some(regions) = &scope.regions {
        return Ok(regions.clone());
    }
    let calls = session.calls(work, GLOBAL);
    let first = match from_account(session, &calls).await {
        Ok(regions) => return Ok(regions),
        Err(error) => error,
    };
    match from_ec2(session, &calls).await {
        Ok(regions) => Ok(regions),
        Err(second) => {
            let class = if second.class == ErrorClass::Denied { first.class } else { second.class };
            let message = format!(
                "cannot tell which regions are enabled ({first}; {second}): allow account:ListRegions or ec2:DescribeRegions, or name the regions in spec.accounts[].aws.regions"
            );
            Err(CloudError::new(class, FROM_ACCOUNT, message))
        }
    }
}

async fn from_account(session: &Session, calls: &Calls<'_>) -> Result<Vec<String>> {
    let client = aws_sdk_account::Client::new(&session.config(None));
    let mut found = Vec::new();
    let (mut token, mut listing) = (None::<String>, Listing::of(FROM_ACCOUNT));
    loop {
        let request = || {
            client
                .list_regions()
                .region_opt_status_contains(RegionOptStatus::Enabled)
                .region_opt_status_contains(RegionOptStatus::EnabledByDefault)
                .max_results(50)
                .set_next_token(token.clone())
                .send()
        };
        let page = calls.make(FROM_ACCOUNT, request).await?;
        found.extend(page.regions().iter().filter_map(|region| region.region_name().map(str::to_owned)));
        token = listing.after(page.next_token())?;
        if token.is_none() {
            break;
        }
    }
    sorted(FROM_ACCOUNT, found)
}

async fn from_ec2(session: &Session, calls: &Calls<'_>) -> Result<Vec<String>> {
    sorted(FROM_EC2, crate::services::ec2::enabled_regions(&session.config(None), calls).await?)
}

/// No account is without a region: after an empty answer everything in every region would be missing.
fn sorted(operation: &str, mut regions: Vec<String>) -> Result<Vec<String>> {
    if regions.is_empty() {
        return Err(CloudError::new(ErrorClass::Unreachable, operation, "the answer names no region"));
    }
    regions.sort();
    Ok(regions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_region_at_all_is_no_answer() {
        assert_eq!(sorted(FROM_EC2, Vec::new()).unwrap_err().class, ErrorClass::Unreachable);
        assert_eq!(sorted(FROM_EC2, vec!["b".into(), "a".into()]).unwrap(), ["a", "b"]);
    }
}
