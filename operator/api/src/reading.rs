//! How a ManagedClient is read: with the profile that is in force for it under what its people wrote. Whoever reads one, the operator's controllers and the
//! plugin alike, reads it here.

use std::borrow::Cow;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::object::{HasSpec, HasStatus};
use kube::core::{ApiResource, ClusterResourceScope};
use kube::{CustomResourceExt, Resource};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

use crate::managed_client::{ManagedClientDefinition, ManagedClientSpec, ManagedClientStatus};
use crate::service_profile::{ProfileLimits, merged, taken};

/// Parts that are left out where they cannot be read, since a profile that is not in force yet may be what they lack.
const PARTS: [&str; 9] =
    ["quota", "monitoring", "backups", "serviceLevels", "billing", "deliveryModel", "domains", "regulatedData", "exit/contract"];

/// One client of the provider.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "AsWritten")]
pub struct ManagedClient {
    /// The object's metadata.
    pub metadata: ObjectMeta,
    /// The spec, with the profile that is in force under it.
    pub spec: ManagedClientSpec,
    /// The status.
    pub status: Option<ManagedClientStatus>,
    /// How the spec was read.
    pub reading: Reading,
}

/// How a spec was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// The spec as it stands in the API.
    pub written: Value,
    /// Parts that could not be read, and why: what they lack is to come from a profile that is not in force.
    pub unread: Vec<(String, String)>,
}

/// The object as the API has it.
#[derive(Deserialize)]
struct AsWritten {
    metadata: ObjectMeta,
    spec: Value,
    #[serde(default)]
    status: Option<ManagedClientStatus>,
}

impl TryFrom<AsWritten> for ManagedClient {
    type Error = serde_json::Error;

    fn try_from(object: AsWritten) -> Result<Self, Self::Error> {
        let defaults = object.status.as_ref().and_then(|status| status.profile.as_ref()).map(|profile| &profile.defaults);
        let (spec, unread) = read(&object.spec, defaults)?;
        Ok(Self { metadata: object.metadata, spec, status: object.status, reading: Reading { written: object.spec, unread } })
    }
}

/// The spec with these defaults under it, and the parts that could not be read.
///
/// # Errors
/// What is no part of a profile cannot be read; or a client without a profile cannot.
pub fn read(
    written: &Value,
    defaults: Option<&serde_json::Map<String, Value>>,
) -> Result<(ManagedClientSpec, Vec<(String, String)>), serde_json::Error> {
    let Some(choice) = written.get("profile").filter(|choice| !choice.is_null()) else {
        return Ok((serde_json::from_value(written.clone())?, Vec::new()));
    };
    let without: Vec<String> = serde_json::from_value(choice.get("without").cloned().unwrap_or_else(|| json!([])))?;
    let whole = defaults.map_or_else(|| written.clone(), |defaults| merged(&taken(defaults, &without), written));
    match serde_json::from_value(whole.clone()) {
        Ok(spec) => Ok((spec, Vec::new())),
        Err(_) => read_in_parts(whole),
    }
}

fn read_in_parts(mut whole: Value) -> Result<(ManagedClientSpec, Vec<(String, String)>), serde_json::Error> {
    let split = |part: &'static str| part.rsplit_once('/').map_or((String::new(), part), |(parent, name)| (format!("/{parent}"), name));
    let mut taken = Vec::new();
    for part in PARTS {
        let (parent, name) = split(part);
        let found = whole.pointer_mut(&parent).and_then(Value::as_object_mut).and_then(|map| map.remove(name));
        taken.extend(found.map(|value| (part, value)));
    }
    let mut spec: ManagedClientSpec = serde_json::from_value(whole.clone())?;
    let mut unread = Vec::new();
    for (part, value) in taken {
        let (parent, name) = split(part);
        let mut more = whole.clone();
        if let Some(Value::Object(map)) = more.pointer_mut(&parent) {
            map.insert(name.into(), value);
        }
        match serde_json::from_value(more.clone()) {
            Ok(read) => (spec, whole) = (read, more),
            Err(error) => unread.push((part.replace('/', "."), error.to_string())),
        }
    }
    Ok((spec, unread))
}

impl ManagedClient {
    /// A client with a spec.
    #[must_use]
    pub fn new(name: &str, spec: ManagedClientSpec) -> Self {
        let reading = Reading { written: json!(spec), unread: Vec::new() };
        Self { metadata: ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() }, spec, status: None, reading }
    }

    /// The same client as it would be read with other defaults in force. What cannot be read of it stays out, as it does when it is read.
    ///
    /// # Errors
    /// As [`read`].
    pub fn with_defaults(&self, defaults: &serde_json::Map<String, Value>) -> Result<Self, serde_json::Error> {
        let (spec, unread) = read(&self.reading.written, Some(defaults))?;
        let reading = Reading { written: self.reading.written.clone(), unread };
        Ok(Self { spec, reading, metadata: self.metadata.clone(), status: self.status.clone() })
    }

    /// The limits that are in force for the client.
    #[must_use]
    pub fn limits(&self) -> Option<&ProfileLimits> {
        self.spec.profile.as_ref()?;
        Some(&self.status.as_ref()?.profile.as_ref()?.limits)
    }
}

