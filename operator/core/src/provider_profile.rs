//! `ProviderProfile`: when the provider's own identity is proved, and what the answers mean.

use std::time::Duration;

use caretaker_api::ProviderProfile;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::provider_profile::{AwsIdentityStatus, ProviderProfileStatus, SigningStatus};
use caretaker_cloud::{CloudError, ErrorClass, Identity};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::conditions::{ConditionSet, Is};
use crate::outcome::{Fault, Outcome, Wait, shortest};
use crate::request::is_asked;

/// The kind's own conditions.
pub const CONDITIONS: &[ConditionType] = &[ConditionType::SigningKeyReady, ConditionType::IdentityProven];

/// Time between two proofs of the own identity.
const PROVE_EVERY: SignedDuration = SignedDuration::from_mins(10);
/// Time between two looks.
const RESYNC: Duration = Duration::from_secs(600);
/// Wait after a failed proof.
const PAUSE: Duration = Duration::from_secs(30);

/// What a visit did.
#[derive(Debug, Default)]
pub struct Done {
    /// The public half of the signing key, or what stands in its way.
    pub signing: Option<Result<SigningStatus, Fault>>,
    /// The answer to who we are on AWS.
    pub identity: Option<Result<Identity, CloudError>>,
    /// What stands in the way of asking.
    pub identity_fault: Option<Fault>,
}

/// Whether the identity is to be proved now.
#[must_use]
pub fn proves_identity(profile: &ProviderProfile, now: Timestamp) -> bool {
    let status = profile.status.clone().unwrap_or_default();
    let asked = is_asked(&profile.metadata, status.last_handled_request.as_ref());
    let current = crate::conditions::is_true_at(&status.conditions, ConditionType::IdentityProven, profile.metadata.generation);
    let last = status.aws.and_then(|aws| aws.proven_at);
    profile.spec.aws.is_some() && (asked || !current || last.is_none_or(|last| now.duration_since(last.0) >= PROVE_EVERY))
}

/// The new status and what the visit came to.
#[must_use]
pub fn status(
    profile: &ProviderProfile,
    is_principal: fn(&str, &str) -> bool,
    done: &Done,
    now: Timestamp,
) -> (ProviderProfileStatus, Outcome) {
    let mut status = profile.status.clone().unwrap_or_default();
    let mut set = ConditionSet::new(&status.conditions, CONDITIONS, profile.metadata.generation.unwrap_or_default(), now);
    let mut waits = Vec::new();
    let mut faults = Vec::new();
    match &done.signing {
        None => {}
        Some(Ok(signing)) => {
            set.set(ConditionType::SigningKeyReady, Is::True, Reason::Settled, format!("key {}", signing.key_id));
            status.signing = Some(signing.clone());
        }
        Some(Err(fault)) => {
            set.set(ConditionType::SigningKeyReady, Is::False, fault.reason, &fault.message);
            faults.push(fault.clone());
        }
    }
    let Some(aws) = &profile.spec.aws else {
        set.set(ConditionType::IdentityProven, Is::True, Reason::NotRequested, "no cloud is named");
        status.conditions = set.finish();
        return (status, conclude(faults, waits));
    };
    if let Some(fault) = &done.identity_fault {
        set.set(ConditionType::IdentityProven, Is::False, fault.reason, &fault.message);
        waits.push(Wait { reason: fault.reason, message: fault.message.clone(), after: PAUSE });
    }
    match &done.identity {
        None => {}
        Some(Ok(identity)) if is_principal(&identity.principal, &aws.principal_arn) => {
            set.set(ConditionType::IdentityProven, Is::True, Reason::Proven, format!("the base credentials are {}", identity.principal));
            status.aws = Some(AwsIdentityStatus {
                account_id: identity.account.clone(),
                arn: identity.principal.clone(),
                proven_at: Some(Time(now)),
            });
        }
        Some(Ok(identity)) => {
            let message = format!(
                "the base credentials are {}, not {}: correct the Secret or spec.aws.principalArn",
                identity.principal, aws.principal_arn
            );
            set.set(ConditionType::IdentityProven, Is::False, Reason::CredentialsInvalid, &message);
            waits.push(Wait { reason: Reason::CredentialsInvalid, message, after: PAUSE });
        }
        Some(Err(error)) => {
            let (is, reason) = match error.class {
                ErrorClass::Credentials | ErrorClass::Denied => (Is::False, Reason::CredentialsInvalid),
                _ => (Is::Unknown, Reason::Unreachable),
            };
            set.set(ConditionType::IdentityProven, is, reason, error.to_string());
            waits.push(Wait { reason, message: error.to_string(), after: PAUSE });
        }
    }
    status.conditions = set.finish();
    (status, conclude(faults, waits))
}

fn conclude(faults: Vec<Fault>, waits: Vec<Wait>) -> Outcome {
    if !faults.is_empty() {
        return Outcome::Refused(faults);
    }
    shortest(waits).map_or(Outcome::Settled(RESYNC), Outcome::Waiting)
}
