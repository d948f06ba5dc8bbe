//! What a kind gives to the loop: five verbs, and what they tell each other.

use std::fmt::Debug;
use std::ops::Deref;

use async_trait::async_trait;
use caretaker_api::condition::ConditionType;
use caretaker_core::outcome::{Fault, Outcome, Wait};
use caretaker_core::ownership::Kind;
use jiff::Timestamp;
use kube::Resource;
use kube::core::object::HasStatus;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::common_status::CommonStatus;
use crate::context::Context;
use crate::failure::Failure;

/// What `act` did, and the failure that stopped it.
#[derive(Debug)]
pub struct Acted<D> {
    /// What was done before the failure, if there was one.
    pub done: D,
    /// Why not all was done.
    pub failure: Option<Failure>,
}

/// What `status` is told.
pub struct Seen<'a, O, D> {
    /// What was observed.
    pub observed: &'a O,
    /// Faults; nothing was done where there are any.
    pub faults: &'a [Fault],
    /// What was done.
    pub done: &'a D,
    /// Why not all was done.
    pub failure: Option<&'a Failure>,
    /// The time of the visit.
    pub now: Timestamp,
}

/// What a clean-up came to.
#[derive(Debug)]
pub enum CleanUp {
    /// The finalizer may go.
    Done,
    /// Something is still there.
    Waiting(Wait),
}

/// One kind's five verbs.
#[async_trait]
pub trait Reconciler: Send + Sync + 'static {
    /// The kind in the API.
    type Object: Resource<DynamicType = ()>
        + HasStatus<Status: CommonStatus + DeserializeOwned>
        + Clone
        + Debug
        + DeserializeOwned
        + Serialize
        + Send
        + Sync
        + 'static;
    /// What the kind's controller is given.
    type Context: Deref<Target = Context> + Clone + Send + Sync + 'static;
    /// All that was read.
    type Observed: Send + Sync;
    /// All that will be written.
    type Plan: Send;
    /// All that was written.
    type Done: Default + Send + Sync;
    /// The kind.
    const KIND: Kind;
    /// The kind's own conditions; the engine adds `Ready`, `Reconciling` and `Stalled`.
    const CONDITIONS: &'static [ConditionType];

    /// All reads.
    async fn observe(&self, ctx: &Self::Context, object: &Self::Object) -> Result<Self::Observed, Failure>;
    /// Faults as data. Pure.
    fn check(&self, object: &Self::Object, observed: &Self::Observed) -> Vec<Fault>;
    /// What to do. Pure; cannot fail. Not called where there are faults.
    fn plan(&self, object: &Self::Object, observed: &Self::Observed, now: Timestamp) -> Self::Plan;
    /// All writes.
    async fn act(&self, ctx: &Self::Context, object: &Self::Object, plan: Self::Plan) -> Acted<Self::Done>;
    /// The new status, without `Ready`, `Reconciling` and `Stalled`, and what the visit came to. Pure.
    fn status(&self, object: &Self::Object, seen: Seen<'_, Self::Observed, Self::Done>) -> (<Self::Object as HasStatus>::Status, Outcome);
    /// What is begun only once the status tells what was found out so far, since it can last for minutes. Pure; `None` where a visit has no such part.
    fn rest(&self, _object: &Self::Object, _seen: &Seen<'_, Self::Observed, Self::Done>) -> Option<Self::Plan> {
        None
    }
    /// Takes down what must not outlive the object. Never deletes anything in a client's cloud unless the spec says so.
    async fn clean_up(&self, ctx: &Self::Context, object: &Self::Object) -> Result<CleanUp, Failure>;
}

pub(super) type Status<R> = <<R as Reconciler>::Object as HasStatus>::Status;
