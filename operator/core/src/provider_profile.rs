//! `ProviderProfile`: when the provider's own identity is proved, and what the answers mean.

pub mod qualifications;
pub mod signing;

use std::time::Duration;

use caretaker_api::cloud_account::Cloud;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::provider_profile::{AwsIdentityStatus, CloudIdentityStatus, ProviderProfileStatus, SigningStatus};
use caretaker_api::{CloudAccount, ProviderProfile};
use caretaker_cloud::{CloudError, ErrorClass, Identity};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use crate::conditions::{ConditionSet, Is, find};
use crate::handover::control;
use crate::outcome::{Fault, Outcome, Wait, shortest};
use crate::visit_request::is_asked;

/// The kind's own conditions.
pub const CONDITIONS: &[ConditionType] = &[
    ConditionType::SigningKeyReady,
    ConditionType::IdentityProven,
    ConditionType::ClientsReadable,
    ConditionType::ExitProvable,
    ConditionType::QualificationsCurrent,
    ConditionType::DefinitionsCurrent,
];

/// Time between two proofs of the own identity.
const PROVE_EVERY: SignedDuration = SignedDuration::from_mins(10);
/// Time between two looks.
const RESYNC: Duration = Duration::from_secs(600);
/// Wait after a failed proof.
const PAUSE: Duration = Duration::from_secs(30);

/// How a client's account tells a fault that is not the client's.
pub const READ_ELSEWHERE: &str = "a fault of the provider's, see its ProviderProfile: ";

/// What a visit did.
#[derive(Debug, Default)]
pub struct Done {
    /// The public half of the signing key, or what stands in its way.
    pub signing: Option<Result<SigningStatus, Fault>>,
    /// The answer to who we are, for each cloud that was asked.
    pub identities: Vec<(Cloud, Result<Identity, CloudError>)>,
    /// What stands in the way of asking.
    pub identity_faults: Vec<Fault>,
    /// Accounts of clients that go unread by a fault of the provider's, and why.
    pub unread: Vec<Unread>,
    /// An account of a client beside which there is none that lets the same principal in.
    pub uncontrolled: Option<String>,
    /// What the definitions in the cluster lack, or why that could not be found out.
    pub definitions: Option<Result<Option<String>, String>>,
}

/// An account of a client that goes unread by a fault of the provider's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unread {
    /// Namespace and name.
    pub account: String,
    /// The word in its condition.
    pub reason: Reason,
    /// Why.
    pub cause: String,
}

/// For whom a profile is, as the register of profiles says it to the admission policy: empty for any client, else each name between commas.
#[must_use]
pub fn served(clients: &[String]) -> String {
    if clients.is_empty() { String::new() } else { format!(",{},", clients.join(",")) }
}

/// Whether a condition of an account speaks of a fault of the provider's.
#[must_use]
pub fn is_of_provider(reason: &str, message: &str) -> bool {
    reason == Reason::CredentialsInvalid.as_str() || message.starts_with(READ_ELSEWHERE)
}

/// Clouds that the profile names.
#[must_use]
pub fn clouds(profile: &ProviderProfile) -> Vec<Cloud> {
    let named = |cloud: &Cloud| match cloud {
        Cloud::Aws => profile.spec.aws.is_some(),
        Cloud::Azure => profile.spec.azure.is_some(),
        Cloud::Gcp => profile.spec.gcp.is_some(),
    };
    Cloud::ALL.into_iter().filter(named).collect()
}

/// Whether the identities are to be proved now.
#[must_use]
pub fn proves_identity(profile: &ProviderProfile, now: Timestamp) -> bool {
    let status = profile.status.clone().unwrap_or_default();
    let asked = is_asked(&profile.metadata, status.last_handled_request.as_ref());
    let current = crate::conditions::is_true_at(&status.conditions, ConditionType::IdentityProven, profile.metadata.generation);
    let last = |cloud: Cloud| match cloud {
        Cloud::Aws => status.aws.as_ref().and_then(|aws| aws.proven_at.clone()),
        Cloud::Azure => status.azure.as_ref().and_then(|azure| azure.proven_at.clone()),
        Cloud::Gcp => status.gcp.as_ref().and_then(|gcp| gcp.proven_at.clone()),
    };
    let due = |cloud: Cloud| last(cloud).is_none_or(|last| now.duration_since(last.0) >= PROVE_EVERY);
    let clouds = clouds(profile);
    !clouds.is_empty() && (asked || !current || clouds.into_iter().any(due))
}