impl Serialize for ManagedClient {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("ManagedClient", 4 + usize::from(self.status.is_some()))?;
        object.serialize_field("apiVersion", &Self::api_version(&()))?;
        object.serialize_field("kind", &Self::kind(&()))?;
        object.serialize_field("metadata", &self.metadata)?;
        object.serialize_field("spec", &self.spec)?;
        if let Some(status) = &self.status {
            object.serialize_field("status", status)?;
        }
        object.end()
    }
}

impl Resource for ManagedClient {
    type DynamicType = ();
    type Scope = ClusterResourceScope;

    fn group(_: &()) -> Cow<'_, str> {
        ManagedClientDefinition::group(&())
    }

    fn kind(_: &()) -> Cow<'_, str> {
        ManagedClientDefinition::kind(&())
    }

    fn version(_: &()) -> Cow<'_, str> {
        ManagedClientDefinition::version(&())
    }

    fn api_version(_: &()) -> Cow<'_, str> {
        ManagedClientDefinition::api_version(&())
    }

    fn plural(_: &()) -> Cow<'_, str> {
        ManagedClientDefinition::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl HasSpec for ManagedClient {
    type Spec = ManagedClientSpec;

    fn spec(&self) -> &ManagedClientSpec {
        &self.spec
    }

    fn spec_mut(&mut self) -> &mut ManagedClientSpec {
        &mut self.spec
    }
}

impl HasStatus for ManagedClient {
    type Status = ManagedClientStatus;

    fn status(&self) -> Option<&ManagedClientStatus> {
        self.status.as_ref()
    }

    fn status_mut(&mut self) -> &mut Option<ManagedClientStatus> {
        &mut self.status
    }
}

impl CustomResourceExt for ManagedClient {
    fn crd() -> CustomResourceDefinition {
        ManagedClientDefinition::crd()
    }

    fn crd_name() -> &'static str {
        ManagedClientDefinition::crd_name()
    }

    fn api_resource() -> ApiResource {
        ManagedClientDefinition::api_resource()
    }

    fn shortnames() -> &'static [&'static str] {
        ManagedClientDefinition::shortnames()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(spec: Value, defaults: Option<Value>) -> Value {
        let mut whole = json!({
            "displayName": "A", "contacts": {"vendorManager": {"name": "J", "email": "j@a.example"}},
            "accounts": [{"name": "prod", "aws": {"accountId": "222222222222"}}], "exit": {"recipients": ["age1"]},
        });
        whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let status = defaults.map(|defaults| json!({"profile": {"name": "smb", "revision": "r", "defaults": defaults}}));
        json!({"apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "metadata": {"name": "a"}, "spec": whole, "status": status})
    }

    fn client(spec: Value, defaults: Option<Value>) -> ManagedClient {
        serde_json::from_value(object(spec, defaults)).unwrap()
    }

    fn tiers() -> Value {
        json!([{"name": "one", "afterMinutes": 0, "webhookUrl": "https://desk.example/"}])
    }

    #[test]
    fn a_client_is_read_with_what_is_in_force_under_its_own_words() {
        let defaults =
            json!({"monitoring": {"tiers": tiers(), "retentionDays": 40}, "exit": {"retrievalDays": 90, "contract": {"noticeDays": 60}}});
        let read = client(json!({"profile": {"name": "smb"}, "monitoring": {"retentionDays": 7}}), Some(defaults.clone()));
        let monitoring = read.spec.monitoring.unwrap();
        assert_eq!((monitoring.retention_days, monitoring.tiers.len(), monitoring.exporter_port), (7, 1, 9100));
        assert_eq!((read.spec.exit.retrieval_days, read.spec.exit.recipients.len()), (90, 1));
        assert_eq!(read.spec.exit.contract.unwrap().notice_days, 60);
        assert_eq!(read.reading.written["monitoring"], json!({"retentionDays": 7}), "what was written stays");
        let unnamed = client(json!({}), Some(defaults));
        assert!(unnamed.spec.monitoring.is_none(), "a profile that the client does not name any more gives nothing");
    }

    #[test]
    fn what_a_profile_is_to_give_is_left_out_until_it_does() {
        let spec = json!({"profile": {"name": "smb"}, "monitoring": {"retentionDays": 7}, "quota": {"pods": 9}, "exit": {"recipients": ["age1"], "contract": {"transition": {"reason": "r"}}}});
        let read = client(spec, None);
        assert!(read.spec.monitoring.is_none() && read.spec.exit.contract.is_none());
        assert_eq!(read.spec.quota.pods, 9, "what can be read is");
        let parts: Vec<&str> = read.reading.unread.iter().map(|(part, _)| part.as_str()).collect();
        assert_eq!(parts, ["monitoring", "exit.contract"]);
        assert!(
            serde_json::from_value::<ManagedClient>(object(json!({"monitoring": {"retentionDays": 7}}), None)).is_err(),
            "without a profile it is a fault"
        );
    }

    #[test]
    fn a_client_is_written_as_the_kind_that_it_is() {
        let written = serde_json::to_value(client(json!({}), None)).unwrap();
        assert_eq!((&written["kind"], &written["apiVersion"]), (&json!("ManagedClient"), &json!("caretaker.dev/v1alpha1")));
        assert!(written.get("reading").is_none() && written.get("status").is_none());
    }
}
