//! A simulator of the part of Azure that Caretaker calls: the token endpoint, subscriptions, Lighthouse delegations, permissions and
//! Resource Graph.
//!
//! It stands in for a cloud in tests and demos, and proves nothing about the real one: a claim that rests on it is "emulated". What it says
//! is judged by Microsoft's own validator, see [`judge`]. It listens on 127.0.0.1, where nothing else is asked for, over TLS with a test CA.

mod deploy;
pub mod eligible;
pub mod entra;
mod graph;
pub mod judge;
mod kql;
pub mod limits;
mod manager;
pub mod recovery;
mod reply;
pub mod seed;
mod serve;
mod services;
pub mod world;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use crate::world::World;

/// Audience of the tokens, as in Azure's public cloud.
pub const AUDIENCE: &str = "https://management.azure.com";

/// One request and its answer. Neither tokens nor secrets are in it; exchanges with the token endpoint are left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exchange {
    /// HTTP method.
    pub method: String,
    /// Path and query as they were sent.
    pub url: String,
    /// Headers of the request without `authorization`.
    pub request_headers: Map<String, Value>,
    /// Body of the request.
    pub request_body: Value,
    /// HTTP status of the answer.
    pub status: u16,
    /// Headers of the answer.
    pub response_headers: Map<String, Value>,
    /// Body of the answer.
    pub response_body: Value,
}

/// What the server and its owner share.
pub(crate) struct State {
    pub world: Mutex<World>,
    pub exchanges: Mutex<Vec<Exchange>>,
}

/// A running simulator. Dropping it ends it.
pub struct Simulator {
    address: SocketAddr,
    ca_pem: String,
    state: Arc<State>,
    server: tokio::task::JoinHandle<()>,
}

impl Simulator {
    /// Starts it on a free port.
    ///
    /// # Errors
    /// The certificates cannot be made; no port is free.
    pub async fn start(world: World) -> Result<Self> {
        Self::start_at(world, 0).await
    }

    /// Starts it on a port of 127.0.0.1; 0 takes a free one.
    ///
    /// # Errors
    /// The certificates cannot be made; the port is taken.
    pub async fn start_at(world: World, port: u16) -> Result<Self> {
        Self::start_on(world, (std::net::Ipv4Addr::LOCALHOST, port).into()).await
    }

    /// Starts it on another address of this machine, such as one that pods reach.
    ///
    /// # Errors
    /// The certificates cannot be made; the address is taken or not this machine's.
    pub async fn start_on(world: World, address: SocketAddr) -> Result<Self> {
        let state = Arc::new(State { world: Mutex::new(world), exchanges: Mutex::default() });
        let (address, ca_pem, server) = serve::start(state.clone(), address).await?;
        Ok(Self { address, ca_pem, state, server })
    }

    /// Address of the token endpoint and of Resource Manager.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Certificate of the test CA, PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Changes the world behind the caller's back.
    ///
    /// # Panics
    /// An earlier change panicked.
    pub fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        change(&mut self.state.world.lock().expect("no panic while held"))
    }

    /// Deploys a template to a subscription, as its Owner does with a grant kit.
    ///
    /// # Errors
    /// The template is not one that delegates the subscription, or Azure would not delegate what it asks for.
    ///
    /// # Panics
    /// An earlier change panicked.
    pub fn deploy(&self, subscription: &str, template: &Value) -> Result<()> {
        let exchanges = self.change(|world| deploy::deploy(world, subscription, template))?;
        self.state.exchanges.lock().expect("no panic while held").extend(exchanges);
        Ok(())
    }

    /// All exchanges with Resource Manager so far, in the order of their answers.
    ///
    /// # Panics
    /// The server panicked.
    #[must_use]
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.state.exchanges.lock().expect("no panic while held").clone()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.server.abort();
    }
}
