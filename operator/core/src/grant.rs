//! From a `CloudAccount` and its provider to the grant that a cloud adapter takes.

use caretaker_api::cloud_account::{AwsAccount, CloudAccountSpec, CloudTarget};
use caretaker_api::provider_profile::{AwsProvider, ProviderProfileSpec};
use caretaker_cloud::{AccessGrant, AwsGrant, AzureGrant, AzureTenantGrant, GcpFolderGrant, GcpGrant};

use crate::digest::sha256_hex;
use crate::kit_gcp;

/// Longest name of an AWS session and longest SourceIdentity, in characters.
const MAX_NAME: usize = 64;
/// Characters of the digest that tells long names apart.
const DIGEST: usize = 8;

/// ARN of the role in the client's account. The partition is the provider's.
#[must_use]
pub fn role_arn(account: &AwsAccount, provider: &AwsProvider) -> String {
    format!("arn:{}:iam::{}:role/{}", partition(&provider.principal_arn), account.account_id, account.role_name)
}

/// The partition of an ARN: `aws`, `aws-cn`, `aws-us-gov`.
#[must_use]
pub fn partition(arn: &str) -> &str {
    arn.split(':').nth(1).unwrap_or("aws")
}

/// The account id in an ARN; empty where it has none.
#[must_use]
pub fn account_of_arn(arn: &str) -> &str {
    arn.split(':').nth(4).unwrap_or_default()
}

/// The grant of an account. `None` until the ExternalId is made, without which nothing is tried on AWS, and where the provider is not on the account's
/// cloud.
#[must_use]
pub fn grant(client: &str, name: &str, spec: &CloudAccountSpec, provider: &ProviderProfileSpec) -> Option<AccessGrant> {
    let target = &spec.target;
    let client = client.to_owned();
    let held = match target {
        CloudTarget::Aws(account) => aws_grant(&client, name, account, provider)?,
        CloudTarget::AwsOrganization(organization) => aws_grant(&client, name, &organization.lister(), provider)?,
        CloudTarget::Azure(azure) => {
            provider.azure.as_ref()?;
            let home_tenant_id = azure.tenant_id.as_ref().map(|id| id.to_ascii_lowercase());
            AccessGrant::Azure(AzureGrant { client, subscription_id: target.id(), home_tenant_id })
        }
        CloudTarget::AzureTenant(tenant) => {
            provider.azure.as_ref()?;
            AccessGrant::AzureTenant(AzureTenantGrant {
                tenant_id: target.id(),
                subscription_ids: tenant.subscription_ids.clone(),
                exclude: tenant.exclude.clone(),
            })
        }
        CloudTarget::Gcp(gcp) => {
            provider.gcp.as_ref()?;
            let service_account = kit_gcp::service_account(&gcp.service_account_name, gcp.service_account_project());
            AccessGrant::Gcp(GcpGrant { client, project_id: gcp.project_id.clone(), service_account })
        }
        CloudTarget::GcpFolder(folder) => {
            provider.gcp.as_ref()?;
            AccessGrant::GcpFolder(GcpFolderGrant {
                client,
                folder_id: folder.folder_id.clone(),
                project_id: folder.service_account_project_id.clone(),
                service_account: kit_gcp::service_account(&folder.service_account_name, &folder.service_account_project_id),
            })
        }
    };
    Some(held)
}

fn aws_grant(client: &str, name: &str, account: &AwsAccount, provider: &ProviderProfileSpec) -> Option<AccessGrant> {
    Some(AccessGrant::Aws(AwsGrant {
        account_id: account.account_id.clone(),
        role_arn: role_arn(account, provider.aws.as_ref()?),
        external_id: account.external_id.clone()?,
        session_name: session_name(client, name),
        source_identity: source_identity(client, name),
    }))
}

/// The principal that leads into an account or a parent, in the cloud's own words; empty where the provider is not on its cloud.
#[must_use]
pub fn principal(spec: &CloudAccountSpec, provider: &ProviderProfileSpec) -> String {
    let target = &spec.target;
    if let Some(aws) = target.aws_role() {
        return provider.aws.as_ref().map(|provider| role_arn(&aws, provider)).unwrap_or_default();
    }
    if let Some(account) = target.service_account() {
        return kit_gcp::service_account(account.name, account.project);
    }
    let tenant = provider.azure.as_ref().map(|provider| provider.tenant_id.to_ascii_lowercase());
    let what = if target.is_parent() { "subscriptions of tenant" } else { "subscription" };
    tenant.map(|tenant| format!("the delegation of {what} {} to tenant {tenant}", target.id())).unwrap_or_default()
}

/// The name under which our calls stand in the client's audit log.
#[must_use]
pub fn session_name(client: &str, account: &str) -> String {
    fit(format!("caretaker-{client}-{account}"))
}

/// The object that acts, as the client's audit log shows it with every call: `ACCOUNT@CLIENT`. Names of objects hold no `@`, so it is not ambiguous.
#[must_use]
pub fn source_identity(client: &str, account: &str) -> String {
    fit(format!("{account}@{client}"))
}

/// A name that AWS takes. What is too long is cut and ends with a digest of the whole, so that two names never become one.
fn fit(name: String) -> String {
    if name.chars().count() <= MAX_NAME {
        return name;
    }
    let kept: String = name.chars().take(MAX_NAME - DIGEST - 1).collect();
    format!("{kept}.{}", &sha256_hex(&name)[..DIGEST])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tenants_grant_says_which_subscriptions_are_looked_after() {
        let provider = serde_json::from_value(json!({
            "displayName": "Care", "contacts": [], "azure": {"tenantId": "AA", "clientId": "c", "principalId": "p"},
        }));
        let spec = serde_json::from_value(json!({
            "azureTenant": {"tenantId": "BB", "subscriptionIds": ["one", "two"], "exclude": ["two"]}, "allow": [],
        }));
        let Some(AccessGrant::AzureTenant(grant)) = grant("acme", "all", &spec.unwrap(), &provider.unwrap()) else {
            panic!("the grant of a tenant")
        };
        assert_eq!(
            (grant.tenant_id, grant.subscription_ids, grant.exclude),
            ("bb".into(), vec!["one".into(), "two".into()], vec!["two".into()])
        );
    }

    #[test]
    fn names_fit_what_sts_takes_and_stay_apart() {
        assert_eq!(session_name("acme", "prod"), "caretaker-acme-prod");
        assert_eq!(source_identity("acme", "prod"), "prod@acme");
        let (long, other) = ("a".repeat(40), format!("{}b", "a".repeat(39)));
        let names =
            [source_identity(&long, &long), source_identity(&other, &long), session_name(&long, &long), session_name(&long, &other)];
        for name in &names {
            let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
            assert!((2..=64).contains(&name.len()) && name.chars().all(is_allowed), "{name}");
        }
        let apart: std::collections::BTreeSet<&String> = names.iter().collect();
        assert_eq!(apart.len(), names.len(), "{names:?}");
    }
}
