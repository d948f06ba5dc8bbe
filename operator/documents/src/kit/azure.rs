//! The grant kit for Azure: a Lighthouse delegation of one subscription, as an ARM template and as Terraform. Made from the same permission
//! manifest that the operator checks.

use std::collections::BTreeMap;

use caretaker_cloud::Purpose;
use caretaker_cloud::manifest::{AZURE_DELEGATION_DELETE, AZURE_READER, AzureRole, azure_actions};
use serde_json::{Value, json};

use crate::template::render;

/// Version of the Lighthouse API that the template asks for.
const LIGHTHOUSE: &str = "2019-09-01";

/// Every kit grants both: reading, and ending the delegation. Without the second one the provider could never leave by itself.
const ROLES: [AzureRole; 2] = [AZURE_READER, AZURE_DELEGATION_DELETE];

/// What the kit is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// The client, as its object is named.
    pub client: String,
    /// The provider, for a person who reads the delegation in the Azure portal.
    pub provider: String,
    /// Id of the subscription that is delegated.
    pub subscription_id: String,
    /// Id of the provider's tenant.
    pub tenant_id: String,
    /// Object id, not client id, of the provider's service principal for this client. Two delegations with the same principal and role
    /// disturb each other.
    pub principal_id: String,
}

/// The kit's files by name.
#[must_use]
pub fn files(delegation: &Delegation) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("README.md".to_owned(), delegation.letter()),
        ("caretaker-access.azure.json".to_owned(), delegation.template() + "\n"),
        ("caretaker-access.tf".to_owned(), delegation.terraform()),
    ])
}

impl Delegation {
    /// Ends with the client's name, which has no bracket: ARM takes a string for an expression only where it begins and ends with one.
    fn title(&self) -> String {
        format!("{} for {}", self.provider, self.client)
    }

    fn template(&self) -> String {
        let authorizations: Vec<Value> = ROLES
            .iter()
            .map(|role| {
                json!({
                    "principalId": self.principal_id,
                    "principalIdDisplayName": format!("Caretaker of {}", self.provider),
                    "roleDefinitionId": role.id,
                })
            })
            .collect();
        // Names that the subscription and the tenant decide: applied again, the template changes what is there and adds nothing.
        let template = json!({
            "$schema": "https://schema.management.azure.com/schemas/2018-05-01/subscriptionDeploymentTemplate.json#",
            "contentVersion": "1.0.0.0",
            "variables": {
                "tenant": self.tenant_id,
                "definition": "[guid('caretaker-definition', subscription().id, variables('tenant'))]",
                "assignment": "[guid('caretaker-assignment', subscription().id, variables('tenant'))]",
            },
            "resources": [
                {
                    "type": "Microsoft.ManagedServices/registrationDefinitions",
                    "apiVersion": LIGHTHOUSE,
                    "name": "[variables('definition')]",
                    "properties": {
                        "registrationDefinitionName": self.title(),
                        "description": "Access of the managed service provider to this subscription.",
                        "managedByTenantId": "[variables('tenant')]",
                        "authorizations": authorizations,
                    },
                },
                {
                    "type": "Microsoft.ManagedServices/registrationAssignments",
                    "apiVersion": LIGHTHOUSE,
                    "name": "[variables('assignment')]",
                    "dependsOn": ["[resourceId('Microsoft.ManagedServices/registrationDefinitions', variables('definition'))]"],
                    "properties": {
                        "registrationDefinitionId":
                            "[resourceId('Microsoft.ManagedServices/registrationDefinitions', variables('definition'))]",
                    },
                },
            ],
        });
        serde_json::to_string_pretty(&template).unwrap_or_default()
    }

    fn terraform(&self) -> String {
        let context = json!({
            "title": self.title(),
            "tenant": self.tenant_id,
            "scope": format!("/subscriptions/{}", self.subscription_id.to_ascii_lowercase()),
            "principal": self.principal_id,
            "principal_name": format!("Caretaker of {}", self.provider),
            "roles": roles(),
        });
        render("kit/azure/caretaker-access.tf", context)
    }

