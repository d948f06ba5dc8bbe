//! Which key signs: the one by record, and no other without a person's word. Clients know the provider by it, so that a lost key is never replaced in silence,
//! and a Secret that somebody put in its place is not taken.

use caretaker_api::condition::Reason;
use caretaker_api::names;
use caretaker_api::provider_profile::{EarlierKey, ProviderProfile, SigningStatus};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use crate::outcome::Fault;

/// Earlier keys that are kept.
const KEPT: usize = 20;

/// What the Secret of the key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held<'a> {
    /// There is no such Secret.
    Nothing,
    /// A key.
    Key {
        /// Its public half.
        public_key: &'a str,
        /// Whether the Secret carries the operator's label.
        is_marked: bool,
    },
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Make a key.
    Make,
    /// Sign with the one that is there.
    Use,
    /// Sign nothing until a person acts.
    Refuse(Fault),
}

/// Name of the Secret that holds a profile's key.
#[must_use]
pub fn secret_name(profile: &ProviderProfile) -> String {
    match &profile.spec.signing_key {
        Some(source) => source.secret_name.clone(),
        None => format!("signing-key-{}", profile.name_any()),
    }
}

/// Decides. A Secret that the spec names is the provider's own choice, and may hold another key than before.
#[must_use]
pub fn decide(profile: &ProviderProfile, held: Held<'_>, namespace: &str) -> Decision {
    let (name, field) = (secret_name(profile), "spec.signingKey.secretName");
    let refuse = |reason, message: String| Decision::Refuse(Fault::outside(reason, field, message));
    let known = profile.status.as_ref().and_then(|status| status.signing.as_ref()).filter(|signing| !signing.public_key.is_empty());
    let is_given_up = |signing: &SigningStatus| {
        profile.annotations().get(names::NEW_SIGNING_KEY).is_some_and(|lost| lost.eq_ignore_ascii_case(&signing.key_id))
    };
    let cure = |signing: &SigningStatus| {
        format!(
            "To sign with a new key all the same, which each client must then be told: kubectl annotate pprof {} {}={}",
            profile.name_any(),
            names::NEW_SIGNING_KEY,
            signing.key_id
        )
    };
    match (held, known) {
        (Held::Nothing, _) if profile.spec.signing_key.is_some() => {
            refuse(Reason::ReferenceMissing, format!("Secret {name} does not exist in namespace {namespace}"))
        }
        (Held::Key { .. }, _) if profile.spec.signing_key.is_some() => Decision::Use,
        // The spec named another Secret until now.
        (Held::Nothing, Some(signing)) if signing.secret_name == name && !is_given_up(signing) => refuse(
            Reason::ReferenceMissing,
            format!(
                "the key {} (fingerprint {}), with which clients know this provider, is not in namespace {namespace} any more: put its Secret {name} back from \
                 where it was kept, or from the namespace where the operator ran before. {}",
                signing.key_id,
                signing.fingerprint,
                cure(signing)
            ),
        ),
        (Held::Nothing, _) => Decision::Make,
        (Held::Key { public_key, .. }, Some(signing)) if public_key == signing.public_key || is_given_up(signing) => Decision::Use,
        (Held::Key { is_marked: true, .. }, None) => Decision::Use,
        (Held::Key { is_marked: true, .. }, Some(signing)) if signing.secret_name != name => Decision::Use,
        (Held::Key { .. }, Some(signing)) => refuse(
            Reason::NameTaken,
            format!(
                "Secret {name} of namespace {namespace} holds another key than {} (fingerprint {}), with which clients know this provider: put that one back, or \
                 name the Secret in spec.signingKey. {}",
                signing.key_id,
                signing.fingerprint,
                cure(signing)
            ),
        ),
        (Held::Key { .. }, None) => refuse(
            Reason::NameTaken,
            format!(
                "Secret {name} of namespace {namespace} was not made by the operator: name it in spec.signingKey to sign with it, or remove it"
            ),
        ),
    }
}

