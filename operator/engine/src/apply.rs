//! Server-side apply and pruning of owned objects. An object that already is as desired is not written; an object that we did not make is
//! never touched, whatever labels it carries.

use std::sync::Arc;

use caretaker_api::names;
pub use caretaker_core::desired::Desired;
use caretaker_core::digest::json_digest;
use caretaker_core::ownership::{self, Kind, OwnedKind};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use serde_json::{Value, json};

use crate::cache::api_resource;
use crate::context::Context;
use crate::failure::Failure;

/// Who makes objects: the object that is visited.
#[derive(Clone, Debug)]
pub struct Owner {
    /// Kind.
    pub kind: Kind,
    /// Name of the ManagedClient that it belongs to.
    pub client: String,
    /// Namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Uid: what proves that an object is ours.
    pub uid: String,
}

/// What an apply came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was so already.
    Unchanged,
    /// It was made.
    Created,
    /// Our own wishes have changed.
    Updated,
    /// Somebody else had changed it.
    Repaired,
}

/// Applies one object.
///
/// # Errors
/// [`Failure::NameTaken`] where an object of the name exists that the owner did not make; else the API server's answer.
pub async fn apply(ctx: &Context, owner: &Owner, desired: &Desired) -> Result<Applied, Failure> {
    let owned = owned_kind(desired.kind, owner)?;
    let resource = api_resource(owned);
    let api: Api<DynamicObject> = if owned.namespaced {
        Api::namespaced_with(ctx.client.clone(), &desired.namespace, &resource)
    } else {
        Api::all_with(ctx.client.clone(), &resource)
    };
    let body = whole(owned, owner, desired);
    let live = match ctx.cache.get(desired.kind, &desired.namespace, &desired.name) {
        Some(object) => Some(object),
        None => {
            let found = api.get_opt(&desired.name).await.map_err(Failure::kubernetes(format!("get {}", desired.describe())))?;
            found.map(Arc::new)
        }
    };
    let verdict = compare(live.as_deref(), &body, owner);
    let applied = match verdict {
        Verdict::Foreign => return Err(Failure::NameTaken(desired.describe())),
        Verdict::Same => return Ok(Applied::Unchanged),
        Verdict::Missing => Applied::Created,
        Verdict::Updated => Applied::Updated,
        Verdict::Drifted => Applied::Repaired,
    };
    let params = PatchParams::apply(&owner.kind.field_manager()).force();
    let answer = api
        .patch(&desired.name, &params, &Patch::Apply(&body))
        .await
        .map_err(Failure::kubernetes(format!("apply {}", desired.describe())))?;
    ctx.metrics.write(desired.kind, "apply");
    ctx.cache.remember(owned.kind, answer);
    Ok(applied)
}

/// Deletes what the owner made of the given kinds and does not want any more. Answers what was deleted, as `Kind name`.
///
/// # Errors
/// The API server's answer.
pub async fn prune(ctx: &Context, owner: &Owner, kinds: &[&'static str], wanted: &[Desired]) -> Result<Vec<String>, Failure> {
    let mut gone = Vec::new();
    for kind in kinds {
        let owned = owned_kind(kind, owner)?;
        for object in ctx.cache.owned_by(kind, owner.kind, &owner.namespace, &owner.name) {
            let namespace = object.namespace().unwrap_or_default();
            let name = object.name_any();
            let keep = wanted.iter().any(|wanted| wanted.kind == *kind && wanted.name == name && wanted.namespace == namespace);
            if keep || !is_ours(&object, &owner.uid) || object.metadata.deletion_timestamp.is_some() {
                continue;
            }
            delete(ctx, owned, &object).await?;
            gone.push(format!("{kind} {name}"));
        }
    }
    Ok(gone)
}

/// Deletes one object, only if it still is the one that we saw.
///
/// # Errors
/// The API server's answer; an object that is gone already is no error.
pub async fn delete(ctx: &Context, owned: &OwnedKind, object: &DynamicObject) -> Result<(), Failure> {
    let resource = api_resource(owned);
    let name = object.name_any();
    let api: Api<DynamicObject> = match object.namespace() {
        Some(namespace) => Api::namespaced_with(ctx.client.clone(), &namespace, &resource),
        None => Api::all_with(ctx.client.clone(), &resource),
    };
    let only_this = Preconditions { uid: object.uid(), resource_version: None };
    let params = DeleteParams { preconditions: Some(only_this), ..DeleteParams::background() };
    match api.delete(&name, &params).await {
        Ok(_) => {
            ctx.metrics.write(owned.kind, "delete");
            Ok(())
        }
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(Failure::kubernetes(format!("delete {} {name}", owned.kind))(error)),
    }
}

/// Whether an object names the owner's uid as the one that controls it.
#[must_use]
pub fn is_ours(object: &DynamicObject, uid: &str) -> bool {
    object.owner_references().iter().any(|reference| reference.uid == uid)
}

fn owned_kind(kind: &str, owner: &Owner) -> Result<&'static OwnedKind, Failure> {
    owner.kind.makes(kind).ok_or_else(|| {
        Failure::local(format!("apply {kind}"), format!("{} may not make it: it is not in its descriptor", owner.kind.as_str()))
    })
}

