//! What every controller is given.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use kube::Client;
use kube::runtime::events::Recorder;

use crate::cache::Cache;
use crate::clouds::Clouds;
use crate::metrics::Metrics;
use crate::store::Store;

/// Tells the time. Injected, so that tests can move it.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What every controller is given.
#[derive(Clone)]
pub struct Context {
    /// The API server.
    pub client: Client,
    /// Objects that we watch.
    pub cache: Cache,
    /// Where inventories and bundles are.
    pub store: Store,
    /// The ways into clouds.
    pub clouds: Arc<dyn Clouds>,
    /// The time.
    pub clock: Clock,
    /// The operator's own namespace.
    pub namespace: String,
    /// Publishes events.
    pub recorder: Recorder,
    /// Counts what happens.
    pub metrics: Metrics,
    /// Claims that this process knows to be held: name of the claim, uid of the holder.
    pub claims: Arc<Mutex<HashMap<String, String>>>,
}

impl Context {
    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }
}
