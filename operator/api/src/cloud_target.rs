//! Where a client's account is: exactly one account of one cloud, or a parent of many.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cloud_account::AwsAccount;
use crate::parents::{AwsOrganization, AzureTenant, GcpFolder};

/// Exactly one account of one cloud, or exactly one parent whose accounts are all looked after.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.aws), has(self.azure), has(self.gcp), has(self.awsOrganization), has(self.azureTenant), has(self.gcpFolder)].filter(is, is).size() == 1")
        .message("name exactly one of aws, azure and gcp, or of the parents awsOrganization, azureTenant and gcpFolder; give each an entry of its own"),
    // Else an ExternalId could be changed by way of another cloud.
    validation = Rule::new("has(self.aws) == has(oldSelf.aws) && has(self.azure) == has(oldSelf.azure) && has(self.gcp) == has(oldSelf.gcp) \
        && has(self.awsOrganization) == has(oldSelf.awsOrganization) && has(self.azureTenant) == has(oldSelf.azureTenant) \
        && has(self.gcpFolder) == has(oldSelf.gcpFolder)")
        .message("an entry stays what it is: the kind of its account does not change; give an account of another kind an entry of its own, and remove this one"),
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
    /// A parent: every account of an AWS Organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws_organization: Option<AwsOrganization>,
    /// A parent: every subscription of an Azure tenant that is delegated, or a list of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure_tenant: Option<AzureTenant>,
    /// A parent: every project of a Google Cloud folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gcp_folder: Option<GcpFolder>,
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
        if self.azure.is_some() || self.azure_tenant.is_some() {
            Cloud::Azure
        } else if self.gcp.is_some() || self.gcp_folder.is_some() {
            Cloud::Gcp
        } else {
            Cloud::Aws
        }
    }

    /// What it is: the cloud for an account; for a parent the cloud and what it is there.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        if self.aws_organization.is_some() {
            "aws-organization"
        } else if self.azure_tenant.is_some() {
            "azure-tenant"
        } else if self.gcp_folder.is_some() {
            "gcp-folder"
        } else {
            self.cloud().as_str()
        }
    }

    /// Whether it stands for many accounts and holds nothing itself.
    #[must_use]
    pub fn is_parent(&self) -> bool {
        self.aws_organization.is_some() || self.azure_tenant.is_some() || self.gcp_folder.is_some()
    }

    /// The id of account or parent in the cloud's own way of comparing: Azure's without letter case.
    #[must_use]
    pub fn id(&self) -> String {
        let account = match (&self.aws, &self.azure, &self.gcp) {
            (Some(aws), _, _) => Some(aws.account_id.clone()),
            (_, Some(azure), _) => Some(azure.subscription_id.to_ascii_lowercase()),
            (_, _, Some(gcp)) => Some(gcp.project_id.clone()),
            _ => None,
        };
        let parent = || match (&self.aws_organization, &self.azure_tenant, &self.gcp_folder) {
            (Some(organization), _, _) => organization.account_id.clone(),
            (_, Some(tenant), _) => tenant.tenant_id.to_ascii_lowercase(),
            (_, _, Some(folder)) => folder.folder_id.clone(),
            _ => String::new(),
        };
        account.unwrap_or_else(parent)
    }

    /// The field that names the account or the parent.
    #[must_use]
    pub fn id_field(&self) -> &'static str {
        match self.kind() {
            "azure" => "spec.azure.subscriptionId",
            "gcp" => "spec.gcp.projectId",
            "aws-organization" => "spec.awsOrganization.accountId",
            "azure-tenant" => "spec.azureTenant.tenantId",
            "gcp-folder" => "spec.gcpFolder.folderId",
            _ => "spec.aws.accountId",
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

    /// The AWS account and role by which it is reached: a parent by the one that lists it.
    #[must_use]
    pub fn aws_role(&self) -> Option<AwsAccount> {
        self.aws.clone().or_else(|| self.aws_organization.as_ref().map(AwsOrganization::lister))
    }

    /// Whether nothing can be tried because the ExternalId is not made yet. Only AWS knows one.
    #[must_use]
    pub fn lacks_external_id(&self) -> bool {
        self.aws_role().is_some_and(|role| role.external_id.is_none())
    }

    /// The same with the ExternalId that its role demands. Only AWS knows one.
    #[must_use]
    pub fn with_external_id(mut self, external_id: &str) -> Self {
        if let Some(account) = &mut self.aws {
            account.external_id = Some(external_id.to_owned());
        }
        if let Some(organization) = &mut self.aws_organization {
            organization.external_id = Some(external_id.to_owned());
        }
        self
    }

    /// Whether an account of this parent is looked after, as far as the spec says.
    #[must_use]
    pub fn takes(&self, id: &str) -> bool {
        let (excluded, named) = match (&self.aws_organization, &self.azure_tenant, &self.gcp_folder) {
            (Some(organization), _, _) => (&organization.exclude, None),
            (_, Some(tenant), _) => (&tenant.exclude, Some(&tenant.subscription_ids)),
            (_, _, Some(folder)) => (&folder.exclude, None),
            _ => return false,
        };
        let holds = |list: &[String]| list.iter().any(|held| held.eq_ignore_ascii_case(id));
        !holds(excluded) && named.is_none_or(|named| named.is_empty() || holds(named))
    }

    /// An account of this parent. `external_id` is the parent's.
    #[must_use]
    pub fn member(&self, id: &str, external_id: Option<&str>) -> Self {
        Self {
            aws: self.aws_organization.as_ref().map(|organization| organization.member(id, external_id)),
            azure: self.azure_tenant.as_ref().map(|tenant| AzureAccount {
                subscription_id: id.to_owned(),
                tenant_id: Some(tenant.tenant_id.clone()),
                locations: tenant.locations.clone(),
            }),
            gcp: self.gcp_folder.as_ref().map(|folder| GcpAccount {
                project_id: id.to_owned(),
                service_account_name: folder.service_account_name.clone(),
                service_account_project_id: Some(folder.service_account_project_id.clone()),
                locations: folder.locations.clone(),
            }),
            ..Self::default()
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
    #[schemars(length(min = 1, max = 80), inner(length(min = 1, max = 60)))]
    #[x_kube(validation = Rule::new("self.all(place, place.matches('^[a-z0-9-]+$'))")
        .message("locations are the names that the cloud's own API uses, such as westeurope, in small letters and without spaces"))]
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
    /// Id of the client's project that holds the service account, where it is another than the project itself: one service account may lead into many
    /// projects of one client, never into those of two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self.matches('^([a-z][a-z0-9.-]*:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$')")
        .message("serviceAccountProjectId must be the id of the project, such as acme-seed-123456, not its name or number"))]
    #[schemars(length(max = 60))]
    pub service_account_project_id: Option<String>,
    /// Locations to read, such as europe-west1. Without it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 80), inner(length(min = 1, max = 60)))]
    #[x_kube(validation = Rule::new("self.all(place, place.matches('^[a-z0-9-]+$'))")
        .message("locations are the names that the cloud's own API uses, such as europe-west1, in small letters and without spaces"))]
    pub locations: Option<Vec<String>>,
}