    fn letter(&self) -> String {
        let context = json!({
            "subscription": self.subscription_id.to_ascii_lowercase(),
            "client": self.client,
            "principal": self.principal_id,
            "tenant": self.tenant_id,
            "provider": self.provider,
            "roles": roles(),
            "actions": actions(),
        });
        render("kit/azure/README.md", context)
    }
}

fn roles() -> Vec<Value> {
    ROLES.iter().map(|role| json!({"name": role.name, "id": role.id, "why": role.why})).collect()
}

/// The actions that are used of the roles.
pub(super) fn actions() -> Vec<Value> {
    let all = [Purpose::Read, Purpose::Revoke].into_iter().flat_map(azure_actions);
    all.map(|action| json!({"name": action.name, "why": action.why})).collect()
}

#[cfg(test)]
mod tests {
    use caretaker_core::kit::azure::wanted;

    use super::*;

    fn delegation() -> Delegation {
        Delegation {
            client: "acme".into(),
            provider: "[Care] \"& Co\" ${x}".into(),
            subscription_id: "AAAAAAAA-1111-4222-8333-444444444444".into(),
            tenant_id: "bbbbbbbb-1111-4222-8333-444444444444".into(),
            principal_id: "cccccccc-1111-4222-8333-444444444444".into(),
        }
    }

    #[test]
    fn template_and_terraform_grant_the_same_two_roles_to_the_same_principal() {
        let files = files(&delegation());
        let template: Value = serde_json::from_str(&files["caretaker-access.azure.json"]).unwrap();
        let definition = &template["resources"][0]["properties"];
        let granted = |list: &[Value], principal: &str, role: &str| -> Vec<(String, String)> {
            list.iter().map(|each| (each[principal].as_str().unwrap().to_owned(), each[role].as_str().unwrap().to_owned())).collect()
        };
        let by_template = granted(definition["authorizations"].as_array().unwrap(), "principalId", "roleDefinitionId");
        let body: Value = hcl::from_str(&files["caretaker-access.tf"]).unwrap();
        let terraform = &body["resource"]["azurerm_lighthouse_definition"]["caretaker"];
        let by_terraform = granted(terraform["authorization"].as_array().unwrap(), "principal_id", "role_definition_id");
        assert_eq!(by_template, by_terraform);
        let roles: Vec<&str> = by_template.iter().map(|(_, role)| role.as_str()).collect();
        assert_eq!(roles, ["acdd72a7-3385-48ef-bd42-f606fba81ae7", "91c1777a-f3dc-4fae-b103-61d183457e46"]);
        assert!(by_template.iter().all(|(principal, _)| *principal == delegation().principal_id));
        assert_eq!(template["variables"]["tenant"], terraform["managing_tenant_id"]);
        assert_eq!(terraform["scope"], "/subscriptions/aaaaaaaa-1111-4222-8333-444444444444");
    }

    #[test]
    fn a_name_is_never_an_expression() {
        let files = files(&Delegation { provider: "[concat('x')]".into(), ..delegation() });
        let template: Value = serde_json::from_str(&files["caretaker-access.azure.json"]).unwrap();
        assert_eq!(template["resources"][0]["properties"]["registrationDefinitionName"], "[concat('x')] for acme");
    }

    #[test]
    fn the_letter_names_every_action_and_what_the_owner_must_do() {
        let letter = &files(&delegation())["README.md"];
        for wanted in wanted(&delegation().subscription_id) {
            assert!(letter.contains(&wanted.action), "{}", wanted.action);
            assert_eq!(wanted.resource, "/subscriptions/aaaaaaaa-1111-4222-8333-444444444444");
        }
        assert!(letter.contains("role Owner") && letter.contains("Once for this subscription"));
    }
}
