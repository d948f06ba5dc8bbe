//! Server-side apply and pruning of owned objects. An object that already is as desired is not written; an object that we did not make is
//! never touched, whatever labels it carries. What others add to what is wholly ours is taken away, and a manager who comes again and again is named.

mod owner;
mod told;

use std::sync::Arc;

use caretaker_api::names;
pub use caretaker_core::desired::Desired;
use caretaker_core::digest::json_digest;
use caretaker_core::drift::{self, Difference};
use caretaker_core::outcome::Wait;
use caretaker_core::ownership::{self, Kind, OWNED, OwnedKind};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use serde_json::{Value, json};

pub use owner::Owner;

use crate::cache::api_resource;
use crate::context::Context;
use crate::failure::Failure;
use crate::repairs::Turn;

/// What an apply came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was so already.
    Unchanged,
    /// It was made.
    Created,
    /// Our own wishes have changed.
    Updated,
    /// Somebody else had changed it, and it was put back.
    Repaired,
    /// Somebody else changes it again and again: it is put back after the wait, whose message names manager and field.
    Contested(Wait),
}

/// Applies one object.
///
/// # Errors
/// [`Failure::NameTaken`] where an object of the name exists that the owner did not make; else the API server's answer.
pub async fn apply(ctx: &Context, owner: &Owner, desired: &Desired) -> Result<Applied, Failure> {
    let owned = owned_kind(desired.kind, owner)?;
    let api = api_of(ctx, owned, &desired.namespace);
    let live = match ctx.cache.get(desired.kind, &desired.namespace, &desired.name) {
        Some(object) => Some(object),
        None => {
            let found = api.get_opt(&desired.name).await.map_err(Failure::kubernetes(format!("get {}", desired.describe())))?;
            found.map(Arc::new)
        }
    };
    let target = Target { ctx, owner, desired, owned, api, body: whole(owned, owner, desired) };
    let found = compare(live.as_deref(), &target.body, owner, &|live| ctx.repairs.is_accepted(&desired.describe(), live));
    let applied = match found {
        Verdict::Foreign => return Err(Failure::NameTaken(desired.describe())),
        Verdict::Same => return Ok(Applied::Unchanged),
        Verdict::Missing => Applied::Created,
        Verdict::Updated => Applied::Updated,
        Verdict::Drifted(differences) => return target.repair(&live.expect("only what exists drifts"), &differences).await,
    };
    let answer = target.send().await?;
    target.settle(answer).await?;
    tracing::info!(object = desired.describe(), "{}", if applied == Applied::Created { "made" } else { "changed" });
    Ok(applied)
}

/// One object that is being applied.
struct Target<'a> {
    ctx: &'a Context,
    owner: &'a Owner,
    desired: &'a Desired,
    owned: &'static OwnedKind,
    api: Api<DynamicObject>,
    body: Value,
}

impl Target<'_> {
    /// Puts back what somebody else has changed, unless it was put back too often lately.
    async fn repair(&self, live: &DynamicObject, differences: &[Difference]) -> Result<Applied, Failure> {
        let (object, now) = (self.desired.describe(), self.ctx.now());
        match self.ctx.repairs.turn(&object, differences, now) {
            Turn::Wait { wait, is_new } => {
                if is_new {
                    tracing::warn!(object, "{}", wait.message);
                    told::contested(self.ctx, self.owner, &wait).await;
                }
                return Ok(Applied::Contested(wait));
            }
            Turn::Repair => {}
        }
        let body = drift::with_set_once(self.desired.kind, &json!(live), &self.body);
        let answer = if drift::only_added(&json!(live), &body) { live.clone() } else { self.send().await? };
        self.settle(answer).await?;
        self.ctx.repairs.note(&object, differences, now);
        for difference in differences {
            let (field, manager) = (&difference.field, difference.manager.as_deref().unwrap_or("somebody"));
            tracing::info!(object, field, manager, "put back");
        }
        self.ctx.metrics.write(self.desired.kind, "repair");
        told::repaired(self.ctx, self.owner, &object, differences).await;
        Ok(Applied::Repaired)
    }

    async fn send(&self) -> Result<DynamicObject, Failure> {
        let params = PatchParams::apply(&self.manager()).force();
        self.patch(&params, &Patch::Apply(self.body.clone())).await
    }

    /// Takes away what others own below what is wholly ours: applying leaves it there. What the API server answers to that is as good as it gets.
    async fn settle(&self, answer: DynamicObject) -> Result<(), Failure> {
        let (kind, own) = (self.desired.kind, self.manager());
        let live = json!(answer);
        let body = drift::with_set_once(kind, &live, &self.body);
        let mut last = answer;
        if !drift::differences(kind, &own, &live, &body).is_empty() {
            let steps = serde_json::from_value(drift::replacement(kind, &live, &body))
                .map_err(|error| Failure::local(format!("replace {}", self.desired.describe()), error))?;
            last =
                self.patch(&PatchParams { field_manager: Some(own.clone()), ..PatchParams::default() }, &Patch::Json::<()>(steps)).await?;
            let replaced = json!(last);
            if !drift::differences(kind, &own, &replaced, &body).is_empty() {
                self.ctx.repairs.accept(&self.desired.describe(), drift::digest(kind, &replaced));
            }
        }
        // What is not watched would stay as it was remembered.
        if self.owned.only_names.is_empty() {
            self.ctx.cache.remember(self.owned.kind, last);
        }
        Ok(())
    }

    async fn patch<P: serde::Serialize + std::fmt::Debug>(&self, params: &PatchParams, patch: &Patch<P>) -> Result<DynamicObject, Failure> {
        let answer = self.api.patch(&self.desired.name, params, patch).await;
        let answer = answer.map_err(Failure::kubernetes(format!("apply {}", self.desired.describe())))?;
        self.ctx.metrics.write(self.desired.kind, "apply");
        Ok(answer)
    }

    fn manager(&self) -> String {
        self.owner.kind.field_manager()
    }
}

