//! What every controller is given.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex};

use caretaker_core::isolation::PodTerms;
use caretaker_core::layout::Layout;
use caretaker_store::Store;
use caretaker_store::ledger::Ledgers;

use crate::monitoring_stack::Pods;
use crate::provider_identity::Clouds;

/// What every controller is given: the engine's part, and what only controllers use.
#[derive(Clone)]
pub struct Context {
    /// API server, cache, clock, events and metrics.
    pub engine: caretaker_engine::Context,
    /// Where inventories and bundles are.
    pub store: Store,
    /// The clients' ledgers.
    pub ledger: Ledgers,
    /// The ways into clouds.
    pub clouds: Arc<dyn Clouds>,
    /// The way to the pods of clients' monitoring; `None` where they are not to be asked what they have loaded.
    pub pods: Option<Pods>,
    /// How the pod of an isolation test is made; `None` where no tests are made.
    pub isolation: Option<PodTerms>,
    /// How this cluster differs from others.
    pub layout: Arc<Layout>,
    /// Claims that this process knows to be held: name of the claim, uid of the holder.
    pub claims: Arc<Mutex<HashMap<String, String>>>,
}

impl Deref for Context {
    type Target = caretaker_engine::Context;

    fn deref(&self) -> &Self::Target {
        &self.engine
    }
}
