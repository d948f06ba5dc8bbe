//! What an error means for the cell that was being read. Pure.

use caretaker_cloud::{CloudError, EVERYWHERE, ErrorClass, Verdict, verdict_of};

/// The verdict, its cause for a person, and the wait in seconds that the cloud asked for.
#[must_use]
pub fn verdict(error: &CloudError, assets: u64, (project, service_account): (&str, &str)) -> (Verdict, String, Option<u64>) {
    match error.class {
        ErrorClass::Denied | ErrorClass::NotFound => {
            let cause = format!("{error}: let {service_account} search the assets of project {project} (see the grant kit)");
            (Verdict::Denied, cause, None)
        }
        // The error names the command that enables it.
        ErrorClass::NotEnabled => (Verdict::Disabled, error.to_string(), None),
        ErrorClass::Unreachable => (Verdict::Unreachable, format!("{error}: tried again at the next reading; {assets} assets came"), None),
        _ => verdict_of(error, assets, EVERYWHERE),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_class_has_its_verdict() {
        let cases = [
            (ErrorClass::Denied, Verdict::Denied, None),
            (ErrorClass::NotEnabled, Verdict::Disabled, None),
            (ErrorClass::Throttled(Some(Duration::from_secs(5))), Verdict::Throttled, Some(5)),
            (ErrorClass::Unreachable, Verdict::Unreachable, None),
            (ErrorClass::Conflict, Verdict::Partial, None),
        ];
        for (class, expected, wait) in cases {
            let (verdict, cause, after) = verdict(&CloudError::new(class, "call", "said"), 7, ("p", "sa@p"));
            assert_eq!((verdict, after), (expected, wait), "{class:?}");
            assert!(cause.contains("said") && !cause.contains("region"), "{cause}");
        }
    }
}