fn api_of(ctx: &Context, owned: &OwnedKind, namespace: &str) -> Api<DynamicObject> {
    let resource = api_resource(owned);
    if owned.namespaced {
        Api::namespaced_with(ctx.client.clone(), namespace, &resource)
    } else {
        Api::all_with(ctx.client.clone(), &resource)
    }
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
            tracing::info!(kind, namespace, name, "deleted: it is not wanted any more");
            gone.push(format!("{kind} {name}"));
        }
    }
    Ok(gone)
}

/// Deletes an object of a kind of which only some names are ours, where the owner made it: nothing watches such a kind.
///
/// # Errors
/// The API server's answer; an object that is gone already, or somebody else's, is no error.
pub async fn delete_named(ctx: &Context, owner: &Owner, kind: &str, name: &str) -> Result<(), Failure> {
    let owned = owned_kind(kind, owner)?;
    let what = format!("get {kind} {}/{name}", owner.namespace);
    let found = api_of(ctx, owned, &owner.namespace).get_opt(name).await.map_err(Failure::kubernetes(what))?;
    let Some(found) = found.filter(|found| is_ours(found, &owner.uid)) else { return Ok(()) };
    delete(ctx, owned, &found).await?;
    tracing::info!(kind, namespace = owner.namespace, name, "deleted: it is not wanted any more");
    Ok(())
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

/// Deletes an object of our own kinds.
///
/// # Errors
/// The API server's answer; an object that is gone already is no error.
pub async fn delete_child(ctx: &Context, kind: &str, object: &DynamicObject) -> Result<(), Failure> {
    let Some(kind) = Kind::ALL.into_iter().find(|ours| ours.as_str() == kind) else {
        return Err(Failure::local(format!("delete {kind}"), "not a kind of Caretaker"));
    };
    let own = OwnedKind {
        group: caretaker_api::GROUP,
        version: caretaker_api::VERSION,
        kind: kind.as_str(),
        plural: kind.plural(),
        namespaced: object.namespace().is_some(),
        optional: false,
        only_names: &[],
        owners: &[],
    };
    delete(ctx, &own, object).await
}

/// Whether an object names the owner's uid as the one that controls it.
#[must_use]
pub fn is_ours(object: &DynamicObject, uid: &str) -> bool {
    object.owner_references().iter().any(|reference| reference.uid == uid)
}

fn owned_kind(kind: &str, owner: &Owner) -> Result<&'static OwnedKind, Failure> {
    ownership::owned(kind).filter(|owned| owned.owners.contains(&owner.kind)).ok_or_else(|| {
        Failure::local(format!("apply {kind}"), format!("{} may not make it: it is not in the ownership table", owner.kind.as_str()))
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
    Drifted(Vec<Difference>),
}

/// An object is as desired where it carries the digest of the desired state (else our own wishes have changed) and differs in nothing (else somebody changed
/// it). `is_accepted` tells whether its digest is that of an answer to our own exact write.
fn compare(live: Option<&DynamicObject>, body: &Value, owner: &Owner, is_accepted: &dyn Fn(&str) -> bool) -> Verdict {
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
    let kind = body["kind"].as_str().unwrap_or_default();
    let live = json!(live);
    let wanted = drift::with_set_once(kind, &live, body);
    let differences = drift::differences(kind, &owner.kind.field_manager(), &live, &wanted);
    let is_as_good_as_it_gets = || drift::only_added(&live, &wanted) && is_accepted(&drift::digest(kind, &live));
    if differences.is_empty() || is_as_good_as_it_gets() { Verdict::Same } else { Verdict::Drifted(differences) }
}

/// All kinds that an owner of this kind may make: what it has to prune.
#[must_use]
pub fn kinds_of(owner: Kind) -> Vec<&'static str> {
    OWNED.iter().filter(|owned| owned.owners.contains(&owner)).map(|owned| owned.kind).collect()
}

#[cfg(test)]
mod tests;
