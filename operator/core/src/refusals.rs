//! Attempts to get in that must be refused: when they are made, by whom, and what the answers mean.

use caretaker_api::cloud_account::{AccessStatus, Cloud, CloudAccountStatus};
use caretaker_api::condition::{ConditionType, Conditions, Reason};
use caretaker_api::{CloudAccount, ProviderProfile};
use caretaker_cloud::{CloudError, Identity};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use crate::conditions::{ConditionSet, Is, find, is_true_at};
use crate::digest::sha256_hex;
use crate::period::jittered;

/// Time between two rounds of attempts that were refused: each leaves failed events in the client's audit log.
const REFUSALS_EVERY: SignedDuration = SignedDuration::from_hours(24 * 7);
/// Shortest time between two rounds: while they have not ended well, and on request.
const REFUSALS_AGAIN: SignedDuration = SignedDuration::from_hours(1);
/// Most principals of other clients that try to get into one account.
const MOST_OTHERS: usize = 3;

/// Whether the attempts that must be refused are due. They are made only where the right one was let in just before: a door that is not there refuses
/// everybody, which proves nothing.
#[must_use]
pub fn refusals_due(access: &AccessStatus, conditions: &Conditions, (principal, uid, asked): (&str, &str, bool), now: Timestamp) -> bool {
    let Some(tried) = &access.refusals_tried_at else { return true };
    let since = |time: &Time| now.duration_since(time.0);
    if access.principal != principal {
        return true;
    }
    let ended_well = find(conditions, ConditionType::ConfusedDeputyProtected).is_some_and(|condition| condition.status == "True");
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

/// The attempts of a visit.
#[derive(Clone, Debug, Default)]
pub struct Refusals {
    /// Those without and with a wrong credential or ExternalId.
    pub of_nobody: Vec<Refusal>,
    /// Those of other principals of the provider, with the right ExternalId.
    pub of_others: Vec<(String, Refusal)>,
    /// Whether the own principal leads into accounts of other clients as well, on a cloud that cannot tell them apart.
    pub is_shared: bool,
}

/// Another principal of the provider: the way into other clients' accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// Name of the ProviderProfile whose it is.
    pub profile: String,
    /// The principal, in the cloud's words.
    pub principal: String,
}

/// Who a profile is on a cloud: the cloud's word, in one letter case where the cloud knows none.
fn principal_of(profile: &ProviderProfile, cloud: Cloud) -> Option<String> {
    match cloud {
        Cloud::Aws => profile.spec.aws.as_ref().map(|aws| aws.principal_arn.clone()),
        Cloud::Azure => profile.spec.azure.as_ref().map(|azure| {
            format!("application {} of tenant {}", azure.client_id.to_ascii_lowercase(), azure.tenant_id.to_ascii_lowercase())
        }),
        Cloud::Gcp => profile.spec.gcp.as_ref().map(|gcp| gcp.principal.clone()),
    }
}

/// Whether an account's principal leads into accounts of other clients as well, on a cloud without an ExternalId to keep them apart: there only the
/// claims of this cluster do.
#[must_use]
pub fn is_shared(account: &CloudAccount, accounts: &[CloudAccount], profiles: &[ProviderProfile]) -> bool {
    let cloud = account.spec.target.cloud();
    let principal = |account: &CloudAccount| {
        let profile = profiles.iter().find(|profile| profile.name_any() == account.spec.provider_profile)?;
        principal_of(profile, cloud)
    };
    let is_other =
        |other: &&CloudAccount| other.namespace() != account.namespace() && other.spec.is_live() && other.spec.target.cloud() == cloud;
    let own = principal(account);
    cloud != Cloud::Aws && own.is_some() && accounts.iter().filter(is_other).any(|other| principal(other) == own)
}

