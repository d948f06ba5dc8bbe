//! From a `CloudAccount` and its provider to the grant that a cloud adapter takes.

use caretaker_api::cloud_account::{AwsAccount, CloudAccountSpec};
use caretaker_api::provider_profile::{AwsProvider, ProviderProfileSpec};
use caretaker_cloud::{AccessGrant, AwsGrant, AzureGrant, AzureTenantGrant, GcpFolderGrant, GcpGrant};

use crate::digest::sha256_hex;

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

/// A principal as IAM writes members: an e-mail address is a service account's.
#[must_use]
pub fn member(principal: &str) -> String {
    if principal.contains(':') { principal.to_owned() } else { format!("serviceAccount:{principal}") }
}

/// E-mail address of a service account. In the id of a project that belongs to a domain the parts change places.
#[must_use]
pub fn service_account(account_name: &str, project_id: &str) -> String {
    match project_id.split_once(':') {
        Some((domain, project)) => format!("{account_name}@{project}.{domain}.iam.gserviceaccount.com"),
        None => format!("{account_name}@{project_id}.iam.gserviceaccount.com"),
    }
}

/// The grant of an account. `None` until the ExternalId is made, without which nothing is tried on AWS, and where the provider is not on the account's
/// cloud.
#[must_use]
pub fn grant(client: &str, name: &str, spec: &CloudAccountSpec, provider: &ProviderProfileSpec) -> Option<AccessGrant> {
    let target = &spec.target;
    if let (Some(azure), Some(_)) = (&target.azure, &provider.azure) {
        let home_tenant_id = azure.tenant_id.as_ref().map(|id| id.to_ascii_lowercase());
        return Some(AccessGrant::Azure(AzureGrant { client: client.into(), subscription_id: target.id(), home_tenant_id }));
    }
    if let (Some(gcp), Some(_)) = (&target.gcp, &provider.gcp) {
        let service_account = service_account(&gcp.service_account_name, gcp.service_account_project());
        return Some(AccessGrant::Gcp(GcpGrant { client: client.into(), project_id: gcp.project_id.clone(), service_account }));
    }
    if let (Some(tenant), Some(_)) = (&target.azure_tenant, &provider.azure) {
        return Some(AccessGrant::AzureTenant(AzureTenantGrant {
            tenant_id: target.id(),
            subscription_ids: tenant.subscription_ids.clone(),
            exclude: tenant.exclude.clone(),
        }));
    }
    if let (Some(folder), Some(_)) = (&target.gcp_folder, &provider.gcp) {
        return Some(AccessGrant::GcpFolder(GcpFolderGrant {
            client: client.into(),
            folder_id: folder.folder_id.clone(),
            project_id: folder.service_account_project_id.clone(),
            service_account: service_account(&folder.service_account_name, &folder.service_account_project_id),
        }));
    }
    let account = target.aws_role()?;
    let external_id = account.external_id.clone()?;
    let role_arn = role_arn(&account, provider.aws.as_ref()?);
    Some(AccessGrant::Aws(AwsGrant {
        account_id: account.account_id.clone(),
        role_arn,
        external_id,
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
    if let Some(folder) = &target.gcp_folder {
        return service_account(&folder.service_account_name, &folder.service_account_project_id);
    }
    if let Some(gcp) = &target.gcp {
        return service_account(&gcp.service_account_name, gcp.service_account_project());
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

    #[test]
    fn members_and_addresses() {
        assert_eq!(member("us@p.iam.gserviceaccount.com"), "serviceAccount:us@p.iam.gserviceaccount.com");
        let federated =
            "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pods/subject/system:serviceaccount:a:b";
        assert_eq!(member(federated), federated);
        assert_eq!(service_account("caretaker", "example.com:prod"), "caretaker@prod.example.com.iam.gserviceaccount.com");
    }
}
