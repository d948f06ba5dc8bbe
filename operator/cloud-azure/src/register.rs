//! Every way of the provider into a subscription: its Lighthouse delegations, with standing and eligible authorizations; and what they grant beyond the
//! manifest.

use std::collections::BTreeMap;

use caretaker_cloud::access::{is_lasting, unreadable};
use caretaker_cloud::manifest::{AZURE_DELEGATION_DELETE, AZURE_READER, azure_actions, azure_roles};
use caretaker_cloud::{CloudError, ErrorClass, ExcessReport, ExcessStatement, Purpose, Register, Result, WantedPermission, WayIn, WayKind};
use serde_json::Value;

use crate::call::Call;
use crate::session::Session;

/// What the reading is named in errors and in the manifest.
const LIST: &str = "Microsoft.ManagedServices/registrationAssignments/read";
/// Version of the Lighthouse API that tells eligible authorizations.
const LIGHTHOUSE: &str = "2020-02-01-preview";
/// Roles that are built into Azure and often seen in delegations.
const KNOWN: [(&str, &str); 6] = [
    (AZURE_READER.id, AZURE_READER.name),
    (AZURE_DELEGATION_DELETE.id, AZURE_DELEGATION_DELETE.name),
    ("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "Owner"),
    ("b24988ac-6180-42a0-ab88-20f7382dd24c", "Contributor"),
    ("18d7d88d-d35e-4fb5-a5c3-7773c20a72d9", "User Access Administrator"),
    ("00c29273-979b-4161-815c-10b084fb9324", "Backup Operator"),
];

/// One delegation to our tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Delegation {
    /// Name of the definition, as the client's Owner sees it in the portal, and the id of the assignment.
    title: String,
    /// Subscription or resource group that is delegated.
    scope: String,
    standing: Vec<Authorization>,
    eligible: Vec<Authorization>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Authorization {
    principal: String,
    role: String,
    /// Roles that the principal may give to managed identities.
    may_assign: Vec<String>,
    /// Longest time for which an eligible one can be switched on, as an ISO 8601 duration; empty where it is not told.
    at_most: String,
}

/// Roles of our delegations beyond those that hold what is wanted.
pub async fn excess(session: &Session, wanted: &[WantedPermission]) -> Result<ExcessReport> {
    let delegations = match list(session).await {
        Ok(delegations) => delegations,
        Err(error) if is_lasting(&error) => {
            return Ok(ExcessReport { unknown: Some(unreadable("our delegations", &error)), ..ExcessReport::default() });
        }
        Err(error) => return Err(error),
    };
    let needed = needed_roles(wanted);
    let statements = delegations.iter().flat_map(|delegation| beyond(delegation, &needed)).collect();
    Ok(ExcessReport { statements, unknown: None }.sorted())
}

/// Ids of the roles that hold wanted actions.
fn needed_roles(wanted: &[WantedPermission]) -> Vec<&'static str> {
    let is_wanted = |purpose: &Purpose| {
        let mut actions = azure_actions(*purpose).iter();
        actions.any(|action| wanted.iter().any(|wanted| wanted.action.eq_ignore_ascii_case(action.name)))
    };
    [Purpose::Read, Purpose::Backup, Purpose::Revoke]
        .iter()
        .filter(|purpose| is_wanted(purpose))
        .flat_map(|purpose| azure_roles(*purpose))
        .map(|role| role.id)
        .collect()
}

/// One statement for each principal that holds more.
fn beyond(delegation: &Delegation, needed: &[&str]) -> Vec<ExcessStatement> {
    let is_needed = |role: &str| needed.iter().any(|needed| needed.eq_ignore_ascii_case(role));
    let mut by_principal: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for each in &delegation.standing {
        let roles = by_principal.entry(&each.principal).or_default();
        if !is_needed(&each.role) {
            roles.push(role_name(&each.role));
        }
        roles.extend(each.may_assign.iter().map(|role| format!("may assign {}", role_name(role))));
    }
    let held = by_principal.into_iter().filter(|(_, roles)| !roles.is_empty());
    held.map(|(principal, beyond)| ExcessStatement { name: format!("{}, authorization of {principal}", delegation.title), beyond })
        .collect()
}

/// Reads the register.
pub async fn ways_in(session: &Session) -> Result<Register> {
    let mut register = Register::default();
    let listed = list(session).await;
    for delegation in register.take("delegations", listed)?.unwrap_or_default() {
        for (kind, authorizations) in [(WayKind::Delegation, &delegation.standing), (WayKind::EligibleDelegation, &delegation.eligible)] {
            for each in authorizations {
                let mut way = WayIn::new(kind, each.principal.as_str(), format!("{} by {}", delegation.scope, delegation.title));
                let limit = if each.at_most.is_empty() { String::new() } else { format!(", switched on for at most {}", each.at_most) };
                way.grants.push(format!("{}{limit}", role_name(&each.role)));
                way.grants.extend(each.may_assign.iter().map(|role| format!("may assign {}", role_name(role))));
                register.ways.push(way);
            }
        }
    }
    Ok(register.sorted())
}

/// A role as a person knows it.
fn role_name(id: &str) -> String {
    let known = KNOWN.iter().find(|(known, _)| known.eq_ignore_ascii_case(id));
    known.map_or_else(|| format!("role {}", id.to_ascii_lowercase()), |(_, name)| (*name).to_owned())
}