/// Whether an identity is the one that the profile declares, and what to correct where it is not.
fn is_declared(profile: &ProviderProfile, cloud: Cloud, identity: &Identity, is_principal: fn(&str, &str) -> bool) -> Result<(), String> {
    let (declared, field, holds) = match cloud {
        Cloud::Aws => {
            let declared = profile.spec.aws.as_ref().map(|aws| aws.principal_arn.clone()).unwrap_or_default();
            let holds = is_principal(&identity.principal, &declared);
            (declared, "spec.aws.principalArn", holds)
        }
        Cloud::Azure => {
            let declared = profile.spec.azure.as_ref().map(|azure| azure.tenant_id.clone()).unwrap_or_default();
            let holds = identity.account.eq_ignore_ascii_case(&declared);
            (format!("of tenant {declared}"), "spec.azure", holds)
        }
        Cloud::Gcp => {
            let declared = profile.spec.gcp.as_ref().map(|gcp| gcp.principal.clone()).unwrap_or_default();
            let holds = identity.principal == declared;
            (declared, "spec.gcp.principal", holds)
        }
    };
    if holds {
        return Ok(());
    }
    Err(format!("the base credentials are {}, not {declared}: correct the Secret or {field}", identity.principal))
}

fn note(status: &mut ProviderProfileStatus, cloud: Cloud, identity: &Identity, now: Timestamp) {
    let seen = CloudIdentityStatus { account: identity.account.clone(), principal: identity.principal.clone(), proven_at: Some(Time(now)) };
    match cloud {
        Cloud::Aws => {
            status.aws = Some(AwsIdentityStatus { account_id: seen.account, arn: seen.principal, proven_at: seen.proven_at });
        }
        Cloud::Azure => status.azure = Some(seen),
        Cloud::Gcp => status.gcp = Some(seen),
    }
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
    let mut faults = qualifications::faults(profile);
    qualifications::condition(profile, &mut set, now);
    match &done.signing {
        None => {}
        Some(Ok(signing)) => {
            set.set(ConditionType::SigningKeyReady, Is::True, Reason::Settled, format!("key {}", signing.key_id));
            status.signing = Some(signing::recorded(status.signing.as_ref(), signing.clone(), now));
        }
        Some(Err(fault)) => {
            set.set(ConditionType::SigningKeyReady, Is::False, fault.reason, &fault.message);
            faults.push(fault.clone());
        }
    }
    let mut waits = take_identities(profile, is_principal, done, (&mut status, &mut set), now);
    waits.extend(take_unread(&done.unread, undecided_tags(profile, &status), &mut set));
    take_control(done.uncontrolled.as_deref(), &mut set);
    take_definitions(done, &mut set);
    status.conditions = set.finish();
    (status, conclude(faults, waits))
}

/// Accounts that go unread by a fault of the provider's own, and why: those of this profile whose last visit said so.
#[must_use]
pub fn unread(profile: &str, accounts: &[CloudAccount]) -> Vec<Unread> {
    let name = |account: &CloudAccount| format!("{}/{}", account.namespace().unwrap_or_default(), account.name_any());
    let cause = |account: &CloudAccount| {
        let conditions = account.status.as_ref().map(|status| &status.conditions)?;
        [ConditionType::AccessProven, ConditionType::InventoryComplete]
            .into_iter()
            .filter_map(|kind| find(conditions, kind))
            .find(|condition| is_of_provider(&condition.reason, &condition.message))
            .map(|condition| {
                let is_key = condition.reason == Reason::CredentialsInvalid.as_str();
                let reason = if is_key { Reason::CredentialsInvalid } else { Reason::Unreachable };
                Unread { account: name(account), reason, cause: condition.message.clone() }
            })
    };
    let own = accounts.iter().filter(|account| account.spec.provider_profile == profile && account.spec.is_live());
    let mut unread: Vec<Unread> = own.filter_map(cause).collect();
    unread.sort();
    unread
}

