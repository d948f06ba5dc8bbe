//! Who the provider is on Azure and on Google Cloud.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// The provider's identity on Azure: an application of its own tenant, to which clients delegate their subscriptions.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AzureProvider {
    /// Id of the provider's own tenant, which manages the clients' subscriptions.
    #[x_kube(validation = Rule::new("self.matches('^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')")
        .message("tenantId must be the id of the provider's tenant, such as 11111111-2222-3333-4444-555555555555, not its domain"))]
    #[schemars(length(max = 40))]
    pub tenant_id: String,
    /// Client id of the provider's application: what the operator signs in as.
    #[x_kube(validation = Rule::new("self.matches('^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')")
        .message("clientId must be the application's client id, such as 11111111-2222-3333-4444-555555555555"))]
    #[schemars(length(max = 40))]
    pub client_id: String,
    /// Object id of the application's service principal in the provider's tenant: what clients delegate to. It is not the client id.
    #[x_kube(validation = Rule::new("self.matches('^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')")
        .message("principalId must be the object id of the service principal: az ad sp show --id CLIENT_ID --query id"))]
    #[schemars(length(max = 40))]
    pub principal_id: String,
    /// Where the credentials come from.
    #[serde(default)]
    pub credentials: AzureCredentials,
}

/// Source of the credentials. Without a Secret, the pod's own token is used (workload identity federation); the webhook of Azure Workload Identity
/// mounts it and names its file in the environment.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AzureCredentials {
    /// Name of a Secret in the operator's namespace whose key `client_secret` holds the application's secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: Option<String>,
}

/// The provider's identity on Google Cloud: a principal that clients let make tokens of their own service accounts.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GcpProvider {
    /// Id of the provider's own project. It is never read as a client's.
    #[schemars(length(min = 6, max = 60))]
    pub project_id: String,
    /// E-mail address of the provider's service account that the operator acts as. The operator checks that its credentials are this principal's.
    #[schemars(length(min = 6, max = 254))]
    #[x_kube(validation = Rule::new("self.contains('@') || self.contains('://')")
        .message("principal must be the e-mail address of a service account, or the principal:// name of a federated identity"))]
    pub principal: String,
    /// Project whose quota pays for the calls; it has cloudasset, cloudresourcemanager, iam and policyanalyzer.googleapis.com on. Without it each client's own
    /// project pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 6, max = 60))]
    pub quota_project: Option<String>,
    /// The provider's directory customer id, such as C0abc123: clients whose organisation restricts domains must allow it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 40))]
    pub customer_id: Option<String>,
    /// Where the credentials come from.
    #[serde(default)]
    pub credentials: GcpCredentials,
}

/// Source of the credentials: a key in a Secret, or the pod's own token, exchanged at a workload identity pool.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GcpCredentials {
    /// Name of a Secret in the operator's namespace whose key `key.json` holds a service account's key as Google hands it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: Option<String>,
    /// Audience of the workload identity pool's provider, for the pod's own token:
    /// `//iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 10, max = 300))]
    pub audience: Option<String>,
}

/// Who the base credentials really are on Azure or Google Cloud.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CloudIdentityStatus {
    /// Tenant or project of the credentials.
    pub account: String,
    /// The principal.
    pub principal: String,
    /// When this was last proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven_at: Option<Time>,
}