/// The principals of other profiles that are to try an account's way in, each at every round, so that a hole that was found is tried again. Which
/// ones, differs from account to account. Only those whose own identity is proven: the refusal of who cannot sign in proves nothing.
#[must_use]
pub fn others(account: &CloudAccount, profiles: &[ProviderProfile]) -> Vec<Other> {
    let cloud = account.spec.target.cloud();
    let is_own = |profile: &&ProviderProfile| profile.name_any() == account.spec.provider_profile;
    let own = profiles.iter().find(is_own).and_then(|profile| principal_of(profile, cloud));
    let is_proven = |profile: &&ProviderProfile| {
        let conditions = profile.status.as_ref().map(|status| &status.conditions);
        conditions.is_some_and(|conditions| is_true_at(conditions, ConditionType::IdentityProven, profile.metadata.generation))
    };
    let other = |profile: &ProviderProfile| {
        principal_of(profile, cloud)
            .filter(|principal| Some(principal) != own.as_ref())
            .map(|principal| Other { profile: profile.name_any(), principal })
    };
    let mut others: Vec<Other> = profiles.iter().filter(is_proven).filter_map(other).collect();
    let uid = account.metadata.uid.as_deref().unwrap_or_default();
    others.sort_by_cached_key(|other| (sha256_hex(format!("{uid}/{}", other.principal)), other.profile.clone()));
    others.dedup_by(|second, first| second.principal == first.principal);
    others.truncate(MOST_OTHERS);
    others
}

/// The answers to the attempts that must be refused.
pub fn take_refusals(
    account: &CloudAccount,
    status: &mut CloudAccountStatus,
    set: &mut ConditionSet,
    refusals: &Refusals,
    (generation, now): (Option<i64>, Timestamp),
) {
    let kind = ConditionType::ConfusedDeputyProtected;
    if refusals.of_nobody.is_empty() {
        let Some(access) = status.access.as_ref().filter(|access| access.generation == generation) else { return };
        // Found out of the same principal in an earlier generation, it holds for this one.
        if access.refusals_tried_at.is_some() {
            set.keep(kind);
        } else {
            set.set(kind, Is::Unknown, Reason::Pending, "tried once the right way in works");
        }
        return;
    }
    let access = status.access.get_or_insert_default();
    access.refusals_tried_at = Some(Time(now));
    let cloud = account.spec.target.cloud();
    let all = || refusals.of_nobody.iter().chain(refusals.of_others.iter().map(|(_, refusal)| refusal));
    let unknown = all().find_map(|refusal| if let Refusal::Unknown(message) = refusal { Some(message) } else { None });
    if refusals.of_nobody.iter().any(|refusal| matches!(refusal, Refusal::LetIn)) {
        set.set(kind, Is::False, Reason::NotRefused, cure(cloud));
    } else if let Some((principal, _)) = refusals.of_others.iter().find(|(_, refusal)| matches!(refusal, Refusal::LetIn)) {
        set.set(kind, Is::False, Reason::NotRefused, cure_of_other(cloud, principal));
    } else if let Some(message) = unknown {
        set.set(kind, Is::Unknown, Reason::Unreachable, message);
        return;
    } else {
        let shared = if refusals.is_shared { SHARED } else { "" };
        set.set(kind, Is::True, Reason::Proven, format!("{}{shared}", refused(&refusals.of_others)));
    }
    access.refusals_proven_at = Some(Time(now));
}

/// What a principal that is shared means.
const SHARED: &str = "; the same principal leads into accounts of other clients, and this cloud has no ExternalId to keep them apart: give each \
                      client a ProviderProfile with a principal of its own";

/// What was refused, and whether another client's principal was among it.
fn refused(others: &[(String, Refusal)]) -> String {
    let principals: Vec<&str> = others.iter().map(|(principal, _)| principal.as_str()).collect();
    let nobody = "callers without and with a wrong credential or ExternalId were refused";
    if principals.is_empty() {
        return format!(
            "{nobody}; no other ProviderProfile has a principal of its own on this cloud, so none of another client's was tried"
        );
    }
    format!("{nobody}, and so was what leads into other clients' accounts: {}", principals.join(", "))
}