/// What must be decided before any client is asked to let us in: the base credentials carry session tags, which go with every assumption of a role, and the
/// kits allow none. The cloud does not tell a session's tags; it tells whose session it is.
fn undecided_tags(profile: &ProviderProfile, status: &ProviderProfileStatus) -> Option<String> {
    let is_undecided = profile.spec.aws.as_ref()?.session_tags.is_none();
    (is_undecided && is_pod_identity(&status.aws.as_ref()?.arn)).then(|| {
        "the base credentials are those of EKS Pod Identity, which puts session tags on every assumption of a client's role unless they are switched off, and \
         the grant kits do not let the roles take them: either set spec.aws.sessionTags to Allow before the kits go to the clients (sts:TagSession is in them \
         then; a client with an older kit applies it again), or switch the tags off (aws eks update-pod-identity-association --disable-session-tags) and set it \
         to Absent"
            .to_owned()
    })
}

/// Whether an ARN is that of a session which EKS Pod Identity has made: its name is `eks-CLUSTER-POD-UUID`.
/// Source: <https://docs.aws.amazon.com/eks/latest/APIReference/API_auth_AssumedRoleUser.html>
fn is_pod_identity(arn: &str) -> bool {
    let session = arn.split_once(":assumed-role/").and_then(|(_, rest)| rest.split_once('/')).map(|(_, session)| session);
    let Some((_, id)) =
        session.and_then(|session| session.strip_prefix("eks-")).and_then(|name| name.split_at_checked(name.len().checked_sub(36)?))
    else {
        return false;
    };
    let parts: Vec<&str> = id.split('-').collect();
    let is_hex = |part: &&str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12]) && parts.iter().all(is_hex)
}

fn take_unread(unread: &[Unread], undecided: Option<String>, set: &mut ConditionSet) -> Option<Wait> {
    let kind = ConditionType::ClientsReadable;
    let accounts = unread.first().map(|first| {
        let cause = first.cause.trim_start_matches(READ_ELSEWHERE);
        let message =
            format!("{} account(s) go unread by a fault of the provider's, the first is {}: {cause}", unread.len(), first.account);
        (first.reason, message)
    });
    let Some((reason, message)) = undecided.map(|message| (Reason::CredentialsInvalid, message)).or(accounts) else {
        set.set(kind, Is::True, Reason::Settled, "no account goes unread by a fault of the provider's");
        return None;
    };
    set.set(kind, Is::False, reason, &message);
    Some(Wait { reason, message, after: PAUSE })
}

/// The first account whose exit could not be proved, see [`control::uncontrolled`].
#[must_use]
pub fn uncontrolled(profile: &ProviderProfile, accounts: &[CloudAccount]) -> Option<String> {
    control::uncontrolled(&profile.name_any(), profile.spec.control_client.as_deref(), accounts)
}

/// A warning: an exit goes on to the point where its proof is asked for.
fn take_control(uncontrolled: Option<&str>, set: &mut ConditionSet) {
    let kind = ConditionType::ExitProvable;
    match uncontrolled {
        None => set.set(kind, Is::True, Reason::Settled, "every account has another one beside it that lets the same principal in"),
        Some(first) => {
            let message = format!(
                "nothing but {first} is known to let our principal in on its cloud, so that a refusal after an exit would prove nothing: onboard an account of \
                 your own as a ManagedClient, and name that in spec.controlClient"
            );
            set.set(kind, Is::False, Reason::ControlMissing, message);
        }
    }
}

/// A warning: the operator works on with what the definitions take.
fn take_definitions(done: &Done, set: &mut ConditionSet) {
    let kind = ConditionType::DefinitionsCurrent;
    match &done.definitions {
        None => {}
        Some(Ok(None)) => set.set(kind, Is::True, Reason::Settled, "the definitions in the cluster hold every field of this release"),
        Some(Ok(Some(lacks))) => set.set(kind, Is::False, Reason::SchemaOutdated, lacks),
        Some(Err(error)) => set.set(kind, Is::Unknown, Reason::Unreachable, error),
    }
}

