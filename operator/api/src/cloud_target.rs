//! Where a client's account is: exactly one account of one cloud, or a parent of many.

use std::borrow::Cow;

use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use crate::cloud_account::AwsAccount;
use crate::parents::{AwsOrganization, AzureTenant, GcpFolder};

/// One account of one cloud, or one parent whose accounts are all looked after. In the API it is the one of six fields that is given; an object that
/// names none or several is no object of ours, and is not read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub enum CloudTarget {
    /// An AWS account.
    Aws(AwsAccount),
    /// An Azure subscription.
    Azure(AzureAccount),
    /// A Google Cloud project.
    Gcp(GcpAccount),
    /// A parent: every account of an AWS Organization.
    AwsOrganization(AwsOrganization),
    /// A parent: every subscription of an Azure tenant that is delegated, or a list of them.
    AzureTenant(AzureTenant),
    /// A parent: every project of a Google Cloud folder.
    GcpFolder(GcpFolder),
}

/// Exactly one account of one cloud, or exactly one parent whose accounts are all looked after.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.aws), has(self.azure), has(self.gcp), has(self.awsOrganization), has(self.azureTenant), has(self.gcpFolder)].filter(is, is).size() == 1")
        .message("name exactly one of aws, azure and gcp, or of the parents awsOrganization, azureTenant and gcpFolder; give each an entry of its own"),
)]
struct Fields {
    /// An AWS account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aws: Option<AwsAccount>,
    /// An Azure subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    azure: Option<AzureAccount>,
    /// A Google Cloud project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gcp: Option<GcpAccount>,
    /// A parent: every account of an AWS Organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aws_organization: Option<AwsOrganization>,
    /// A parent: every subscription of an Azure tenant that is delegated, or a list of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    azure_tenant: Option<AzureTenant>,
    /// A parent: every project of a Google Cloud folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gcp_folder: Option<GcpFolder>,
}

impl TryFrom<Fields> for CloudTarget {
    type Error = &'static str;

    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        let Fields { aws, azure, gcp, aws_organization, azure_tenant, gcp_folder } = fields;
        let mut named = [
            aws.map(Self::Aws),
            azure.map(Self::Azure),
            gcp.map(Self::Gcp),
            aws_organization.map(Self::AwsOrganization),
            azure_tenant.map(Self::AzureTenant),
            gcp_folder.map(Self::GcpFolder),
        ]
        .into_iter()
        .flatten();
        match (named.next(), named.next()) {
            (Some(target), None) => Ok(target),
            (None, _) => Err("none of aws, azure, gcp, awsOrganization, azureTenant and gcpFolder is named"),
            (Some(_), Some(_)) => Err("more than one of aws, azure, gcp, awsOrganization, azureTenant and gcpFolder is named"),
        }
    }
}

impl From<CloudTarget> for Fields {
    fn from(target: CloudTarget) -> Self {
        let mut fields = Self::default();
        match target {
            CloudTarget::Aws(account) => fields.aws = Some(account),
            CloudTarget::Azure(account) => fields.azure = Some(account),
            CloudTarget::Gcp(account) => fields.gcp = Some(account),
            CloudTarget::AwsOrganization(organization) => fields.aws_organization = Some(organization),
            CloudTarget::AzureTenant(tenant) => fields.azure_tenant = Some(tenant),
            CloudTarget::GcpFolder(folder) => fields.gcp_folder = Some(folder),
        }
        fields
    }
}

/// The form is that of the fields.
impl JsonSchema for CloudTarget {
    fn inline_schema() -> bool {
        Fields::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        Fields::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Fields::json_schema(generator)
    }
}

/// What a target is: an account of a cloud, or a parent there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TargetKind {
    /// An AWS account.
    Aws,
    /// An Azure subscription.
    Azure,
    /// A Google Cloud project.
    Gcp,
    /// An AWS Organization.
    AwsOrganization,
    /// An Azure tenant.
    AzureTenant,
    /// A Google Cloud folder.
    GcpFolder,
}

impl TargetKind {
    /// The word in a status and in names: the cloud for an account; for a parent the cloud and what it is there.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => Cloud::Aws.as_str(),
            Self::Azure => Cloud::Azure.as_str(),
            Self::Gcp => Cloud::Gcp.as_str(),
            Self::AwsOrganization => "aws-organization",
            Self::AzureTenant => "azure-tenant",
            Self::GcpFolder => "gcp-folder",
        }
    }
}

