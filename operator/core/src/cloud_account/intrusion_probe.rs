//! Attempts to get in without and with a wrong credential, which must be refused: when they are made, and what the answers mean.

use caretaker_api::CloudAccount;
use caretaker_api::cloud_account::{AccessStatus, Cloud, CloudAccountStatus};
use caretaker_api::condition::{ConditionType, Conditions, Reason};
use caretaker_cloud::{CloudError, Identity};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::conditions::{ConditionSet, Is, find};
use crate::jitter::jittered;

/// Time between two rounds of attempts that were refused: each leaves failed events in the client's audit log.
pub const REFUSALS_EVERY: SignedDuration = SignedDuration::from_hours(24 * 7);
/// Shortest time between two rounds: while they have not ended well, and on request.
pub const REFUSALS_AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// Whether the attempts that must be refused are due. They are made only where the right one was let in just before: a door that is not there refuses
/// everybody, which proves nothing.
#[must_use]
pub fn refusals_due(access: &AccessStatus, conditions: &Conditions, (principal, uid, asked): (&str, &str, bool), now: Timestamp) -> bool {
    let Some(tried) = &access.refusals_tried_at else { return true };
    let since = |time: &Time| now.duration_since(time.0);
    if access.principal != principal {
        return true;
    }
    let ended_well = find(conditions, ConditionType::ConfusedDeputyProtected).is_some_and(|condition| Is::of(condition) == Is::True);
    let rested = since(tried) >= REFUSALS_AGAIN;
    if ended_well {
        asked && rested
            || access.refusals_proven_at.as_ref().is_none_or(|proven| since(proven) >= jittered(REFUSALS_EVERY, uid, "refusals"))
    } else {
        asked || rested
    }
}

/// What an attempt that must be refused came to.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// It was.
    Refused,
    /// It was let in.
    LetIn,
    /// It cannot be told.
    Unknown(String),
}

impl Refusal {
    /// From the answer of an attempt.
    #[must_use]
    pub fn from_answer(answer: &Result<Identity, CloudError>) -> Self {
        match answer {
            Ok(_) => Self::LetIn,
            Err(error) if error.is_refusal() => Self::Refused,
            Err(error) => Self::Unknown(error.to_string()),
        }
    }
}

/// The answers to the attempts that must be refused.
pub fn take_refusals(
    account: &CloudAccount,
    status: &mut CloudAccountStatus,
    set: &mut ConditionSet,
    refusals: &[Refusal],
    (generation, now): (Option<i64>, Timestamp),
) {
    let kind = ConditionType::ConfusedDeputyProtected;
    if refusals.is_empty() {
        keep_or_wait(status, set, (kind, generation), |access| access.refusals_tried_at.is_some());
        return;
    }
    let access = status.access.get_or_insert_default();
    access.refusals_tried_at = Some(Time(now));
    if refusals.iter().any(|refusal| matches!(refusal, Refusal::LetIn)) {
        set.set(kind, Is::False, Reason::NotRefused, cure(account.spec.target.cloud()));
    } else if let Some(Refusal::Unknown(message)) = refusals.iter().find(|refusal| matches!(refusal, Refusal::Unknown(_))) {
        set.set(kind, Is::Unknown, Reason::Unreachable, message);
        return;
    } else {
        set.set(kind, Is::True, Reason::Proven, "callers without and with a wrong credential or ExternalId were refused");
    }
    access.refusals_proven_at = Some(Time(now));
}

/// Where nothing was tried now: what was found out of the same principal in an earlier generation holds for this one, and without that it is still to come.
pub(crate) fn keep_or_wait(
    status: &CloudAccountStatus,
    set: &mut ConditionSet,
    (kind, generation): (ConditionType, Option<i64>),
    is_known: impl Fn(&AccessStatus) -> bool,
) {
    match status.access.as_ref().filter(|access| access.generation == generation) {
        None => {}
        Some(access) if is_known(access) => set.keep(kind),
        Some(_) => set.set(kind, Is::Unknown, Reason::Pending, "tried once the right way in works"),
    }
}

/// What it means that a caller was let in who must not be, and what ends it.
const fn cure(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Aws => {
            "the role lets in a caller without the right ExternalId: anybody who may assume roles as the provider could be tricked into it; \
             the client must add the ExternalId condition of the grant kit to the role's trust policy"
        }
        Cloud::Azure => {
            "Azure answered a caller without a token or with a wrong one, which no delegation allows: look for a proxy on our way to Azure that \
             adds a token of its own, and where there is none, tell Microsoft"
        }
        Cloud::Gcp => {
            "the service account lets in a caller that is not the provider: the client must take every member but the provider's principal from \
             the role roles/iam.serviceAccountTokenCreator on it and above it, first of all allUsers and allAuthenticatedUsers"
        }
    }
}