/// One condition for all clouds: the worst answer stands in it.
fn take_identities(
    profile: &ProviderProfile,
    is_principal: fn(&str, &str) -> bool,
    done: &Done,
    (status, set): (&mut ProviderProfileStatus, &mut ConditionSet),
    now: Timestamp,
) -> Vec<Wait> {
    let kind = ConditionType::IdentityProven;
    if clouds(profile).is_empty() {
        set.set(kind, Is::True, Reason::NotRequested, "no cloud is named");
        return Vec::new();
    }
    let mut bad: Vec<(Is, Reason, String)> = Vec::new();
    let mut good = Vec::new();
    bad.extend(done.identity_faults.iter().map(|fault| (Is::False, fault.reason, fault.message.clone())));
    for (cloud, answer) in &done.identities {
        match answer {
            Ok(identity) => match is_declared(profile, *cloud, identity, is_principal) {
                Ok(()) => {
                    note(status, *cloud, identity, now);
                    good.push(identity.principal.clone());
                }
                Err(message) => bad.push((Is::False, Reason::CredentialsInvalid, message)),
            },
            Err(error) => {
                let (is, reason) = match error.class {
                    ErrorClass::Credentials | ErrorClass::Denied => (Is::False, Reason::CredentialsInvalid),
                    _ => (Is::Unknown, Reason::Unreachable),
                };
                bad.push((is, reason, error.to_string()));
            }
        }
    }
    let message = bad.iter().map(|(_, _, message)| message.as_str()).collect::<Vec<_>>().join("; ");
    match bad.iter().find(|(is, _, _)| *is == Is::False).or(bad.first()) {
        Some((is, reason, _)) => set.set(kind, *is, *reason, &message),
        None if good.is_empty() => {}
        None => set.set(kind, Is::True, Reason::Proven, format!("the base credentials are {}", good.join(", "))),
    }
    bad.into_iter().map(|(_, reason, message)| Wait { reason, message, after: PAUSE }).collect()
}