fn whole(owned: &OwnedKind, owner: &Owner, desired: &Desired) -> Value {
    let mut labels = ownership::labels(&owner.client, owner.kind, &owner.name);
    labels.extend(desired.labels.iter().cloned());
    let reference = OwnerReference {
        api_version: format!("{}/{}", caretaker_api::GROUP, caretaker_api::VERSION),
        kind: owner.kind.as_str().into(),
        name: owner.name.clone(),
        uid: owner.uid.clone(),
        controller: Some(true),
        block_owner_deletion: Some(false),
    };
    let mut object = json!({
        "apiVersion": owned.api_version(),
        "kind": owned.kind,
        "metadata": {"name": desired.name, "labels": labels, "ownerReferences": [reference]},
    });
    if owned.namespaced {
        object["metadata"]["namespace"] = json!(desired.namespace);
    }
    if let (Some(object), Some(body)) = (object.as_object_mut(), desired.body.as_object()) {
        object.extend(body.clone());
    }
    let digest = json_digest(&object);
    object["metadata"]["annotations"] = json!({names::APPLIED_DIGEST: digest});
    object
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Missing,
    Foreign,
    Same,
    Updated,
    Drifted,
}

/// An object is as desired where it carries the digest of the desired state (else a field was added or removed) and still holds all of it (else
/// somebody changed it).
fn compare(live: Option<&DynamicObject>, body: &Value, owner: &Owner) -> Verdict {
    let Some(live) = live else {
        return Verdict::Missing;
    };
    if !is_ours(live, &owner.uid) {
        return Verdict::Foreign;
    }
    let digest = body["metadata"]["annotations"][names::APPLIED_DIGEST].as_str();
    if live.annotations().get(names::APPLIED_DIGEST).map(String::as_str) != digest {
        return Verdict::Updated;
    }
    let live = serde_json::to_value(live).unwrap_or_default();
    if contains(&live, body) { Verdict::Same } else { Verdict::Drifted }
}

/// Whether `live` holds everything of `wanted`. Lists must agree in length and, element by element, in what is wanted.
fn contains(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted.iter().all(|(key, value)| match live.get(key) {
            Some(found) => contains(found, value),
            None => is_empty(value),
        }),
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(live, wanted)| contains(live, wanted))
        }
        _ => live == wanted,
    }
}

/// Values that the API server drops: an absent field says the same.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().all(is_empty),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

/// All kinds that an owner of this kind may make: what it has to prune.
#[must_use]
pub fn kinds_of(owner: Kind) -> Vec<&'static str> {
    owner.makes.iter().map(|owned| owned.kind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner { kind: Kind::CLOUD_ACCOUNT, client: "a".into(), namespace: "client-a".into(), name: "x".into(), uid: "u1".into() }
    }

    fn desired(text: &str) -> Value {
        let desired = Desired {
            kind: "ConfigMap",
            namespace: "client-a".into(),
            name: "kit".into(),
            labels: vec![],
            body: json!({"data": {"k": text}}),
        };
        whole(owner().kind.makes("ConfigMap").unwrap(), &owner(), &desired)
    }

    fn live(mut value: Value) -> DynamicObject {
        value["metadata"]["resourceVersion"] = json!("7");
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn compare_tells_what_to_do() {
        let wanted = desired("one");
        assert_eq!(compare(None, &wanted, &owner()), Verdict::Missing);
        assert_eq!(compare(Some(&live(wanted.clone())), &wanted, &owner()), Verdict::Same);
        assert_eq!(compare(Some(&live(desired("two"))), &wanted, &owner()), Verdict::Updated);
        let mut drifted = wanted.clone();
        drifted["data"]["k"] = json!("somebody's");
        assert_eq!(compare(Some(&live(drifted)), &wanted, &owner()), Verdict::Drifted);
    }

    #[test]
    fn an_object_of_another_maker_is_foreign_whatever_labels_it_carries() {
        let wanted = desired("one");
        let mut other = wanted.clone();
        other["metadata"]["ownerReferences"][0]["uid"] = json!("u2");
        assert_eq!(compare(Some(&live(other)), &wanted, &owner()), Verdict::Foreign);
    }
}
