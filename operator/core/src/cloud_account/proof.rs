//! What the answer to the right way in means, and how long a visit waits after an answer that was none.

use std::time::Duration;

use caretaker_api::cloud_account::CloudAccountStatus;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_cloud::{CloudError, ErrorClass, Identity};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::access_status::carry;
use super::budget::LONGEST_WAIT;
use super::{Done, GRANT_PAUSE, RETRY_PAUSE};
use crate::conditions::{ConditionSet, Is};
use crate::outcome::Wait;
use crate::provider_profile::READ_ELSEWHERE;

/// Takes the answer to the fresh attempt of the right way in.
pub(super) fn take_proof(
    status: &mut CloudAccountStatus,
    set: &mut ConditionSet,
    (proof, done): (&Result<Identity, CloudError>, &Done),
    (generation, now): (Option<i64>, Timestamp),
    waits: &mut Vec<Wait>,
) {
    let mut access = carry(status.access.take().unwrap_or_default(), generation, &done.principal);
    access.generation = generation;
    access.principal.clone_from(&done.principal);
    match proof {
        Ok(identity) => {
            access.identity = Some(identity.principal.clone());
            access.proven_at = Some(Time(now));
            set.set(
                ConditionType::AccessProven,
                Is::True,
                Reason::Proven,
                format!("{} leads into account {}", done.principal, identity.account),
            );
        }
        Err(error) => {
            let (is, reason, message) = meaning(error, &done.principal);
            access.identity = None;
            if is == Is::False {
                access.proven_at = None;
            }
            set.set(ConditionType::AccessProven, is, reason, &message);
            waits.push(Wait { reason, message, after: pause(status, error, now) });
        }
    }
    status.access = Some(access);
}

/// What a failed assumption means. An unreachable cloud says nothing about the access: what was proven stays Unknown, not False.
pub(super) fn meaning(error: &CloudError, principal: &str) -> (Is, Reason, String) {
    match error.class {
        _ if error.is_at_own_proxy() => (Is::Unknown, Reason::Unreachable, format!("{READ_ELSEWHERE}{error}")),
        ErrorClass::Denied | ErrorClass::DeniedOrGone => {
            // No cloud tells the one from the other. An error of the second class says so in its own words.
            let doubt = if error.class == ErrorClass::DeniedOrGone { "" } else { ", no access or gone" };
            let message = format!("{principal} does not lead in{doubt} ({error}): send the client the grant kit and let them apply it");
            (Is::False, Reason::WaitingForGrant, message)
        }
        ErrorClass::WrongAccount => (Is::False, Reason::WrongAccount, format!("{error}: correct the account in the spec, or the way in")),
        ErrorClass::Credentials => (
            Is::Unknown,
            Reason::CredentialsInvalid,
            format!("the provider's own credentials do not work ({error}): see its ProviderProfile"),
        ),
        ErrorClass::Throttled(_) => (Is::Unknown, Reason::Throttled, error.to_string()),
        // Of this account alone: a request with its names could not be built, or was not taken.
        ErrorClass::Invalid => {
            (Is::Unknown, Reason::InvalidSpec, format!("{error}: see whether regions and names of the account in the spec are right"))
        }
        _ => (Is::Unknown, Reason::Unreachable, error.to_string()),
    }
}

/// How long to wait, noted in the status where the cloud asked for it.
pub(super) fn pause(status: &mut CloudAccountStatus, error: &CloudError, now: Timestamp) -> Duration {
    match error.class {
        ErrorClass::Throttled(after) => {
            let after = after.unwrap_or(RETRY_PAUSE).min(LONGEST_WAIT);
            let until = now.saturating_add(SignedDuration::try_from(after).unwrap_or(SignedDuration::from_mins(1))).unwrap_or(now);
            status.throttled_until = Some(Time(until));
            after
        }
        ErrorClass::Denied | ErrorClass::DeniedOrGone | ErrorClass::WrongAccount => GRANT_PAUSE,
        _ => RETRY_PAUSE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(class: ErrorClass) -> CloudError {
        CloudError::new(class, "sts:AssumeRole", "said so")
    }

    #[test]
    fn each_class_of_error_has_its_meaning_and_its_wait() {
        let minute = Duration::from_secs(60);
        let half = Duration::from_secs(30);
        for (why, class, is, reason, says, wait) in [
            ("a refusal", ErrorClass::Denied, Is::False, Reason::WaitingForGrant, "does not lead in, no access or gone (", half),
            ("a refusal that doubts itself", ErrorClass::DeniedOrGone, Is::False, Reason::WaitingForGrant, "does not lead in (sts", half),
            ("another account", ErrorClass::WrongAccount, Is::False, Reason::WrongAccount, "correct the account", half),
            ("our own credentials", ErrorClass::Credentials, Is::Unknown, Reason::CredentialsInvalid, "see its ProviderProfile", minute),
            ("no answer", ErrorClass::Unreachable, Is::Unknown, Reason::Unreachable, "said so", minute),
            ("names that no request takes", ErrorClass::Invalid, Is::Unknown, Reason::InvalidSpec, "regions and names", minute),
            ("a wait without a time", ErrorClass::Throttled(None), Is::Unknown, Reason::Throttled, "said so", minute),
            (
                "a wait",
                ErrorClass::Throttled(Some(Duration::from_secs(7))),
                Is::Unknown,
                Reason::Throttled,
                "said so",
                Duration::from_secs(7),
            ),
        ] {
            let (found, word, message) = meaning(&error(class), "us");
            assert_eq!((found, word), (is, reason), "{why}");
            assert!(message.contains(says), "{why}: {message}");
            assert_eq!(pause(&mut CloudAccountStatus::default(), &error(class), Timestamp::UNIX_EPOCH), wait, "{why}");
        }
    }

    #[test]
    fn a_proxy_of_ours_is_no_client_s_matter() {
        let error = CloudError::at_own_proxy("sts:AssumeRole", "the proxy http://p:1 takes no connection");
        let (is, reason, message) = meaning(&error, "us");
        assert_eq!((is, reason), (Is::Unknown, Reason::Unreachable));
        assert!(message.starts_with(READ_ELSEWHERE) && message.contains("http://p:1"), "{message}");
    }

    #[test]
    fn only_a_wait_that_the_cloud_asked_for_is_noted_and_none_is_longer_than_a_day() {
        let mut status = CloudAccountStatus::default();
        pause(&mut status, &error(ErrorClass::Unreachable), Timestamp::UNIX_EPOCH);
        assert_eq!(status.throttled_until, None);
        let year = Duration::from_secs(365 * 24 * 3600);
        assert_eq!(pause(&mut status, &error(ErrorClass::Throttled(Some(year))), Timestamp::UNIX_EPOCH), LONGEST_WAIT);
        assert_eq!(status.throttled_until.unwrap().0.as_second(), 24 * 3600);
    }
}