#[cfg(test)]
mod tests {
    use caretaker_cloud::ErrorClass;
    use serde_json::json;

    use super::*;
    use crate::cloud_account::{self, Done, Observed};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn account() -> CloudAccount {
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "CloudAccount", "metadata": {"name": "prod", "generation": 1, "uid": "u"},
            "spec": {"aws": {"accountId": "111122223333", "externalId": "abc123"}},
        }))
        .unwrap()
    }

    fn denied() -> CloudError {
        CloudError::new(ErrorClass::Denied, "sts:AssumeRole", "no")
    }

    fn said(status: &CloudAccountStatus, kind: ConditionType) -> (String, String, String) {
        let condition = find(&status.conditions, kind).unwrap();
        (condition.status.clone(), condition.reason.clone(), condition.message.clone())
    }

    fn provider() -> caretaker_api::provider_profile::ProviderProfileSpec {
        serde_json::from_value(json!({
            "displayName": "Care", "contacts": [], "aws": {"principalArn": "arn:aws:iam::999999999999:user/caretaker"},
        }))
        .unwrap()
    }

    #[test]
    fn refusals_are_tried_seldom_and_only_beside_a_right_way_in() {
        let now = at("2026-11-26T10:00:00Z");
        let ago = |hours: i64| Some(Time(now.checked_sub(SignedDuration::from_hours(hours)).unwrap()));
        let mut set = ConditionSet::new(&[], &[], 1, now);
        let due = |access: &AccessStatus, conditions: &Conditions, asked: bool| refusals_due(access, conditions, ("role", "", asked), now);
        let tried = |tried_at: Option<Time>, proven_at: Option<Time>| AccessStatus {
            principal: "role".into(),
            refusals_tried_at: tried_at,
            refusals_proven_at: proven_at,
            ..AccessStatus::default()
        };
        assert!(due(&AccessStatus::default(), &Vec::new(), false), "never tried");
        set.set(ConditionType::ConfusedDeputyProtected, Is::True, Reason::Proven, "");
        let well = set.clone().finish();
        assert!(!due(&tried(ago(100), ago(100)), &well, false), "not within a week");
        assert!(!due(&tried(ago(0), ago(0)), &well, true), "not at each request");
        assert!(due(&tried(ago(1), ago(1)), &well, true), "a person may ask once an hour");
        assert!(due(&tried(ago(169), ago(169)), &well, false), "after a week");
        assert!(due(&AccessStatus { principal: "other".into(), ..tried(ago(0), ago(0)) }, &well, false), "another door");
        set.set(ConditionType::ConfusedDeputyProtected, Is::False, Reason::NotRefused, "");
        let hole = set.finish();
        assert!(!due(&tried(ago(0), ago(0)), &hole, false), "a hole is not tried at each visit");
        assert!(due(&tried(ago(1), ago(0)), &hole, false) && due(&tried(ago(0), ago(0)), &hole, true), "but after an hour, and on request");
        let observed = Observed { provider: Some(provider()), ..Observed::default() };
        let mut account = account();
        let plan = cloud_account::plan(&account, &observed, now);
        assert!(plan.prove && plan.prove_refusals && plan.register);
        let done = Done { principal: "role".into(), proof: Some(Err(denied())), ..Done::default() };
        let (status, _) = cloud_account::status(&account, &observed, &[], &done, now);
        assert_eq!(said(&status, ConditionType::ConfusedDeputyProtected).0, "Unknown", "a door that is not there proves nothing");
        account.status = Some(status);
    }

    #[test]
    fn who_is_let_in_wrongly_is_kept_out_in_the_cloud_s_own_way() {
        for (target, cure) in [
            (json!({"aws": {"accountId": "111122223333", "externalId": "abc123"}}), "trust policy"),
            (json!({"azure": {"subscriptionId": "aaaaaaaa-0000-4000-8000-000000000001"}}), "proxy"),
            (json!({"gcp": {"projectId": "acme-prod"}}), "allAuthenticatedUsers"),
        ] {
            let mut account = account();
            account.spec.target = serde_json::from_value(target).unwrap();
            let done = Done { principal: "us".into(), refusals: vec![Refusal::Refused, Refusal::LetIn], ..Done::default() };
            let (status, _) = cloud_account::status(&account, &Observed::default(), &[], &done, at("2026-11-26T10:00:00Z"));
            let (is, reason, message) = said(&status, ConditionType::ConfusedDeputyProtected);
            assert_eq!((is.as_str(), reason.as_str()), ("False", "NotRefused"));
            let is_aws = account.spec.target.cloud() == Cloud::Aws;
            assert!(message.contains(cure) && message.contains("ExternalId") == is_aws, "{message}");
        }
    }
}