/// What it means that another client's principal was let in, and what ends it.
fn cure_of_other(cloud: Cloud, principal: &str) -> String {
    let cure = match cloud {
        Cloud::Aws => "the client must restore the Principal of the grant kit in the role's trust policy",
        Cloud::Azure => {
            "the client must take it out of the delegation and of every role assignment on the subscription or above it, and out of every group that \
             has one"
        }
        Cloud::Gcp => "the client must take it from the role roles/iam.serviceAccountTokenCreator on the service account and above it",
    };
    format!("{principal} was let in, which is the way into other clients' accounts: {cure}")
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
    use serde_json::{Value, json};

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
            let done = Done {
                principal: "us".into(),
                refusals: Refusals { of_nobody: vec![Refusal::Refused, Refusal::LetIn], ..Refusals::default() },
                ..Done::default()
            };
            let (status, _) = cloud_account::status(&account, &Observed::default(), &[], &done, at("2026-11-26T10:00:00Z"));
            let (is, reason, message) = said(&status, ConditionType::ConfusedDeputyProtected);
            assert_eq!((is.as_str(), reason.as_str()), ("False", "NotRefused"));
            let is_aws = account.spec.target.cloud() == Cloud::Aws;
            assert!(message.contains(cure) && message.contains("ExternalId") == is_aws, "{message}");
        }
    }

    /// A profile whose identity is proven or not, with what it is on the clouds.
    fn profile(name: &str, is_proven: bool, clouds: &Value) -> ProviderProfile {
        let mut spec = json!({"displayName": "Care", "contacts": []});
        spec.as_object_mut().unwrap().extend(clouds.as_object().unwrap().clone());
        let condition = json!({
            "type": "IdentityProven", "status": if is_proven { "True" } else { "Unknown" }, "observedGeneration": 1, "reason": "Proven",
            "message": "", "lastTransitionTime": "2026-11-26T10:00:00Z",
        });
        serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ProviderProfile", "metadata": {"name": name, "generation": 1}, "spec": spec,
            "status": {"conditions": [condition]},
        }))
        .unwrap()
    }

    #[test]
    fn only_other_proven_principals_of_the_same_cloud_try_to_get_in() {
        let aws = |user: &str| json!({"aws": {"principalArn": format!("arn:aws:iam::999999999999:user/{user}")}});
        let azure = |client: &str| json!({"azure": {"tenantId": "T", "clientId": client, "principalId": "p"}});
        let gcp = |user: &str| json!({"gcp": {"projectId": "p", "principal": user}});
        let profiles = [
            profile("default", true, &json!({"aws": aws("us")["aws"], "azure": azure("A")["azure"], "gcp": gcp("us")["gcp"]})),
            profile("same-principal", true, &json!({"aws": aws("us")["aws"], "azure": azure("a")["azure"], "gcp": gcp("us")["gcp"]})),
            profile("not-proven", false, &json!({"aws": aws("x")["aws"], "azure": azure("x")["azure"], "gcp": gcp("x")["gcp"]})),
            profile("aws", true, &aws("other")),
            profile("aws-again", true, &aws("other")),
            profile("azure", true, &azure("B")),
            profile("gcp", true, &gcp("other")),
        ];
        let mut account = account();
        for (target, expected) in [
            (json!({"aws": {"accountId": "111122223333"}}), ("aws", "arn:aws:iam::999999999999:user/other")),
            (json!({"azure": {"subscriptionId": "s"}}), ("azure", "application b of tenant t")),
            (json!({"gcp": {"projectId": "acme-prod"}}), ("gcp", "other")),
        ] {
            account.spec.target = serde_json::from_value(target).unwrap();
            let found = others(&account, &profiles);
            assert_eq!(found, [Other { profile: expected.0.into(), principal: expected.1.into() }]);
            assert!(others(&account, &profiles[..3]).is_empty());
        }
    }

    #[test]
    fn of_many_others_a_few_try_the_same_each_time_and_not_the_same_everywhere() {
        let user = |number: usize| json!({"aws": {"principalArn": format!("arn:aws:iam::999999999999:user/{number}")}});
        let mut profiles: Vec<ProviderProfile> = (0..20).map(|number| profile(&format!("p{number}"), true, &user(number))).collect();
        profiles.push(profile("default", true, &user(99)));
        let of = |uid: String, profiles: &[ProviderProfile]| {
            let mut account = account();
            account.metadata.uid = Some(uid);
            others(&account, profiles)
        };
        let first = of("0".into(), &profiles);
        profiles.reverse();
        assert_eq!((first.len(), &of("0".into(), &profiles)), (MOST_OTHERS, &first));
        let tried: std::collections::BTreeSet<String> =
            (0..50).flat_map(|uid: usize| of(uid.to_string(), &profiles)).map(|other| other.profile).collect();
        assert_eq!(tried.len(), 20, "over many accounts every principal is tried somewhere");
    }

    #[test]
    fn another_clients_principal_that_gets_in_is_named_with_the_cure() {
        let refused = || vec![Refusal::Refused, Refusal::Refused];
        let judged = |target: Value, of_others: Vec<(String, Refusal)>| {
            let mut account = account();
            account.spec.target = serde_json::from_value(target).unwrap();
            let done = Done {
                principal: "us".into(),
                refusals: Refusals { of_nobody: refused(), of_others, is_shared: false },
                ..Done::default()
            };
            let (status, _) = cloud_account::status(&account, &Observed::default(), &[], &done, at("2026-11-26T10:00:00Z"));
            (said(&status, ConditionType::ConfusedDeputyProtected), status.access.unwrap().refusals_proven_at.is_some())
        };
        let aws = || json!({"aws": {"accountId": "111122223333", "externalId": "abc123"}});
        for (target, cure) in [
            (aws(), "Principal of the grant kit"),
            (json!({"azure": {"subscriptionId": "aaaaaaaa-0000-4000-8000-000000000001"}}), "delegation"),
            (json!({"gcp": {"projectId": "acme-prod"}}), "tokenCreator"),
        ] {
            let ((is, reason, message), is_told) =
                judged(target, vec![("first".into(), Refusal::Refused), ("second".into(), Refusal::LetIn)]);
            assert_eq!((is.as_str(), reason.as_str(), is_told), ("False", "NotRefused", true));
            assert!(message.to_lowercase().contains(&cure.to_lowercase()) && message.starts_with("second was let in"), "{message}");
        }
        let ((is, _, message), is_told) = judged(aws(), vec![("first".into(), Refusal::Unknown("no route".into()))]);
        assert_eq!((is.as_str(), message.as_str(), is_told), ("Unknown", "no route", false), "an error is no refusal");
        let ((is, _, message), _) = judged(aws(), vec![("first".into(), Refusal::Refused)]);
        assert!(is == "True" && message.ends_with("accounts: first"), "{message}");
        let ((is, _, message), _) = judged(aws(), Vec::new());
        assert!(is == "True" && message.contains("none of another client's was tried"), "{message}");
    }

    #[test]
    fn a_principal_that_leads_into_accounts_of_other_clients_is_told_where_nothing_else_keeps_them_apart() {
        let azure = json!({"tenantId": "T", "clientId": "A", "principalId": "p"});
        let clouds = json!({
            "aws": {"principalArn": "arn:aws:iam::999999999999:user/us"}, "azure": azure, "gcp": {"projectId": "p", "principal": "us"},
        });
        let profiles = [
            profile("default", true, &clouds),
            profile("same", true, &clouds),
            profile("other", true, &json!({"gcp": {"projectId": "p", "principal": "other"}})),
        ];
        let of = |namespace: &str, profile: &str, target: Value| {
            let mut account = account();
            account.metadata.namespace = Some(namespace.into());
            account.spec.provider_profile = profile.into();
            account.spec.target = serde_json::from_value(target).unwrap();
            account
        };
        let (gcp, aws) = (|| json!({"gcp": {"projectId": "acme-prod"}}), || json!({"aws": {"accountId": "111122223333"}}));
        let subscription = || json!({"azure": {"subscriptionId": "s"}});
        let own = of("client-acme", "default", gcp());
        for (other, expected) in [
            (of("client-globex", "default", gcp()), true),
            (of("client-globex", "same", gcp()), true),
            (of("client-globex", "other", gcp()), false),
            (of("client-globex", "default", subscription()), false),
            (of("client-acme", "default", gcp()), false),
        ] {
            assert_eq!(is_shared(&own, &[own.clone(), other.clone()], &profiles), expected, "{other:?}");
        }
        let pair = |target: fn() -> Value| [of("client-acme", "default", target()), of("client-globex", "default", target())];
        assert!(is_shared(&pair(subscription)[0], &pair(subscription), &profiles));
        assert!(!is_shared(&pair(aws)[0], &pair(aws), &profiles), "the ExternalId keeps them apart");

        let refusals = Refusals { of_nobody: vec![Refusal::Refused], of_others: Vec::new(), is_shared: true };
        let done = Done { principal: "us".into(), refusals, ..Done::default() };
        let (status, _) = cloud_account::status(&own, &Observed::default(), &[], &done, at("2026-11-26T10:00:00Z"));
        let (is, _, message) = said(&status, ConditionType::ConfusedDeputyProtected);
        assert!(is == "True" && message.contains("a principal of its own"), "{message}");
    }
}