impl std::fmt::Display for TargetKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
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
    pub const fn cloud(&self) -> Cloud {
        match self {
            Self::Aws(_) | Self::AwsOrganization(_) => Cloud::Aws,
            Self::Azure(_) | Self::AzureTenant(_) => Cloud::Azure,
            Self::Gcp(_) | Self::GcpFolder(_) => Cloud::Gcp,
        }
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> TargetKind {
        match self {
            Self::Aws(_) => TargetKind::Aws,
            Self::Azure(_) => TargetKind::Azure,
            Self::Gcp(_) => TargetKind::Gcp,
            Self::AwsOrganization(_) => TargetKind::AwsOrganization,
            Self::AzureTenant(_) => TargetKind::AzureTenant,
            Self::GcpFolder(_) => TargetKind::GcpFolder,
        }
    }

    /// Whether it stands for many accounts and holds nothing itself.
    #[must_use]
    pub const fn is_parent(&self) -> bool {
        matches!(self, Self::AwsOrganization(_) | Self::AzureTenant(_) | Self::GcpFolder(_))
    }

    /// The id of account or parent in the cloud's own way of comparing: Azure's without letter case.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::Aws(account) => account.account_id.clone(),
            Self::Azure(account) => account.subscription_id.to_ascii_lowercase(),
            Self::Gcp(account) => account.project_id.clone(),
            Self::AwsOrganization(organization) => organization.account_id.clone(),
            Self::AzureTenant(tenant) => tenant.tenant_id.to_ascii_lowercase(),
            Self::GcpFolder(folder) => folder.folder_id.clone(),
        }
    }

    /// The field that names the account or the parent.
    #[must_use]
    pub const fn id_field(&self) -> &'static str {
        match self {
            Self::Aws(_) => "spec.aws.accountId",
            Self::Azure(_) => "spec.azure.subscriptionId",
            Self::Gcp(_) => "spec.gcp.projectId",
            Self::AwsOrganization(_) => "spec.awsOrganization.accountId",
            Self::AzureTenant(_) => "spec.azureTenant.tenantId",
            Self::GcpFolder(_) => "spec.gcpFolder.folderId",
        }
    }

    /// Regions or locations that are read; `None` for all. A parent is in none itself.
    #[must_use]
    pub fn regions(&self) -> Option<Vec<String>> {
        match self {
            Self::Aws(account) => account.regions.clone(),
            Self::Azure(account) => account.locations.clone(),
            Self::Gcp(account) => account.locations.clone(),
            Self::AwsOrganization(_) | Self::AzureTenant(_) | Self::GcpFolder(_) => None,
        }
    }

    /// The AWS account and role by which it is reached: a parent by the one that lists it.
    #[must_use]
    pub fn aws_role(&self) -> Option<AwsAccount> {
        match self {
            Self::Aws(account) => Some(account.clone()),
            Self::AwsOrganization(organization) => Some(organization.lister()),
            Self::Azure(_) | Self::AzureTenant(_) | Self::Gcp(_) | Self::GcpFolder(_) => None,
        }
    }

    /// The service account on Google Cloud by which it is reached.
    #[must_use]
    pub fn service_account(&self) -> Option<ServiceAccount<'_>> {
        match self {
            Self::Gcp(account) => Some(account.service_account()),
            Self::GcpFolder(folder) => Some(folder.service_account()),
            Self::Aws(_) | Self::AwsOrganization(_) | Self::Azure(_) | Self::AzureTenant(_) => None,
        }
    }

    /// Whether nothing can be tried because the ExternalId is not made yet. Only AWS knows one.
    #[must_use]
    pub fn lacks_external_id(&self) -> bool {
        self.aws_role().is_some_and(|role| role.external_id.is_none())
    }

    /// The same with the ExternalId that its role demands. Only AWS knows one.
    #[must_use]
    pub fn with_external_id(mut self, external_id: &str) -> Self {
        match &mut self {
            Self::Aws(account) => account.external_id = Some(external_id.to_owned()),
            Self::AwsOrganization(organization) => organization.external_id = Some(external_id.to_owned()),
            Self::Azure(_) | Self::AzureTenant(_) | Self::Gcp(_) | Self::GcpFolder(_) => {}
        }
        self
    }

    /// Whether an account of this parent is looked after, as far as the spec says. An account has no accounts.
    #[must_use]
    pub fn takes(&self, id: &str) -> bool {
        let (excluded, named) = match self {
            Self::AwsOrganization(organization) => (&organization.exclude, None),
            Self::AzureTenant(tenant) => (&tenant.exclude, Some(&tenant.subscription_ids)),
            Self::GcpFolder(folder) => (&folder.exclude, None),
            Self::Aws(_) | Self::Azure(_) | Self::Gcp(_) => return false,
        };
        let holds = |list: &[String]| list.iter().any(|held| held.eq_ignore_ascii_case(id));
        !holds(excluded) && named.is_none_or(|named| named.is_empty() || holds(named))
    }

    /// An account of this parent. `external_id` is the parent's. `None` for an account, which has none.
    #[must_use]
    pub fn member(&self, id: &str, external_id: Option<&str>) -> Option<Self> {
        Some(match self {
            Self::AwsOrganization(organization) => Self::Aws(organization.member(id, external_id)),
            Self::AzureTenant(tenant) => Self::Azure(AzureAccount {
                subscription_id: id.to_owned(),
                tenant_id: Some(tenant.tenant_id.clone()),
                locations: tenant.locations.clone(),
            }),
            Self::GcpFolder(folder) => Self::Gcp(GcpAccount {
                project_id: id.to_owned(),
                service_account_name: folder.service_account_name.clone(),
                service_account_project_id: Some(folder.service_account_project_id.clone()),
                locations: folder.locations.clone(),
            }),
            Self::Aws(_) | Self::Azure(_) | Self::Gcp(_) => return None,
        })
    }
}

