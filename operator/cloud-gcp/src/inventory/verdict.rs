//! What an error means for the cell that was being read. Pure.

use caretaker_cloud::{CellKey, CloudError, ErrorClass, Verdict, verdict_of, verdict_with};

/// The verdict, its cause for a person, and the wait in seconds that the cloud asked for.
#[must_use]
pub fn verdict(error: &CloudError, key: &CellKey, assets: u64, service_account: &str) -> (Verdict, String, Option<u64>) {
    match error.class {
        // Google answers 404 and 403 alike to who has no access.
        ErrorClass::Denied | ErrorClass::NotFound => {
            let cure = format!("Let {service_account} search the assets of project {} (see the grant kit)", key.account);
            let error = CloudError { class: ErrorClass::Denied, ..error.clone() };
            verdict_with(&error, key, assets, Some(cure))
        }
        ErrorClass::NotEnabled => verdict_with(error, key, assets, Some("Run that command, or leave the service out of the scope".into())),
        _ => verdict_of(error, key, assets),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_class_has_its_verdict() {
        let key = CellKey { account: "p".into(), region: "all".into(), service: "cloud-asset/compute".into() };
        let cases = [
            (ErrorClass::Denied, Verdict::Denied, None),
            (ErrorClass::NotFound, Verdict::Denied, None),
            (ErrorClass::NotEnabled, Verdict::Disabled, None),
            (ErrorClass::Throttled(Some(Duration::from_secs(5))), Verdict::Throttled, Some(5)),
            (ErrorClass::Unreachable, Verdict::Partial, None),
            (ErrorClass::Conflict, Verdict::Partial, None),
        ];
        for (class, expected, wait) in cases {
            let (verdict, cause, after) = verdict(&CloudError::new(class, "call", "said"), &key, 7, "sa@p");
            assert_eq!((verdict, after), (expected, wait), "{class:?}");
            assert!(cause.contains("said") && cause.contains("p all cloud-asset/compute"), "{cause}");
        }
    }
}
