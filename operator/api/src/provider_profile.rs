//! `ProviderProfile`: who the provider is.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::provider_identity::{AzureCredentials, AzureProvider, CloudIdentityStatus, GcpCredentials, GcpProvider};
use crate::qualifications::Qualification;

/// Who the provider (the MSP) is: its identity on each cloud, its contacts and the key that signs its bundles. A ManagedClient
/// uses the profile named `default` unless it names another.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "caretaker.dev",
    version = "v1alpha1",
    kind = "ProviderProfile",
    plural = "providerprofiles",
    shortname = "pprof",
    category = "caretaker",
    status = "ProviderProfileStatus",
    derive = "PartialEq",
    doc = "Who the provider (the MSP) is: its identity on each cloud, its contacts and the key that signs its bundles.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Key", type_ = "string", json_path = ".status.signing.keyId"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ProviderProfileSpec {
    /// Name of the provider as clients know it; it stands in every bundle.
    #[schemars(length(min = 1, max = 120))]
    pub display_name: String,
    /// People of the provider whom a client or the next provider can reach.
    #[schemars(length(min = 1, max = 20))]
    pub contacts: Vec<Contact>,
    /// The provider on AWS. Needed before an AWS account can be onboarded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws: Option<AwsProvider>,
    /// The provider on Azure. Needed before an Azure subscription can be onboarded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure: Option<AzureProvider>,
    /// The provider on Google Cloud. Needed before a project can be onboarded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gcp: Option<GcpProvider>,
    /// Name of a ManagedClient whose accounts are the provider's own, one on each cloud, onboarded like a client's. When a client has left, each refusal is
    /// compared with it: the same principal must be let in there, else the refusal may be the provider's own fault and proves nothing. Without it accounts of
    /// other clients under this profile are taken, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 56))]
    pub control_client: Option<String>,
    /// Names of the ManagedClients that may use this profile: a profile whose principal leads into one client's accounts is none of another's. Without it any
    /// client may.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000), inner(length(min = 1, max = 56)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub clients: Vec<String>,
    /// Reports and certificates of auditors that clients ask for. They stand in each bundle; `QualificationsCurrent` warns before one expires.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into(), "reference".into()]))]
    pub qualifications: Vec<Qualification>,
    /// The key that signs bundles. Without it the operator makes one and keeps it in a Secret of its own namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_key: Option<SigningKeySource>,
}

impl ProviderProfileSpec {
    /// Whether a client may use the profile.
    #[must_use]
    pub fn serves(&self, client: &str) -> bool {
        self.clients.is_empty() || self.clients.iter().any(|named| named == client)
    }
}

/// One person or team.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contact {
    /// Name of the person or team.
    #[schemars(length(min = 1, max = 120))]
    pub name: String,
    /// E-mail address.
    #[schemars(length(min = 3, max = 254))]
    #[x_kube(validation = Rule::new("self.matches('^[^@ ]+@[^@ ]+$')").message("email must be an address such as ops@example.com"))]
    pub email: String,
    /// Telephone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub phone: Option<String>,
}

/// The provider's identity on AWS.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwsProvider {
    /// ARN of the IAM user or role that the operator acts as; clients' roles trust it. The operator checks that its credentials
    /// are this principal's before it uses them.
    #[schemars(length(min = 20, max = 2048))]
    #[x_kube(validation = Rule::new("self.matches('^arn:aws[a-z-]*:iam::[0-9]{12}:(user|role)/.+$')")
        .message("principalArn must be the ARN of an IAM user or role, such as arn:aws:iam::123456789012:user/caretaker"))]
    pub principal_arn: String,
    /// Where the base credentials come from.
    #[serde(default)]
    pub credentials: AwsCredentials,
    /// Region whose STS endpoint is used for the base identity.
    #[serde(default = "default_region")]
    #[schemars(length(min = 5, max = 30))]
    pub region: String,
    /// What is done about session tags of the base credentials, which go with every assumption of a client's role. `Allow`: they carry some, as those of EKS
    /// Pod Identity do, and the grant kits let the clients' roles take them (`sts:TagSession`); a client with an older kit applies it again. `Absent`: they
    /// carry none, such as where the association of EKS Pod Identity has them switched off. Without it the kits allow none, and credentials that are seen to
    /// carry some are a fault of this profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_tags: Option<SessionTags>,
}

/// What is done about session tags of the base credentials.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SessionTags {
    /// The grant kits let the clients' roles take them.
    Allow,
    /// There are none.
    Absent,
}

/// Region of the STS endpoint when none is named.
fn default_region() -> String {
    "us-east-1".into()
}

/// Source of the base credentials: exactly one. Without any, the process environment's own (web identity, instance role).
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwsCredentials {
    /// Name of a Secret in the operator's namespace with keys `aws_access_key_id` and `aws_secret_access_key`, and `aws_session_token`
    /// where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: Option<String>,
}

/// Where the signing key is.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SigningKeySource {
    /// Name of a Secret in the operator's namespace whose key `minisign.key` holds an unencrypted minisign secret key.
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: String,
}

/// What the operator found out about a provider.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderProfileStatus {
    /// Generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Standard conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The key that signs bundles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing: Option<SigningStatus>,
    /// Who the base credentials really are on AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws: Option<AwsIdentityStatus>,
    /// Who the base credentials really are on Azure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure: Option<CloudIdentityStatus>,
    /// Who the base credentials really are on Google Cloud.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gcp: Option<CloudIdentityStatus>,
    /// Value of the annotation `caretaker.dev/requested-at` that was handled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_request: Option<String>,
}

/// Public half of the signing key.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SigningStatus {
    /// Public key as `minisign -P` takes it.
    pub public_key: String,
    /// Key id, 16 hexadecimal digits.
    pub key_id: String,
    /// Fingerprint to read out over the telephone: SHA-256 of the public key.
    pub fingerprint: String,
    /// Secret of the operator's namespace that holds the secret half.
    pub secret_name: String,
    /// Keys that signed bundles before this one, the last 20, the newest first: a bundle of theirs is still this provider's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub earlier: Vec<EarlierKey>,
}

/// A public key that signed bundles once.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EarlierKey {
    /// Public key as `minisign -P` takes it.
    pub public_key: String,
    /// Key id, 16 hexadecimal digits.
    pub key_id: String,
    /// SHA-256 of the public key.
    pub fingerprint: String,
    /// When another key took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// The base identity on AWS.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwsIdentityStatus {
    /// Account of the base identity.
    pub account_id: String,
    /// ARN that `sts:GetCallerIdentity` answered.
    pub arn: String,
    /// When it was proved last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven_at: Option<Time>,
}
