//! The grant kit: what the client applies so that the operator gets in. Made from the same permission manifest that the operator checks.

pub mod azure;
pub mod gcp;

mod aws;
mod folder;
mod organization;
mod tenant;

use std::collections::BTreeMap;

use caretaker_api::cloud_account::CloudAccountSpec;
use caretaker_api::provider_profile::ProviderProfileSpec;
use caretaker_core::grant::{member, service_account};
use caretaker_core::kit::purposes;

/// Whom a kit is for.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The client, as its object is named.
    pub client: &'a str,
    /// Name of the CloudAccount.
    pub account: &'a str,
    /// The account or parent, and what it allows.
    pub spec: &'a CloudAccountSpec,
    /// The provider.
    pub provider: &'a ProviderProfileSpec,
}

/// The kit's files by name, for the account's cloud. `None` until the ExternalId is made, and where the provider is not on that cloud.
#[must_use]
pub fn files(subject: &Subject<'_>) -> Option<BTreeMap<String, String>> {
    let (target, provider) = (&subject.spec.target, subject.provider);
    if target.aws_organization.is_some() {
        return organization::files(subject);
    }
    if let Some(tenant) = &target.azure_tenant {
        return Some(tenant::files(subject, tenant, provider.azure.as_ref()?));
    }
    if let Some(folder) = &target.gcp_folder {
        return Some(folder::files(subject, folder, provider.gcp.as_ref()?));
    }
    if target.azure.is_some() {
        let azure = provider.azure.as_ref()?;
        return Some(azure::files(&azure::Delegation {
            client: subject.client.into(),
            provider: provider.display_name.clone(),
            subscription_id: target.id(),
            tenant_id: azure.tenant_id.to_ascii_lowercase(),
            principal_id: azure.principal_id.to_ascii_lowercase(),
        }));
    }
    let Some(account) = &target.gcp else {
        return aws::files(subject);
    };
    let provider = provider.gcp.as_ref()?;
    if account.service_account_project() != account.project_id {
        return Some(folder::project_files(subject.client, account));
    }
    let kit = gcp::GcpKit {
        client: subject.client,
        project_id: &account.project_id,
        account_name: &account.service_account_name,
        member: &member(&provider.principal),
        quota_project: provider.quota_project.as_deref(),
        customer_id: provider.customer_id.as_deref(),
        purposes: &purposes(&subject.spec.allow),
    };
    Some(kit.files())
}

/// What the provider must run itself before an account can be read, whatever the client applies: on Google Cloud, where a quota project pays.
#[must_use]
pub fn provider_command(spec: &CloudAccountSpec, provider: &ProviderProfileSpec) -> Option<String> {
    let (name, project) = match (&spec.target.gcp, &spec.target.gcp_folder) {
        (Some(account), _) => (&account.service_account_name, account.service_account_project()),
        (_, Some(folder)) => (&folder.service_account_name, folder.service_account_project_id.as_str()),
        _ => return None,
    };
    let quota_project = provider.gcp.as_ref()?.quota_project.as_deref()?;
    Some(gcp::provider_command(quota_project, &service_account(name, project)))
}

#[cfg(test)]
mod tests;
