//! The grant kit of an Azure tenant: the delegation of each of its subscriptions.

use std::collections::BTreeMap;

use caretaker_api::parents::AzureTenant;
use caretaker_api::provider_profile::AzureProvider;
use caretaker_cloud::Purpose;
use caretaker_cloud::manifest::azure_actions;

use super::{Subject, azure};

/// The kit's files by name.
pub(super) fn files(subject: &Subject<'_>, tenant: &AzureTenant, provider: &AzureProvider) -> BTreeMap<String, String> {
    let client = subject.client;
    let delegation = azure::Delegation {
        client: client.to_owned(),
        provider: subject.provider.display_name.clone(),
        // The template names none: it delegates the subscription that it is deployed to.
        subscription_id: String::new(),
        tenant_id: provider.tenant_id.to_ascii_lowercase(),
        principal_id: provider.principal_id.to_ascii_lowercase(),
    };
    let mut files = azure::files(&delegation);
    files.retain(|name, _| name == "caretaker-access.azure.json");
    let home = tenant.tenant_id.to_ascii_lowercase();
    let named: Vec<String> = tenant.subscription_ids.iter().map(|id| id.to_ascii_lowercase()).collect();
    let list = if named.is_empty() {
        format!("$(az account list --all --query \"[?homeTenantId=='{home}' && state=='Enabled'].id\" --output tsv)")
    } else {
        named.join(" ")
    };
    files.insert(
        "caretaker-delegate.sh".to_owned(),
        format!(
            "#!/bin/sh\n\
             # Delegates subscriptions of the tenant {home} to the managed service provider, one by one: Azure knows no other way.\n\
             # Needs the az command, signed in as Owner of each, a member of the tenant and not a guest. Safe to run again.\n\
             set -eu\n\n\
             for subscription in {list}; do\n  \
             az provider register --namespace Microsoft.ManagedServices --subscription \"$subscription\" --wait\n  \
             az deployment sub create --subscription \"$subscription\" --location westeurope --name caretaker-access \\\n    \
             --template-file caretaker-access.azure.json\n\
             done\n"
        ),
    );
    let actions: String = [Purpose::Read, Purpose::Revoke]
        .into_iter()
        .flat_map(azure_actions)
        .map(|action| format!("| {} | {} |\n", action.name, action.why))
        .collect();
    files.insert(
        "README.md".to_owned(),
        format!(
            "# Access to the subscriptions of tenant {home} for {client}\n\n\
             Azure Lighthouse delegates subscriptions one by one, never a tenant or a management group. So the same template is deployed to each\n\
             subscription, by somebody with the role Owner on it who is a member of the tenant and not a guest:\n\n\
             - `sh caretaker-delegate.sh` does it for {what}. Run it again when one is added.\n\
             - Or, so that later ones of a management group are delegated unaided: assign a policy with the effect deployIfNotExists at the group,\n  \
             with `caretaker-access.azure.json` as its deployment (deploymentScope subscription) and the existence condition\n  \
             `Microsoft.ManagedServices/registrationDefinitions/managedByTenantId` equal to `{ours}`. Microsoft's sample is\n  \
             `policy-delegate-management-groups` in the repository Azure/Azure-Lighthouse-samples.\n\n\
             What is delegated appears with the provider at its next look, unaided. What is not, is not seen: each subscription has a delegation of\n\
             its own, and can be taken back alone. Each shows its own kit and its own proof.\n\n\
             To end the access at any time: in the portal under Service providers, or `az managedservices assignment delete`, for each.\n\n\
             | action that is used | why |\n| --- | --- |\n{actions}",
            what = if named.is_empty() { "every subscription of the tenant that you see" } else { "the subscriptions that were agreed" },
            ours = delegation.tenant_id,
        ),
    );
    files
}
