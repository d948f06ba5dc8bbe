//! Parents: one entry that stands for all accounts of an organisation, a tenant or a folder, and what is seen of those accounts.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cloud_account::{AwsAccount, default_role};
use crate::cloud_target::default_service_account;

/// An AWS Organization, seen from its management account or from a delegated administrator's account. Each of its accounts becomes a CloudAccount of
/// its own, new ones appear unaided, and closed ones are marked. The account that is named here is itself read only where it has the members' role.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(oldSelf.externalId) || (has(self.externalId) && self.externalId == oldSelf.externalId)")
        .message("externalId is made once and never changes: the client's roles depend on it"),
)]
pub struct AwsOrganization {
    /// The 12 digits of the management account, or of an account that the organization has made a delegated administrator.
    #[x_kube(validation = Rule::new("self.matches('^[0-9]{12}$')").message("accountId must be the 12 digits of the AWS account, leading zeros included"))]
    #[schemars(length(max = 40))]
    pub account_id: String,
    /// Name of the role in that account with which the accounts of the organization are listed. It can do nothing else; where Revoke is allowed, it can
    /// also close itself.
    #[serde(default = "default_organization_role")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9+=,.@_-]+$')").message("roleName takes letters, digits and + = , . @ _ -"))]
    pub role_name: String,
    /// Name of the role in each account of the organization that the operator assumes. The grant kit has a template for a StackSet that makes it.
    #[serde(default = "default_role")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9+=,.@_-]+$')").message("memberRoleName takes letters, digits and + = , . @ _ -"))]
    pub member_role_name: String,
    /// Regions to read in each account. Without it each account itself is asked which regions are enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40), inner(length(max = 32)))]
    #[x_kube(validation = Rule::new("self.all(region, region.matches('^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$'))")
        .message("regions are the names that AWS's own API uses, such as eu-west-1, in small letters and without spaces"))]
    pub regions: Option<Vec<String>>,
    /// Accounts of the organization that are not looked after: their 12 digits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), inner(length(max = 12), regex(pattern = "^[0-9]{12}$")))]
    pub exclude: Vec<String>,
    /// The ExternalId that the roles must demand. The operator makes it once; do not set it unless you restore an object. It is one for the whole
    /// organization: a StackSet gives every account the same template, and the ExternalId keeps clients apart, not the accounts of one client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self.size() >= 22")
        .message("externalId must not be guessable: 22 characters or more, as 128 random bits have; leave it out, and the operator makes one"))]
    #[schemars(length(min = 2, max = 1224))]
    pub external_id: Option<String>,
}

impl AwsOrganization {
    /// The account and role with which the organization is listed.
    #[must_use]
    pub fn lister(&self) -> AwsAccount {
        AwsAccount {
            account_id: self.account_id.clone(),
            role_name: self.role_name.clone(),
            regions: None,
            external_id: self.external_id.clone(),
        }
    }

    /// An account of the organization.
    #[must_use]
    pub fn member(&self, account_id: &str, external_id: Option<&str>) -> AwsAccount {
        AwsAccount {
            account_id: account_id.to_owned(),
            role_name: self.member_role_name.clone(),
            regions: self.regions.clone(),
            external_id: external_id.map(str::to_owned),
        }
    }
}

/// Name of the role that lists an organization when none is named.
#[must_use]
pub fn default_organization_role() -> String {
    "CaretakerOrganization".into()
}

/// All subscriptions of a client's Azure tenant that are delegated to the provider's tenant by Lighthouse. Each becomes a CloudAccount of its own. A
/// delegation always is one of a single subscription, never of a management group: for a whole group the client assigns the policy that the grant kit
/// describes, which delegates each subscription of it, and those that come later.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AzureTenant {
    /// The client's own tenant.
    #[x_kube(validation = Rule::new("self.matches('^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')")
        .message("tenantId must be the id of the client's tenant, such as 11111111-2222-3333-4444-555555555555, not its domain"))]
    #[schemars(length(max = 40))]
    pub tenant_id: String,
    /// The subscriptions that are looked after. One that is not delegated yet waits for its grant. Without the list, all that are delegated are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 500),
        inner(length(max = 36), regex(pattern = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"))
    )]
    pub subscription_ids: Vec<String>,
    /// Subscriptions that are not looked after, although they are delegated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 500),
        inner(length(max = 36), regex(pattern = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"))
    )]
    pub exclude: Vec<String>,
    /// Locations to read, such as westeurope. Without it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 80), inner(length(min = 1, max = 60)))]
    #[x_kube(validation = Rule::new("self.all(place, place.matches('^[a-z0-9-]+$'))")
        .message("locations are the names that the cloud's own API uses, such as westeurope, in small letters and without spaces"))]
    pub locations: Option<Vec<String>>,
}

/// All projects of a Google Cloud folder, those of its sub-folders included. Each becomes a CloudAccount of its own, new ones appear unaided, and those
/// that are shut down are marked. The client grants the access once, on the folder, to one service account.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GcpFolder {
    /// Number of the folder.
    #[x_kube(validation = Rule::new("self.matches('^[0-9]{1,20}$')").message("folderId must be the number of the folder, such as 123456789012, not its name"))]
    #[schemars(length(max = 40))]
    pub folder_id: String,
    /// Id of the client's project that holds the service account. It need not be in the folder.
    #[x_kube(validation = Rule::new("self.matches('^([a-z][a-z0-9.-]*:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$')")
        .message("serviceAccountProjectId must be the id of the project, such as acme-seed-123456, not its name or number"))]
    #[schemars(length(max = 60))]
    pub service_account_project_id: String,
    /// Name of the service account that the operator makes tokens of. Each folder's kit makes one of its own: two folders with one project need two names.
    #[serde(default = "default_service_account")]
    #[x_kube(validation = Rule::new("self.matches('^[a-z][a-z0-9-]{4,28}[a-z0-9]$')")
        .message("serviceAccountName takes 6 to 30 lower-case letters, digits and -, and begins with a letter"))]
    #[schemars(length(max = 60))]
    pub service_account_name: String,
    /// Projects of the folder that are not looked after: their ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), inner(length(min = 6, max = 60)))]
    pub exclude: Vec<String>,
    /// Locations to read, such as europe-west1. Without it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 80), inner(length(min = 1, max = 60)))]
    #[x_kube(validation = Rule::new("self.all(place, place.matches('^[a-z0-9-]+$'))")
        .message("locations are the names that the cloud's own API uses, such as europe-west1, in small letters and without spaces"))]
    pub locations: Option<Vec<String>>,
}

/// Which parent an account came from, and what the parent says of it.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Membership {
    /// CloudAccount of the parent.
    #[schemars(length(min = 1, max = 40))]
    pub parent: String,
    /// What the parent says of the account.
    pub state: MemberState,
    /// Since when it has said so, as far as was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
}

impl Membership {
    /// Whether the account is worked on.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.state.is_live()
    }
}

/// State of an account of a parent.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MemberState {
    /// In use.
    Active,
    /// Not in use yet, or not delegated yet: it waits for its grant.
    Pending,
    /// Switched off by the cloud or by its owner. It is not read any more.
    Suspended,
    /// Closed, or being closed. It is not read any more.
    Closed,
    /// No longer in the parent's complete list: moved away, deleted, or no longer delegated. It is not read any more.
    Gone,
}

impl MemberState {
    /// Whether the account is worked on.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Active | Self::Pending)
    }
}

/// An account of a parent.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberStatus {
    /// Account, subscription or project.
    pub id: String,
    /// Its name in the cloud.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its state.
    pub state: MemberState,
    /// Since when it has this state, as far as was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
}