fn conclude(faults: Vec<Fault>, waits: Vec<Wait>) -> Outcome {
    if !faults.is_empty() {
        return Outcome::Refused(faults);
    }
    shortest(waits).map_or(Outcome::Settled(RESYNC), Outcome::Waiting)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cloud_account::{self, Observed};

    fn account(name: &str, profile: &str) -> CloudAccount {
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": name, "namespace": "client-acme", "generation": 1},
            "spec": {"providerProfile": profile, "gcp": {"projectId": "acme-prod"}},
        }))
        .unwrap()
    }

    /// The base credentials of EKS Pod Identity carry session tags, which no kit allows by itself.
    #[test]
    fn session_tags_must_be_decided_on_before_any_client_is_asked() {
        let uuid = "32ac0eb9-1c2d-4e5f-8a9b-0c1d2e3f4a5b";
        let told = |session: &str, tags: Option<&str>| {
            let mut aws = json!({"principalArn": "arn:aws:iam::111111111111:role/caretaker"});
            if let Some(tags) = tags {
                aws["sessionTags"] = json!(tags);
            }
            let profile: ProviderProfile = serde_json::from_value(json!({
                "apiVersion": "caretaker.dev/v1alpha1", "kind": "ProviderProfile", "metadata": {"name": "default", "generation": 1},
                "spec": {"displayName": "Care", "contacts": [], "aws": aws},
            }))
            .unwrap();
            let principal = format!("arn:aws:sts::111111111111:assumed-role/caretaker/{session}");
            let done =
                Done { identities: vec![(Cloud::Aws, Ok(Identity { account: "111111111111".into(), principal }))], ..Done::default() };
            let (status, outcome) = status(&profile, caretaker_cloud::is_principal, &done, "2026-11-26T10:00:00Z".parse().unwrap());
            assert_eq!(find(&status.conditions, ConditionType::IdentityProven).unwrap().status, "True");
            let told = find(&status.conditions, ConditionType::ClientsReadable).unwrap().clone();
            assert_eq!(told.status == "False", matches!(&outcome, Outcome::Waiting(_)), "{outcome:?}");
            told
        };
        let pod = format!("eks-prod-caretaker-0-{uuid}");
        for (why, session, tags, expected) in [
            ("nobody has decided", pod.as_str(), None, "False"),
            ("the kits allow them", &pod, Some("Allow"), "True"),
            ("they are switched off", &pod, Some("Absent"), "True"),
            ("a role of an instance", "i-0123456789abcdef0", None, "True"),
            ("a name that only begins so", "eks-admin", None, "True"),
            ("no id", &format!("eks-prod-caretaker-0-{}", uuid.replace('3', "z")), None, "True"),
        ] {
            let condition = told(session, tags);
            assert_eq!(condition.status, expected, "{why}: {}", condition.message);
            let names = condition.message.contains("sessionTags to Allow") && condition.message.contains("--disable-session-tags");
            assert_eq!(names, expected == "False", "{why}: {}", condition.message);
        }
    }

    #[test]
    fn what_is_off_in_the_provider_s_project_is_one_fault_of_its_profile_and_asks_no_client_to_act() {
        let now: Timestamp = "2026-11-26T10:00:00Z".parse().unwrap();
        let read = |error: Option<CloudError>| {
            let mut account = account("prod", "default");
            let done = cloud_account::Done { principal: "us".into(), inventory: error.map(Err), ..cloud_account::Done::default() };
            account.status = Some(cloud_account::status(&account, &Observed::default(), &[], &done, now).0);
            account
        };
        let off = || CloudError::new(ErrorClass::Credentials, "cloudasset:search", "is off in provider-quota: gcloud services enable");
        let hindered = read(Some(off()));
        let conditions = &hindered.status.as_ref().unwrap().conditions;
        let told = find(conditions, ConditionType::InventoryComplete).unwrap();
        assert!(told.reason == "CredentialsInvalid" && told.message.starts_with(READ_ELSEWHERE), "{}", told.message);

        let of_another = CloudAccount { spec: account("prod", "another").spec, ..hindered.clone() };
        let mut closed = hindered.clone();
        closed.spec.member = Some(serde_json::from_value(json!({"parent": "org", "state": "Closed"})).unwrap());
        // T8: a request that could not be built with this account's own words.
        let mistyped = read(Some(CloudError::new(ErrorClass::Invalid, "ec2:DescribeInstances", "region: must be a valid host label")));
        let unreachable = read(Some(CloudError::new(ErrorClass::Unreachable, "cloudasset:search", "no route")));
        let unread = unread("default", &[read(None), mistyped, unreachable, of_another, closed, hindered]);
        assert_eq!(unread.len(), 1, "{unread:?}");
        let profile: ProviderProfile = serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ProviderProfile", "metadata": {"name": "default", "generation": 1},
            "spec": {"displayName": "Care", "contacts": []},
        }))
        .unwrap();
        let told = |unread: &[Unread]| {
            let done = Done { unread: unread.to_vec(), ..Done::default() };
            let (status, outcome) = status(&profile, |_, _| true, &done, now);
            (find(&status.conditions, ConditionType::ClientsReadable).unwrap().clone(), outcome)
        };
        let (condition, outcome) = told(&unread);
        assert!(condition.status == "False" && matches!(outcome, Outcome::Waiting(_)), "{condition:?}");
        for part in ["1 account(s)", "client-acme/prod", "gcloud services enable"] {
            assert!(condition.message.contains(part), "{}", condition.message);
        }
        assert_eq!(told(&[]).0.status, "True");

        // A proxy of ours that is dead: one fault here, in its own word.
        let dead = read(Some(CloudError::at_own_proxy("sts:AssumeRole", "the proxy http://p:1 takes no connection")));
        let unread = super::unread("default", &[dead]);
        let (condition, _) = told(&unread);
        assert_eq!((condition.status.as_str(), condition.reason.as_str()), ("False", "Unreachable"), "{condition:?}");
        assert!(condition.message.contains("client-acme/prod") && condition.message.contains("http://p:1"), "{}", condition.message);
    }
}
