//! What a client's Owner does with a grant kit: deploys a template that delegates a subscription. Only what such a template needs is
//! understood; anything else is refused, as a deployment would be.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::Exchange;
use crate::world::{Delegation, World};

/// Schema of a template for a whole subscription.
const SCHEMA: &str = "https://schema.management.azure.com/schemas/2018-05-01/subscriptionDeploymentTemplate.json#";
/// The provider of delegations.
const SERVICES: &str = "Microsoft.ManagedServices";
/// Roles that Azure delegates to nobody: Owner, and User Access Administrator unless it names what it may assign.
const REFUSED: [&str; 2] = ["8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"];

/// Deploys a template to a subscription. The exchanges are those that Resource Manager has with the provider of delegations, for the judge.
///
/// # Errors
/// The subscription is not there; the template is not one that delegates it; a role cannot be delegated.
pub fn deploy(world: &mut World, subscription: &str, template: &Value) -> Result<Vec<Exchange>> {
    let subscription = subscription.to_ascii_lowercase();
    ensure!(template["$schema"] == SCHEMA, "the template is for something else than a subscription: {}", template["$schema"]);
    ensure!(template["contentVersion"].is_string(), "the template has no version");
    let scope = Scope { subscription: &subscription, variables: template["variables"].as_object() };
    let [definition, assignment] = template["resources"].as_array().map(Vec::as_slice).unwrap_or_default() else {
        bail!("the template must have a definition and an assignment");
    };
    let (definition, assignment) =
        (scope.resource(definition, "registrationDefinitions")?, scope.resource(assignment, "registrationAssignments")?);
    ensure!(
        assignment.properties["registrationDefinitionId"].as_str() == Some(definition.id.as_str()),
        "the assignment is of another definition: {}",
        assignment.properties["registrationDefinitionId"]
    );
    let authorizations = definition.properties["authorizations"].as_array().context("the definition authorizes nobody")?;
    let mut granted = Vec::new();
    for authorization in authorizations {
        let text = |name: &str| authorization[name].as_str().map(str::to_owned).with_context(|| format!("an authorization has no {name}"));
        let (principal, role) = (text("principalId")?, text("roleDefinitionId")?);
        ensure!(!REFUSED.contains(&role.to_ascii_lowercase().as_str()), "the role {role} cannot be delegated");
        granted.push((principal, role));
    }
    let tenant_id = definition.properties["managedByTenantId"].as_str().context("the definition names no tenant")?.to_owned();
    let found = world.subscriptions.get_mut(&subscription).context("the subscription is not there")?;
    ensure!(!found.tenant_id.eq_ignore_ascii_case(&tenant_id), "a subscription cannot be delegated to its own tenant");
    // Applied again, it changes what is there.
    found.delegations.retain(|delegation| delegation.name != assignment.name);
    found.delegations.push(Delegation { name: assignment.name.clone(), tenant_id, authorizations: granted });
    Ok(vec![definition.exchange(), assignment.exchange()])
}

struct Resource {
    id: String,
    name: String,
    kind: String,
    version: String,
    properties: Value,
}

impl Resource {
    fn exchange(&self) -> Exchange {
        let headers: Map<String, Value> = [("content-type".to_owned(), json!("application/json"))].into_iter().collect();
        let mut shown = self.properties.clone();
        shown["provisioningState"] = "Succeeded".into();
        Exchange {
            method: "PUT".into(),
            url: format!("{}?api-version={}", self.id, self.version),
            request_headers: headers.clone(),
            request_body: json!({"properties": self.properties}),
            status: 200,
            response_headers: headers,
            response_body: json!({"id": self.id, "name": self.name, "type": self.kind, "properties": shown}),
        }
    }
}

struct Scope<'a> {
    subscription: &'a str,
    variables: Option<&'a Map<String, Value>>,
}

impl Scope<'_> {
    fn resource(&self, resource: &Value, kind: &str) -> Result<Resource> {
        let kind = format!("{SERVICES}/{kind}");
        ensure!(resource["type"] == kind.as_str(), "{} is not {kind}", resource["type"]);
        let version = resource["apiVersion"].as_str().context("a resource has no version")?.to_owned();
        let name = self.text(resource["name"].as_str().context("a resource has no name")?)?;
        Ok(Resource { id: self.id(&kind, &name), name, kind, version, properties: self.value(&resource["properties"])? })
    }

    fn id(&self, kind: &str, name: &str) -> String {
        let (provider, kind) = kind.split_once('/').unwrap_or((kind, ""));
        format!("/subscriptions/{}/providers/{provider}/{kind}/{name}", self.subscription)
    }

    fn value(&self, value: &Value) -> Result<Value> {
        Ok(match value {
            Value::String(text) => self.text(text)?.into(),
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect::<Result<Vec<_>>>()?.into(),
            Value::Object(fields) => {
                let fields = fields.iter().map(|(name, value)| Ok((name.clone(), self.value(value)?)));
                Value::Object(fields.collect::<Result<_>>()?)
            }
            other => other.clone(),
        })
    }

    /// A string: an expression where it begins and ends with a bracket.
    fn text(&self, text: &str) -> Result<String> {
        match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(expression) => self.expression(expression),
            None => Ok(text.to_owned()),
        }
    }

    fn expression(&self, text: &str) -> Result<String> {
        let text = text.trim();
        if let Some(literal) = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
            ensure!(!literal.contains('\''), "this is no string: {text}");
            return Ok(literal.to_owned());
        }
        if text == "subscription().id" {
            return Ok(format!("/subscriptions/{}", self.subscription));
        }
        let (function, rest) = text.split_once('(').with_context(|| format!("this is not understood: {text}"))?;
        let inner = rest.strip_suffix(')').with_context(|| format!("this is not understood: {text}"))?;
        // No argument of the functions that are understood has a comma in it.
        let arguments = inner.split(',').map(|argument| self.expression(argument)).collect::<Result<Vec<_>>>()?;
        match (function, arguments.as_slice()) {
            ("variables", [name]) => {
                let variable = self.variables.and_then(|all| all.get(name)).and_then(Value::as_str);
                self.text(variable.with_context(|| format!("there is no variable {name}"))?)
            }
            ("guid", [_, ..]) => Ok(guid(&arguments)),
            ("resourceId", [kind, name]) => Ok(self.id(kind, name)),
            _ => bail!("this is not understood: {text}"),
        }
    }
}

/// The same id for the same arguments.
fn guid(arguments: &[String]) -> String {
    let digest = Sha256::digest(arguments.join("-"));
    let hex: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-5{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}