impl GcpAccount {
    /// Id of the project that holds the service account.
    #[must_use]
    pub fn service_account_project(&self) -> &str {
        self.service_account_project_id.as_deref().unwrap_or(&self.project_id)
    }
}

/// Name of the service account when none is named.
#[must_use]
pub fn default_service_account() -> String {
    "caretaker".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(subscriptions: &[&str], exclude: &[&str]) -> CloudTarget {
        let list = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        let tenant = AzureTenant { tenant_id: "T".into(), subscription_ids: list(subscriptions), exclude: list(exclude), locations: None };
        CloudTarget { azure_tenant: Some(tenant), ..CloudTarget::default() }
    }

    #[test]
    fn an_azure_id_is_one_in_any_letter_case() {
        let target = |id: &str| CloudTarget {
            azure: Some(AzureAccount { subscription_id: id.into(), tenant_id: None, locations: None }),
            ..CloudTarget::default()
        };
        assert_eq!(target("ABCDEF00-1111-2222-3333-444444444444").id(), target("abcdef00-1111-2222-3333-444444444444").id());
    }

    #[test]
    fn a_parent_takes_what_is_named_and_never_what_is_excluded() {
        let cases = [
            ("all where nothing is named", tenant(&[], &[]), "a", true),
            ("what is named, in any letter case", tenant(&["A"], &[]), "a", true),
            ("not what is not named", tenant(&["a"], &[]), "b", false),
            ("not what is excluded, in any letter case", tenant(&[], &["B"]), "b", false),
            ("exclusion wins", tenant(&["a"], &["a"]), "a", false),
            ("an account has no accounts", CloudTarget::default(), "a", false),
        ];
        for (reason, target, id, expected) in cases {
            assert_eq!(target.takes(id), expected, "{reason}");
        }
    }
}
