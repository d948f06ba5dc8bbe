//! The Secret for pulling images: one in the operator's namespace, of which each client's namespace has a copy.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

/// Type of such a Secret, and its one key.
/// Source: <https://kubernetes.io/docs/concepts/configuration/secret/#docker-config-secrets>
const TYPE: &str = "kubernetes.io/dockerconfigjson";
const KEY: &str = ".dockerconfigjson";

/// The Secret for pulling images.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum PullSecret {
    /// The chart names none.
    #[default]
    None,
    /// What it holds.
    Held(ByteString),
    /// It cannot be used: why, and what to do.
    Unusable(String),
}

/// Never what it holds.
impl fmt::Debug for PullSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => formatter.write_str("None"),
            Self::Held(_) => formatter.write_str("Held"),
            Self::Unusable(why) => formatter.debug_tuple("Unusable").field(why).finish(),
        }
    }
}

impl PullSecret {
    /// What came of reading the Secret of a name in the operator's namespace.
    #[must_use]
    pub fn of(name: &str, namespace: &str, found: Option<Secret>) -> Self {
        let cure = format!(
            "make it with kubectl create secret docker-registry {name} -n {namespace} …, or change monitoring.imagePullSecret in the chart's values"
        );
        let fault = |what: &str| Self::Unusable(format!("Secret {name} in namespace {namespace}, for pulling images, {what}: {cure}"));
        let Some(secret) = found else { return fault("does not exist") };
        match secret.type_.as_deref() {
            Some(TYPE) => {}
            other => return fault(&format!("is of type {} and not {TYPE}", other.unwrap_or("Opaque"))),
        }
        match secret.data.and_then(|mut data| data.remove(KEY)) {
            Some(config) if !config.0.is_empty() => Self::Held(config),
            _ => fault(&format!("has nothing at its key {KEY}")),
        }
    }

    /// The copy for a client's namespace.
    pub(super) fn copy(&self) -> Option<Secret> {
        let Self::Held(config) = self else { return None };
        let data = BTreeMap::from([(KEY.to_owned(), config.clone())]);
        Some(Secret { data: Some(data), type_: Some(TYPE.into()), ..Secret::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(kind: &str, key: &str, value: &str) -> Option<Secret> {
        let data = BTreeMap::from([(key.to_owned(), ByteString(value.as_bytes().to_vec()))]);
        Some(Secret { data: Some(data), type_: Some(kind.into()), ..Secret::default() })
    }

    #[test]
    fn what_cannot_be_used_is_told_with_the_cure() {
        for (found, told) in [
            (None, "does not exist"),
            (secret("Opaque", KEY, "{}"), "is of type Opaque and not kubernetes.io/dockerconfigjson"),
            (secret(TYPE, "config.json", "{}"), "has nothing at its key .dockerconfigjson"),
            (secret(TYPE, KEY, ""), "has nothing at its key .dockerconfigjson"),
        ] {
            let PullSecret::Unusable(why) = PullSecret::of("registry", "caretaker-system", found) else { panic!("{told}") };
            assert!(why.contains(told) && why.contains("Secret registry in namespace caretaker-system"), "{why}");
            assert!(why.contains("kubectl create secret docker-registry registry -n caretaker-system"), "{why}");
        }
    }

    #[test]
    fn what_it_holds_is_copied_and_never_shown() {
        let held = PullSecret::of("registry", "caretaker-system", secret(TYPE, KEY, "s3cr3t"));
        assert_eq!(format!("{held:?}"), "Held");
        let copy = held.copy().unwrap();
        assert_eq!((copy.type_.as_deref(), copy.data.unwrap()[KEY].0.as_slice()), (Some(TYPE), b"s3cr3t".as_slice()));
        assert_eq!((PullSecret::None.copy(), PullSecret::Unusable("x".into()).copy()), (None, None));
    }
}
