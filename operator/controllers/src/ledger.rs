//! Writing to a client's ledger: what is about to be done in a cloud, what came of it, and what an exit came to.

use caretaker_api::exit_terms::DataStore;
use caretaker_api::handover::HandoverStatus;
use caretaker_api::ledger::LedgerHead;
use caretaker_api::lifecycle::ClientBaseline;
use caretaker_api::{Handover, ManagedClient};
use caretaker_cloud::{CloudLink, CloudStep, Receipt};
use caretaker_core::change_request::Progress;
use caretaker_core::contract::Permit;
use caretaker_core::contract::emergency::{self, Told};
use caretaker_core::handover::parts::LedgerTold;
use caretaker_core::handover::shown::{is_shortened, lacks_accounts, state};
use caretaker_core::ledger::undo::UndoPlan;
use caretaker_core::ledger::{Actor, Body, Decision, Entry, Head, Operation, Place, actor, entry, exit};
use caretaker_core::managed_client::lifecycle::baseline::Frozen;
use caretaker_core::ownership::Kind;
use caretaker_engine::Failure;
use caretaker_store::ledger::{ErasureTold, Verdict, export};
use kube::{Resource, ResourceExt};
use tempfile::NamedTempFile;

use crate::access::client_of;
use crate::context::Context;

/// Where a client's ledger is, and the end that is on record in the cluster.
fn place(client: &ManagedClient) -> (Place, Head) {
    let known = client.status.as_ref().and_then(|status| status.ledger.clone()).unwrap_or_default();
    let place = Place { client: client.name_any(), uid: client.uid().unwrap_or_default() };
    (place, Head { number: known.segments, digest: known.digest })
}

/// The end of a client's ledger and what is wrong with it; `None` where the store does not answer, which others tell.
pub async fn check(ctx: &Context, client: &ManagedClient) -> Option<Verdict> {
    let (place, known) = place(client);
    match ctx.ledger.check(&place, &known, ctx.now()).await {
        Ok(verdict) => Some(verdict),
        Err(error) => {
            tracing::warn!("the ledger of client {} cannot be read: {error}", place.client);
            None
        }
    }
}

/// What the ledger tells of a change.
pub async fn change(ctx: &Context, client: &ManagedClient, uid: &str) -> Result<Progress, Failure> {
    let (place, known) = place(client);
    ctx.ledger.change(&place, &known, uid).await.map_err(Failure::store)
}

/// What the ledger tells of decisions.
pub async fn decided(ctx: &Context, client: &ManagedClient) -> Result<Told, Failure> {
    let (place, known) = place(client);
    ctx.ledger.decided(&place, &known).await.map_err(Failure::store)
}

/// The inventory that was frozen at the beginning of Active.
pub async fn baseline(ctx: &Context, client: &ManagedClient) -> Result<Option<ClientBaseline>, Failure> {
    let (place, known) = place(client);
    ctx.ledger.baseline(&place, &known).await.map_err(Failure::store)
}

/// A copy of a client's ledger for a bundle, and what it tells; nothing where a segment is lost while it is read.
pub async fn exported(ctx: &Context, client: &ManagedClient) -> Result<(Option<NamedTempFile>, Option<LedgerTold>), Failure> {
    let (place, known) = place(client);
    let local = |error: std::io::Error| Failure::local("copy the ledger", error);
    let mut file = NamedTempFile::new().map_err(local)?;
    let (entries, verdict) = match export(&ctx.store, &place, &known, file.as_file_mut()).await {
        Ok(found) => found,
        Err(error) if error.is_loss() => return Ok((None, None)),
        Err(error) => return Err(Failure::store(error)),
    };
    let mut undo = UndoPlan::default();
    entries.iter().for_each(|entry| undo.take(entry));
    let told = LedgerTold {
        segments: verdict.head.number,
        digest: verdict.head.digest,
        undo: undo.finish(),
        faults: verdict.faults.iter().map(ToString::to_string).collect(),
    };
    Ok((Some(file), Some(told)))
}

/// The whole state of a handover. One that has ended, and of which the object shows all, needs no look at the ledger.
pub async fn whole(ctx: &Context, client: &ManagedClient, handover: &Handover) -> Result<HandoverStatus, Failure> {
    let (place, known) = place(client);
    let recorded = ctx.ledger.exit(&place, &known, &handover.uid().unwrap_or_default()).await.map_err(Failure::store)?;
    let shown = handover.status.clone().unwrap_or_default();
    let whole = state(&shown, recorded);
    if lacks_accounts(&shown, &whole) {
        let lost = "the client's ledger has lost accounts of this exit: put its segments back from a copy of the store (see LedgerIntact)";
        return Err(Failure::local("go on with the exit", lost));
    }
    Ok(whole)
}

/// All handovers of a client's namespace with their whole state, for those who look at single accounts.
pub async fn handovers(ctx: &Context, namespace: &str) -> Result<Vec<Handover>, Failure> {
    let mut handovers = ctx.cache.list_typed::<Handover>(Some(namespace));
    for handover in &mut handovers {
        if handover.status.as_ref().is_some_and(is_shortened)
            && let Some(client) = ctx.find::<ManagedClient>("", &client_of(handover)).await?
        {
            handover.status = Some(whole(ctx, &client, handover).await?);
        }
    }
    Ok(handovers)
}