/// A service account on Google Cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceAccount<'a> {
    /// Its name.
    pub name: &'a str,
    /// Id of the project that holds it.
    pub project: &'a str,
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

    /// The service account that leads into the project.
    #[must_use]
    pub fn service_account(&self) -> ServiceAccount<'_> {
        ServiceAccount { name: &self.service_account_name, project: self.service_account_project() }
    }
}

/// Name of the service account when none is named.
#[must_use]
pub fn default_service_account() -> String {
    "caretaker".into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tenant(subscriptions: &[&str], exclude: &[&str]) -> CloudTarget {
        let list = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        let tenant = AzureTenant { tenant_id: "T".into(), subscription_ids: list(subscriptions), exclude: list(exclude), locations: None };
        CloudTarget::AzureTenant(tenant)
    }

    fn subscription() -> CloudTarget {
        CloudTarget::Azure(AzureAccount { subscription_id: "S".into(), tenant_id: None, locations: None })
    }

    #[test]
    fn a_target_is_one_field_and_neither_none_nor_several() {
        let one = json!({"gcpFolder": {"folderId": "77", "serviceAccountName": "caretaker", "serviceAccountProjectId": "acme-seed"}});
        let target: CloudTarget = serde_json::from_value(one.clone()).unwrap();
        assert_eq!((target.kind(), target.cloud(), serde_json::to_value(&target).unwrap()), (TargetKind::GcpFolder, Cloud::Gcp, one));
        let aws = json!({"accountId": "111122223333"});
        let cases = [
            ("nothing is named", json!({}), "none of"),
            ("an account of two clouds", json!({"aws": aws, "gcp": {"projectId": "acme-prod"}}), "more than one"),
            ("an account and a parent", json!({"aws": aws, "awsOrganization": aws}), "more than one"),
        ];
        for (reason, fields, expected) in cases {
            let error = serde_json::from_value::<CloudTarget>(fields).unwrap_err().to_string();
            assert!(error.contains(expected), "{reason}: {error}");
        }
    }

    #[test]
    fn an_azure_id_is_one_in_any_letter_case() {
        let target = |id: &str| CloudTarget::Azure(AzureAccount { subscription_id: id.into(), tenant_id: None, locations: None });
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
            ("an account has no accounts", subscription(), "a", false),
        ];
        for (reason, target, id, expected) in cases {
            assert_eq!(target.takes(id), expected, "{reason}");
        }
    }
}
