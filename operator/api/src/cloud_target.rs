//! Where a client's account is: exactly one account of one cloud.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cloud_account::AwsAccount;

/// Exactly one account of one cloud.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(has(self.aws) ? 1 : 0) + (has(self.azure) ? 1 : 0) + (has(self.gcp) ? 1 : 0) == 1")
        .message("name exactly one of aws, azure and gcp; give each cloud account an entry of its own"),
)]
pub struct CloudTarget {
    /// An AWS account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws: Option<AwsAccount>,
    /// An Azure subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure: Option<AzureAccount>,
    /// A Google Cloud project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gcp: Option<GcpAccount>,
}

/// A cloud.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cloud {
    /// Amazon Web Services.
    Aws,
    /// Microsoft Azure.
    Azure,
    /// Google Cloud.
    Gcp,
}

impl Cloud {
    /// Every cloud.
    pub const ALL: [Self; 3] = [Self::Aws, Self::Azure, Self::Gcp];

    /// The word in the inventory and in fields.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Azure => "azure",
            Self::Gcp => "gcp",
        }
    }
}

impl CloudTarget {
    /// Which cloud it is on.
    #[must_use]
    pub fn cloud(&self) -> Cloud {
        if self.azure.is_some() {
            Cloud::Azure
        } else if self.gcp.is_some() {
            Cloud::Gcp
        } else {
            Cloud::Aws
        }
    }

    /// The account's id in the cloud's own way of comparing: Azure's without letter case.
    #[must_use]
    pub fn id(&self) -> String {
        match (&self.aws, &self.azure, &self.gcp) {
            (Some(aws), _, _) => aws.account_id.clone(),
            (_, Some(azure), _) => azure.subscription_id.to_ascii_lowercase(),
            (_, _, Some(gcp)) => gcp.project_id.clone(),
            _ => String::new(),
        }
    }

    /// The field that names the account.
    #[must_use]
    pub const fn id_field(&self) -> &'static str {
        if self.azure.is_some() {
            "spec.azure.subscriptionId"
        } else if self.gcp.is_some() {
            "spec.gcp.projectId"
        } else {
            "spec.aws.accountId"
        }
    }

    /// Regions or locations that are read; `None` for all.
    #[must_use]
    pub fn regions(&self) -> Option<Vec<String>> {
        match (&self.aws, &self.azure, &self.gcp) {
            (Some(aws), _, _) => aws.regions.clone(),
            (_, Some(azure), _) => azure.locations.clone(),
            (_, _, Some(gcp)) => gcp.locations.clone(),
            _ => None,
        }
    }
}

/// An Azure subscription that the client delegates to the provider's tenant by Lighthouse.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AzureAccount {
    /// Id of the subscription.
    #[x_kube(validation = Rule::new("self.matches('^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')")
        .message("subscriptionId must be the id of the subscription, such as 11111111-2222-3333-4444-555555555555, not its name"))]
    #[schemars(length(max = 40))]
    pub subscription_id: String,
    /// The client's own tenant. Where it is given, a subscription of another tenant is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self.matches('^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')")
        .message("tenantId must be the id of the client's tenant, such as 11111111-2222-3333-4444-555555555555, not its domain"))]
    #[schemars(length(max = 40))]
    pub tenant_id: Option<String>,
    /// Locations to read, such as westeurope. Without it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 80))]
    pub locations: Option<Vec<String>>,
}

/// A Google Cloud project and the service account in it that leads into it.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GcpAccount {
    /// Id of the project, not its number.
    #[x_kube(validation = Rule::new("self.matches('^([a-z][a-z0-9.-]*:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$')")
        .message("projectId must be the id of the project, such as acme-prod-123456, not its name or number"))]
    #[schemars(length(max = 60))]
    pub project_id: String,
    /// Name of the service account in the client's project that the operator makes tokens of. Each client has its own.
    #[serde(default = "default_service_account")]
    #[x_kube(validation = Rule::new("self.matches('^[a-z][a-z0-9-]{4,28}[a-z0-9]$')")
        .message("serviceAccountName takes 6 to 30 lower-case letters, digits and -, and begins with a letter"))]
    #[schemars(length(max = 60))]
    pub service_account_name: String,
    /// Locations to read, such as europe-west1. Without it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 80))]
    pub locations: Option<Vec<String>>,
}

/// Name of the service account when none is named.
#[must_use]
pub fn default_service_account() -> String {
    "caretaker".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_azure_id_is_one_in_any_letter_case() {
        let target = |id: &str| CloudTarget {
            aws: None,
            azure: Some(AzureAccount { subscription_id: id.into(), tenant_id: None, locations: None }),
            gcp: None,
        };
        assert_eq!(target("ABCDEF00-1111-2222-3333-444444444444").id(), target("abcdef00-1111-2222-3333-444444444444").id());
    }
}