/// Who writes to a client's ledger in the name of one object.
#[derive(Clone)]
pub struct Scribe<'a> {
    ctx: &'a Context,
    place: Place,
    known: Head,
    operation: Operation,
    by: Actor,
}

impl<'a> Scribe<'a> {
    /// In the name of an object of a client.
    pub fn new<K: Resource<DynamicType = ()>>(ctx: &'a Context, client: &ManagedClient, kind: Kind, object: &K) -> Self {
        let (place, known) = place(client);
        let operation = Operation { kind: kind.as_str().into(), name: object.name_any(), uid: object.uid().unwrap_or_default() };
        Self { ctx, place, known, operation, by: Actor::default() }
    }

    /// In the name of a handover.
    pub fn of(ctx: &'a Context, client: &ManagedClient, handover: &Handover) -> Self {
        Self { by: actor::of(handover), ..Self::new(ctx, client, Kind::Handover, handover) }
    }

    /// Writes entries, and gives the end of the ledger.
    pub async fn write(&self, entries: Vec<(String, Body)>) -> Result<LedgerHead, Failure> {
        let at = self.ctx.now();
        let made = |(subject, body)| Entry { at, operation: self.operation.clone(), subject, by: self.by.clone(), body };
        let entries: Vec<Entry> = entries.into_iter().map(made).collect();
        let head = self.ctx.ledger.append(&self.place, &self.known, &entries).await.map_err(Failure::store)?;
        Ok(LedgerHead { segments: head.number, digest: head.digest })
    }

    /// How far the erasure of a kind of the client's data is; `None` where it did not begin.
    pub async fn erasure(&self, store: DataStore) -> Result<Option<ErasureTold>, Failure> {
        self.ctx.ledger.erasure(&self.place, &self.known, store).await.map_err(Failure::store)
    }

    /// Writes what changed in an exit since the ledger was written last, and gives the end of the ledger.
    pub async fn tell(&self, state: &HandoverStatus) -> Result<LedgerHead, Failure> {
        let uid = &self.operation.uid;
        let recorded = self.ctx.ledger.exit(&self.place, &self.known, uid).await.map_err(Failure::store)?;
        self.write(exit::changes(&recorded.unwrap_or_default(), state)).await
    }

    /// Freezes the inventory of the beginning, once. Another process may have been faster: what the ledger has stays.
    pub async fn freeze(&self, (baseline, accounts): &Frozen) -> Result<(), Failure> {
        let held = self.ctx.ledger.baseline(&self.place, &self.known).await.map_err(Failure::store)?;
        if held.is_none() {
            let body = Body::Baseline { baseline: baseline.clone(), accounts: accounts.clone() };
            self.write(vec![(String::new(), body)]).await?;
        }
        Ok(())
    }

    /// Writes a decision, once.
    pub async fn decide(&self, decision: &Decision) -> Result<(), Failure> {
        let told = self.ctx.ledger.decided(&self.place, &self.known).await.map_err(Failure::store)?;
        if !told.contains(&(decision.about.clone(), decision.decided)) {
            self.write(vec![(String::new(), Body::Decision(decision.clone()))]).await?;
        }
        Ok(())
    }

    /// The same scribe, whose entries say in whose name they are written. An emergency is on the ledger before the first write under it.
    pub async fn under(mut self, permit: &Permit) -> Result<Self, Failure> {
        if let Some(declared) = permit.emergency() {
            self.decide(&emergency::opened(declared)).await?;
        }
        self.by = Actor { approval: permit.approval().cloned(), emergency: permit.emergency().cloned(), ..self.by };
        Ok(self)
    }

    /// One write in a client's cloud: the intent before it, what came of it after it. Where the intent cannot be written, nothing is done. Without a permit
    /// there is no way to ask for it.
    pub async fn perform(
        &self,
        permit: &Permit,
        (subject, link): (&str, &dyn CloudLink),
        (key, step): (&str, &CloudStep),
    ) -> Result<caretaker_cloud::Result<Receipt>, Failure> {
        self.clone().under(permit).await?.carry_out((subject, link), key, step).await
    }

    async fn carry_out(
        &self,
        (subject, link): (&str, &dyn CloudLink),
        key: &str,
        step: &CloudStep,
    ) -> Result<caretaker_cloud::Result<Receipt>, Failure> {
        let ledgers = &self.ctx.ledger;
        // An intent whose outcome nobody knows is settled by doing the write again under its key, which changes nothing more.
        if !ledgers.is_open(&self.place, &self.known, key).await.map_err(Failure::store)? {
            let (what, reverse) = (step.describe(), entry::reverse(step));
            let intent = Body::Intent { key: key.into(), what, reverse, step: step.clone() };
            self.write(vec![(subject.into(), intent)]).await?;
        }
        let answer = link.perform(key, step).await;
        let came = match &answer {
            Ok(receipt) => Body::Receipt { key: key.into(), receipt: receipt.clone() },
            Err(error) => Body::Failure { key: key.into(), error: error.to_string() },
        };
        self.write(vec![(subject.into(), came)]).await?;
        Ok(answer)
    }
}
