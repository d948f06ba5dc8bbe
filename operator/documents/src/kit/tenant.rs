//! The grant kit of an Azure tenant: the delegation of each of its subscriptions.

use std::collections::BTreeMap;

use caretaker_api::parents::AzureTenant;
use caretaker_api::provider_profile::AzureProvider;
use serde_json::json;

use super::{Subject, azure};
use crate::template::render;

/// The kit's files by name.
pub(super) fn files(subject: &Subject<'_>, tenant: &AzureTenant, provider: &AzureProvider) -> BTreeMap<String, String> {
    let delegation = azure::Delegation {
        client: subject.client.to_owned(),
        provider: subject.provider.display_name.clone(),
        // The template names none: it delegates the subscription that it is deployed to.
        subscription_id: String::new(),
        tenant_id: provider.tenant_id.to_ascii_lowercase(),
        principal_id: provider.principal_id.to_ascii_lowercase(),
    };
    let mut files = azure::files(&delegation);
    files.retain(|name, _| name == "caretaker-access.azure.json");
    let subscriptions: Vec<String> = tenant.subscription_ids.iter().map(|id| id.to_ascii_lowercase()).collect();
    let context = json!({
        "home": tenant.tenant_id.to_ascii_lowercase(),
        "client": subject.client,
        "subscriptions": subscriptions,
        "provider_tenant": delegation.tenant_id,
        "actions": azure::actions(),
    });
    files.insert("caretaker-delegate.sh".to_owned(), render("kit/tenant/caretaker-delegate.sh", &context));
    files.insert("README.md".to_owned(), render("kit/tenant/README.md", &context));
    files
}
