//! What a ServiceProfile looks at in its clients, and what it has to tell them.

use serde::Deserialize;

use super::held::Held;

/// A client as its profile sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Member {
    metadata: Meta,
    spec: Spec,
    status: Status,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Meta {
    generation: i64,
    deletion_timestamp: Option<String>,
    annotations: std::collections::BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Spec {
    profile: Option<Named>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Named {
    name: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Status {
    profile: Option<InForce>,
    conditions: Vec<Told>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct InForce {
    name: String,
    revision: String,
    deviation_count: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Told {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    observed_generation: i64,
}

impl Member {
    /// Of a client as it is held; `None` where it is not there, or has nothing to do with any profile.
    fn of(held: Option<&Held>) -> Option<Self> {
        let mut member: Self = held?.read()?;
        member.status.conditions.retain(|told| told.kind == "Ready");
        member.metadata.annotations.retain(|name, _| name == caretaker_api::names::PAUSED);
        (member.spec.profile.is_some() || member.status.profile.is_some()).then_some(member)
    }

    /// The profiles that it names or has.
    fn profiles(&self) -> impl Iterator<Item = String> {
        let named = self.spec.profile.as_ref().map(|named| named.name.clone());
        named.into_iter().chain(self.status.profile.as_ref().map(|held| held.name.clone()))
    }

    /// Whether it has this revision of a profile, and names it.
    fn has(&self, profile: &str, revision: Option<&str>) -> bool {
        let is_named = self.spec.profile.as_ref().is_some_and(|named| named.name == profile);
        is_named && self.status.profile.as_ref().is_some_and(|held| held.name == profile && Some(held.revision.as_str()) == revision)
    }
}

/// Profiles that are to look at their clients again.
pub(super) fn news(before: Option<&Held>, after: Option<&Held>) -> Vec<String> {
    let (before, after) = (Member::of(before), Member::of(after));
    if before == after {
        return Vec::new();
    }
    let names: std::collections::BTreeSet<String> = before.iter().chain(&after).flat_map(Member::profiles).collect();
    names.into_iter().collect()
}

/// Whether the newest revision of a profile, or that it is gone, is news for a client.
pub(super) fn is_news(client: Option<&Held>, name: &str, newest: Option<&str>) -> bool {
    Member::of(client).is_some_and(|member| member.profiles().any(|named| named == name) && !member.has(name, newest))
}

/// The newest revision of a profile, where its status speaks of its present spec.
pub(super) fn revision(held: &Held) -> Option<String> {
    #[derive(Default, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct Profile {
        metadata: Meta,
        status: Seen,
    }
    #[derive(Default, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct Seen {
        observed_generation: i64,
        revision: String,
    }
    let profile: Profile = held.read()?;
    (profile.status.observed_generation == profile.metadata.generation).then_some(profile.status.revision)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn member(spec: Value, status: Value) -> Option<Member> {
        let object = json!({
            "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient",
            "metadata": {"name": "a", "generation": 1, "annotations": {"other": "x"}}, "spec": spec, "status": status,
        });
        Member::of(Some(&Held::new(serde_json::from_value(object).unwrap())))
    }

    #[test]
    fn only_what_a_profile_looks_at_is_news() {
        let spec = json!({"profile": {"name": "smb"}, "displayName": "A"});
        let status = |revision: &str, ready: &str, assets: u32| {
            let told = |kind: &str, status: &str| json!({"type": kind, "status": status, "observedGeneration": 1});
            json!({"profile": {"name": "smb", "revision": revision}, "assets": assets, "conditions": [told("Ready", ready), told("Isolated", "Unknown")]})
        };
        let first = member(spec.clone(), status("r1", "True", 1)).unwrap();
        assert_eq!(Some(&first), member(spec.clone(), status("r1", "True", 2)).as_ref(), "its assets are none of the profile's business");
        assert_ne!(Some(&first), member(spec.clone(), status("r2", "True", 1)).as_ref());
        assert_ne!(Some(&first), member(spec.clone(), status("r1", "False", 1)).as_ref());
        assert!(first.has("smb", Some("r1")) && !first.has("smb", Some("r2")) && !first.has("smb", None));
        let moved = member(json!({"profile": {"name": "other"}}), status("r1", "True", 1)).unwrap();
        assert_eq!(moved.profiles().collect::<Vec<_>>(), ["other", "smb"], "the one that it leaves is to count again");
        assert!(!moved.has("smb", Some("r1")));
        assert_eq!(member(json!({}), json!({})), None);
    }
}