async fn list(session: &Session) -> Result<Vec<Delegation>> {
    let path = format!(
        "/subscriptions/{}/providers/Microsoft.ManagedServices/registrationAssignments?api-version={LIGHTHOUSE}&$expandRegistrationDefinition=true",
        session.subscription()
    );
    let mut delegations = Vec::new();
    let take = |page: &Value| {
        delegations.extend(ours(page, &session.shared.tenant_id)?);
        Ok(())
    };
    session.each_page(Call::get(LIST, path), take).await?;
    Ok(delegations)
}

/// The delegations to our tenant on a page. One that does not say whose it is could be ours: then nothing is concluded.
fn ours(page: &Value, tenant: &str) -> Result<Vec<Delegation>> {
    let unclear = || CloudError::new(ErrorClass::Unreachable, LIST, "the answer does not say what each delegation grants to whom");
    let mut own = Vec::new();
    for entry in page.get("value").and_then(Value::as_array).ok_or_else(unclear)? {
        let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str);
        let managed_by = text("/properties/registrationDefinition/properties/managedByTenantId").ok_or_else(unclear)?;
        if !managed_by.eq_ignore_ascii_case(tenant) {
            continue;
        }
        let (id, name) = (text("/id").ok_or_else(unclear)?, text("/name").ok_or_else(unclear)?);
        let title = text("/properties/registrationDefinition/properties/registrationDefinitionName").unwrap_or("unnamed");
        let scope = id.to_ascii_lowercase();
        let scope = scope.split("/providers/microsoft.managedservices/").next().unwrap_or_default().trim_start_matches('/').to_owned();
        let definition = entry.pointer("/properties/registrationDefinition/properties").ok_or_else(unclear)?;
        own.push(Delegation {
            title: format!("the delegation {title:?} ({name})"),
            scope,
            standing: authorizations(&definition["authorizations"]).ok_or_else(unclear)?,
            eligible: authorizations(&definition["eligibleAuthorizations"]).ok_or_else(unclear)?,
        });
    }
    Ok(own)
}

/// `None` where an authorization does not say who or what.
fn authorizations(list: &Value) -> Option<Vec<Authorization>> {
    let each = |entry: &Value| {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
        let assigns = entry.get("delegatedRoleDefinitionIds").and_then(Value::as_array);
        Some(Authorization {
            principal: match text("principalIdDisplayName").filter(|name| !name.is_empty()) {
                Some(name) => format!("{} ({name})", text("principalId")?.to_ascii_lowercase()),
                None => text("principalId")?.to_ascii_lowercase(),
            },
            role: text("roleDefinitionId")?.to_ascii_lowercase(),
            may_assign: assigns.into_iter().flatten().filter_map(Value::as_str).map(str::to_ascii_lowercase).collect(),
            at_most: entry
                .pointer("/justInTimeAccessPolicy/maximumActivationDuration")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
        })
    };
    if list.is_null() { Some(Vec::new()) } else { list.as_array()?.iter().map(each).collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page(tenant: &str, authorizations: &Value) -> Value {
        json!({"value": [{
            "id": "/subscriptions/S/resourceGroups/G/providers/Microsoft.ManagedServices/registrationAssignments/n", "name": "n",
            "properties": {"registrationDefinition": {"properties": {
                "registrationDefinitionName": "Care", "managedByTenantId": tenant, "authorizations": authorizations,
                "eligibleAuthorizations": [{
                    "principalId": "P", "roleDefinitionId": "B24988AC-6180-42a0-ab88-20f7382dd24c",
                    "justInTimeAccessPolicy": {"multiFactorAuthProvider": "Azure", "maximumActivationDuration": "PT8H"},
                }],
            }}},
        }]})
    }

    #[test]
    fn roles_beyond_the_profile_are_named_by_definition_and_principal() {
        let granted = json!([
            {"principalId": "us", "roleDefinitionId": AZURE_READER.id.to_uppercase()},
            {"principalId": "us", "roleDefinitionId": "b24988ac-6180-42a0-ab88-20f7382dd24c"},
            {"principalId": "us", "roleDefinitionId": "12345678-0000-4000-8000-000000000000", "delegatedRoleDefinitionIds": [AZURE_READER.id]},
        ]);
        let own = ours(&page("T", &granted), "t").unwrap();
        let found = beyond(&own[0], &[AZURE_READER.id]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].name, "the delegation \"Care\" (n), authorization of us");
        assert_eq!(found[0].beyond, ["Contributor", "role 12345678-0000-4000-8000-000000000000", "may assign Reader"]);
        assert_eq!(own[0].scope, "subscriptions/s/resourcegroups/g");
        assert_eq!((own[0].eligible[0].principal.as_str(), own[0].eligible[0].at_most.as_str()), ("p", "PT8H"));
    }

    #[test]
    fn another_tenants_delegation_is_not_ours_and_an_unclear_one_stops_the_reading() {
        let granted = json!([{"principalId": "us", "roleDefinitionId": "r"}]);
        assert!(ours(&page("other", &granted), "t").unwrap().is_empty());
        assert!(ours(&page("t", &json!([{"principalId": "us"}])), "t").is_err());
        assert!(ours(&json!({"value": [{"id": "i", "name": "n", "properties": {}}]}), "t").is_err());
        assert!(ours(&json!({}), "t").is_err());
    }

    #[test]
    fn roles_follow_from_what_is_wanted() {
        let of = |purpose: Purpose| -> Vec<WantedPermission> {
            azure_actions(purpose).iter().map(|action| WantedPermission { resource: "*".into(), action: action.name.into() }).collect()
        };
        assert_eq!(
            needed_roles(&of(Purpose::Revoke)),
            [AZURE_READER.id, AZURE_DELEGATION_DELETE.id],
            "the delete role reads delegations too"
        );
        assert!(needed_roles(&[]).is_empty());
    }
}
