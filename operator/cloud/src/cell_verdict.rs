//! What an error means for the cell that was being read.

use crate::model::{CellKey, EVERYWHERE, Verdict};
use crate::{CloudError, ErrorClass};

/// The verdict of a cell that an error ended after `assets` had come, its cause for a person, and the wait in seconds that the cloud asked for. The cause
/// names account, region (`all` where the cell spans them), service, what happened, and what to do.
#[must_use]
pub fn verdict_of(error: &CloudError, key: &CellKey, assets: u64) -> (Verdict, String, Option<u64>) {
    verdict_with(error, key, assets, None)
}

/// The same with a cure that the adapter knows better.
#[must_use]
pub fn verdict_with(error: &CloudError, key: &CellKey, assets: u64, cure: Option<String>) -> (Verdict, String, Option<u64>) {
    let (verdict, usual) = verdict_and_cure(error, key, assets);
    let cure = cure.unwrap_or(usual);
    let came = if assets == 0 { String::new() } else { format!(" ({assets} assets came before it)") };
    let CellKey { account, region, service } = key;
    // Clouds end their messages with a full stop, or without.
    let said = error.to_string();
    let cause = format!("{account} {region} {service}: {}{came}. {cure}", said.trim_end_matches('.'));
    let wait = match error.class {
        ErrorClass::Throttled(after) => after.map(|after| after.as_secs()),
        _ => None,
    };
    (verdict, cause, wait)
}

fn verdict_and_cure(error: &CloudError, key: &CellKey, assets: u64) -> (Verdict, String) {
    let (call, region) = (&error.operation, &key.region);
    match error.class {
        ErrorClass::Denied | ErrorClass::DeniedOrGone => (Verdict::Denied, format!("Allow {call} in {region} (see the grant kit)")),
        ErrorClass::Throttled(_) => (Verdict::Throttled, "Nothing to do: it is read again at the next reading".into()),
        ErrorClass::NotEnabled if region == EVERYWHERE => (Verdict::Disabled, "Enable the service in this account".into()),
        ErrorClass::NotEnabled => {
            (Verdict::Disabled, format!("Enable {region} for the service in this account, or leave the region out of the spec"))
        }
        ErrorClass::Unreachable => {
            // What came is kept, and the rest is not known: that is more than nothing.
            let verdict = if assets == 0 { Verdict::Unreachable } else { Verdict::Partial };
            (verdict, format!("It is read again at the next reading; where it lasts, check the way to {region} and the cloud's own status"))
        }
        ErrorClass::Expired => (Verdict::Partial, "A fresh session is refused as well: check the clock of the operator's node".into()),
        ErrorClass::Credentials => (Verdict::Partial, "See the conditions of the ProviderProfile".into()),
        ErrorClass::WrongAccount => (Verdict::Partial, "See the condition AccessProven of the account".into()),
        ErrorClass::Quota => (Verdict::Partial, "Raise the account's quota".into()),
        _ => (Verdict::Partial, "It is read again at the next reading; where it lasts, report it with this message".into()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_class_has_its_verdict_and_a_cause_with_a_cure() {
        let key = CellKey { account: "111122223333".into(), region: "eu-west-1".into(), service: "ec2/instances".into() };
        let wait = Duration::from_secs(17);
        for (class, assets, verdict, retry) in [
            (ErrorClass::Denied, 0, Verdict::Denied, None),
            (ErrorClass::Denied, 9, Verdict::Denied, None),
            (ErrorClass::DeniedOrGone, 0, Verdict::Denied, None),
            (ErrorClass::Throttled(Some(wait)), 9, Verdict::Throttled, Some(17)),
            (ErrorClass::Throttled(None), 0, Verdict::Throttled, None),
            (ErrorClass::NotEnabled, 0, Verdict::Disabled, None),
            (ErrorClass::Unreachable, 0, Verdict::Unreachable, None),
            (ErrorClass::Unreachable, 9, Verdict::Partial, None),
            (ErrorClass::Conflict, 0, Verdict::Partial, None),
            (ErrorClass::Expired, 0, Verdict::Partial, None),
        ] {
            let error = CloudError::new(class, "ec2:DescribeInstances", "said so.");
            let (found, cause, after) = verdict_of(&error, &key, assets);
            assert_eq!((found, after), (verdict, retry), "{class:?}");
            for part in ["111122223333", "eu-west-1", "ec2/instances", "ec2:DescribeInstances", "said so"] {
                assert!(cause.contains(part), "{class:?} lacks {part}: {cause}");
            }
            assert!(cause.rsplit(". ").next().is_some_and(|cure| cure.split(' ').count() > 3) && !cause.contains(".."), "{cause}");
        }
        let own = verdict_with(&CloudError::new(ErrorClass::Denied, "call", "no"), &key, 0, Some("Ask the Owner".into()));
        assert!(own.1.ends_with("no. Ask the Owner"), "{}", own.1);
    }
}
