//! A policy's changes: proposed, begun under the client's yes, declared void. What became of one is told by the ledger,
//! and shown by its own controller.

use caretaker_api::contract::Domain;
use caretaker_api::{BackupPolicy, ChangeRequest, CloudAccount, ManagedClient};
use caretaker_core::backup_policy::Done;
use caretaker_core::change_request::{Change, Standing, name, proposal, worn};
use caretaker_core::contract::{Permit, verdict};
use caretaker_core::ledger::{Decided, Decision};
use caretaker_core::ownership::{Kind, labels};
use caretaker_engine::Failure;
use caretaker_engine::cache::Wake;
use kube::api::{Api, DeleteParams, PostParams};
use kube::{Error, Resource, ResourceExt};

use crate::access::client_of;
use crate::change_request::change_of;
use crate::context::Context;
use crate::ledger::Scribe;

/// The policy's changes, with what the ledger tells of each.
pub(super) async fn look(ctx: &Context, policy: &BackupPolicy, client: Option<&ManagedClient>) -> Result<Vec<Change>, Failure> {
    let mut found = Vec::new();
    for object in objects(ctx, policy) {
        found.push(change_of(ctx, client, &object).await?);
    }
    Ok(found)
}

fn objects(ctx: &Context, policy: &BackupPolicy) -> Vec<ChangeRequest> {
    let name = policy.name_any();
    let all = ctx.cache.list_typed::<ChangeRequest>(policy.namespace().as_deref());
    all.into_iter().filter(|object| object.spec.policy == name && object.meta().deletion_timestamp.is_none()).collect()
}

async fn client(ctx: &Context, policy: &BackupPolicy) -> Result<ManagedClient, Failure> {
    let name = client_of(policy);
    let found = ctx.find::<ManagedClient>("", &name).await?;
    found.ok_or_else(|| Failure::local("decide about a change", format!("there is no ManagedClient {name}")))
}

/// Takes up the client's yes. The object is read anew, since a yes can have been taken back a moment ago; from here on
/// the ledger has it, and whoever comes after a crash goes on. `None` where it does not stand any more.
pub(super) async fn begin(ctx: &Context, policy: &BackupPolicy, name: &str) -> Result<Option<Permit>, Failure> {
    let api: Api<ChangeRequest> = Api::namespaced(ctx.client.clone(), &policy.namespace().unwrap_or_default());
    let found = api.get_opt(name).await.map_err(Failure::kubernetes(format!("get ChangeRequest {name}")))?;
    let client = client(ctx, policy).await?;
    let Some(object) = found else { return Ok(None) };
    let change = change_of(ctx, Some(&client), &object).await?;
    let (Standing::Approved(approval) | Standing::Begun(approval)) = change.standing else { return Ok(None) };
    let permit = Permit::approved(approval.clone());
    let text = format!("ChangeRequest {name}, sha256 {}", change.spec.digest);
    let decision = Decision { about: approval.uid, decided: Decided::Approved, by: approval.by, text };
    Scribe::new(ctx, &client, Kind::BackupPolicy, policy).under(&permit).await?.decide(&decision).await?;
    Ok(Some(permit))
}

/// Declares void what is void, proposes what is new, and removes what has had its time.
pub(super) async fn act(ctx: &Context, policy: &BackupPolicy, done: &mut Done) -> Result<(), Failure> {
    let namespace = policy.namespace().unwrap_or_default();
    let wake = |name: &str| ctx.cache.wake(Wake { kind: Kind::ChangeRequest, namespace: namespace.clone(), name: name.into() });
    let settled = done.settled.clone();
    if settled.voids.is_empty() && settled.proposes.is_empty() && settled.work.is_empty() {
        return Ok(());
    }
    let client = client(ctx, policy).await?;
    let scribe = Scribe::new(ctx, &client, Kind::BackupPolicy, policy);
    for (change, why) in &settled.voids {
        let text = format!("ChangeRequest {}: {why}", change.name);
        let decision = Decision { about: change.uid.clone(), decided: Decided::Void, by: String::new(), text };
        scribe.decide(&decision).await?;
        wake(&change.name);
    }
    settled.work.iter().for_each(|change| wake(&change.name));
    let held = look(ctx, policy, Some(&client)).await?;
    // The emergency may have come, or the domain gone to the client, while the accounts were read.
    if verdict(&client.spec, Domain::Backup, ctx.now()).permit().is_none() {
        for accounts in &settled.proposes {
            let name = propose(ctx, (policy, &client), (accounts.clone(), done), &held).await?;
            done.settled.waiting.push(name);
        }
    }
    let times: Vec<_> = objects(ctx, policy).iter().map(|object| (object.name_any(), object.creation_timestamp())).collect();
    let made = |change: &Change| times.iter().find(|(name, _)| *name == change.name).and_then(|(_, at)| at.as_ref().map(|at| at.0));
    let api: Api<ChangeRequest> = Api::namespaced(ctx.client.clone(), &namespace);
    for name in worn(&held.iter().map(|change| (made(change), change)).collect::<Vec<_>>()) {
        match api.delete(&name, &DeleteParams::default()).await {
            Err(Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(Failure::kubernetes(format!("delete the ChangeRequest {name}"))(error)),
            Ok(_) => {}
        }
    }
    Ok(())
}

async fn propose(
    ctx: &Context,
    (policy, client): (&BackupPolicy, &ManagedClient),
    (accounts, done): (Vec<caretaker_api::change_request::ChangeAccount>, &Done),
    held: &[Change],
) -> Result<String, Failure> {
    let namespace = policy.namespace().unwrap_or_default();
    let id = |name: &str| ctx.cache.typed::<CloudAccount>(&namespace, name).map(|account| account.spec.target.id()).unwrap_or_default();
    let mut read = policy.clone();
    if let Some(found) = &done.protection {
        read.status.get_or_insert_default().protection = Some(found.clone());
    }
    let spec = proposal(&read, accounts, &id, ctx.now());
    let name = name(&policy.name_any(), &spec.digest, held);
    let mut object = ChangeRequest::new(&name, spec);
    object.metadata.labels = Some(labels(&client.name_any(), Kind::BackupPolicy, &policy.name_any()));
    object.metadata.owner_references = policy.controller_owner_ref(&()).map(|owner| vec![owner]);
    let api: Api<ChangeRequest> = Api::namespaced(ctx.client.clone(), &namespace);
    match api.create(&PostParams::default(), &object).await {
        Ok(_) => tracing::info!("ChangeRequest {name} waits for the yes of client {}", client.name_any()),
        // It was made a moment ago, and the watch has not told yet.
        Err(Error::Api(status)) if status.code == 409 => {}
        Err(error) => return Err(Failure::kubernetes(format!("make the ChangeRequest {name}"))(error)),
    }
    Ok(name)
}