/// The record of a key that signs from now on: the one before it is kept among the earlier ones.
#[must_use]
pub fn recorded(known: Option<&SigningStatus>, mut now_signs: SigningStatus, now: Timestamp) -> SigningStatus {
    let Some(known) = known else { return now_signs };
    now_signs.earlier.clone_from(&known.earlier);
    if !known.public_key.is_empty() && known.public_key != now_signs.public_key {
        let SigningStatus { public_key, key_id, fingerprint, .. } = known.clone();
        now_signs.earlier.insert(0, EarlierKey { public_key, key_id, fingerprint, until: Some(Time(now)) });
        now_signs.earlier.retain(|earlier| earlier.public_key != now_signs.public_key);
        now_signs.earlier.truncate(KEPT);
    }
    now_signs
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn signing(key: &str, secret: &str) -> SigningStatus {
        SigningStatus {
            public_key: key.into(),
            key_id: format!("ID{key}"),
            fingerprint: format!("print-of-{key}"),
            secret_name: secret.into(),
            earlier: Vec::new(),
        }
    }

    fn profile(named: Option<&str>, known: Option<SigningStatus>, annotations: Value) -> ProviderProfile {
        let mut profile: ProviderProfile = serde_json::from_value(json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ProviderProfile", "metadata": {"name": "default", "annotations": annotations},
            "spec": {"displayName": "Care", "contacts": [], "signingKey": named.map(|name| json!({"secretName": name}))},
        }))
        .unwrap();
        profile.status =
            known.map(|signing| caretaker_api::provider_profile::ProviderProfileStatus { signing: Some(signing), ..Default::default() });
        profile
    }

    /// K01, K09, L9: whose key it is decides, not whose name its Secret has.
    #[test]
    fn the_key_by_record_signs_and_no_other_without_a_persons_word() {
        let own = || Some(signing("A", "signing-key-default"));
        let (none, lost) = (json!({}), json!({names::NEW_SIGNING_KEY: "ida"}));
        let key = |public_key, is_marked| Held::Key { public_key, is_marked };
        for (why, profile, held, expected) in [
            ("the first visit", profile(None, None, none.clone()), Held::Nothing, "make"),
            ("the status was not written after the first visit", profile(None, None, none.clone()), key("A", true), "use"),
            ("a Secret of a stranger's under our name", profile(None, None, none.clone()), key("B", false), "was not made by the operator"),
            ("every later visit", profile(None, own(), none.clone()), key("A", true), "use"),
            ("restored without labels", profile(None, own(), none.clone()), key("A", false), "use"),
            (
                "lost, as after a move to another namespace",
                profile(None, own(), none.clone()),
                Held::Nothing,
                "not in namespace ops any more",
            ),
            ("lost, and a person says so", profile(None, own(), lost.clone()), Held::Nothing, "make"),
            (
                "lost, and a person names another key",
                profile(None, own(), json!({names::NEW_SIGNING_KEY: "IDB"})),
                Held::Nothing,
                "any more",
            ),
            ("replaced", profile(None, own(), none.clone()), key("B", true), "another key than IDA"),
            ("made anew after a person's word", profile(None, own(), lost), key("B", true), "use"),
            ("named in the spec", profile(Some("mine"), own(), none.clone()), key("B", false), "use"),
            ("named in the spec, and missing", profile(Some("mine"), own(), none.clone()), Held::Nothing, "mine does not exist"),
            ("no longer named in the spec", profile(None, Some(signing("B", "mine")), none.clone()), Held::Nothing, "make"),
            ("no longer named, and ours is still there", profile(None, Some(signing("B", "mine")), none.clone()), key("A", true), "use"),
            (
                "no longer named, and a stranger's is there",
                profile(None, Some(signing("B", "mine")), none),
                key("C", false),
                "another key than IDB",
            ),
        ] {
            let found = match decide(&profile, held, "ops") {
                Decision::Make => "make".to_owned(),
                Decision::Use => "use".to_owned(),
                Decision::Refuse(fault) => fault.message,
            };
            assert!(if expected.len() < 5 { found == expected } else { found.contains(expected) }, "{why}: {found}");
        }
    }

    #[test]
    fn earlier_keys_are_kept_and_the_present_one_is_not_among_them() {
        let now = Timestamp::UNIX_EPOCH;
        let ids = |signing: &SigningStatus| signing.earlier.iter().map(|earlier| earlier.key_id.clone()).collect::<Vec<_>>();
        let first = recorded(None, signing("A", "s"), now);
        assert_eq!(recorded(Some(&first), signing("A", "s"), now), first, "the same key again is no news");
        let second = recorded(Some(&first), signing("B", "s"), now);
        assert_eq!(ids(&second), ["IDA"]);
        let third = recorded(Some(&second), signing("A", "s"), now);
        assert_eq!(ids(&third), ["IDB"], "who comes back is the present one");
        let mut many = first;
        for number in 0..30 {
            many = recorded(Some(&many), signing(&format!("K{number}"), "s"), now);
        }
        assert_eq!((many.earlier.len(), many.earlier[0].key_id.as_str()), (KEPT, "IDK28"));
    }
}
