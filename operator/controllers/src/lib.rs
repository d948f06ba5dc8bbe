//! The controllers: they observe, ask `core` what to do, and do it.
//!
//! What all kinds share is here once: the engine (visits, finalizers, conditions, events, backoff), the cache of owned objects, server-side
//! apply and pruning, the store. Each kind has a file of its own name.

pub mod access;
pub mod apply;
pub mod backup_policy;
pub mod cache;
pub mod claim;
pub mod cloud_account;
pub mod clouds;
pub mod context;
pub mod discovery;
pub mod engine;
pub mod failure;
pub mod gate;
pub mod handover;
pub mod health;
pub mod inventory;
pub mod kube_port;
pub mod managed_client;
pub mod metrics;
pub mod monitoring_stack;
pub mod operator;
pub mod provider_profile;
pub mod signing;
pub mod store;
pub mod visit;
pub mod writes;

pub use clouds::Clouds;
pub use context::Context;
pub use engine::{Acted, CleanUp, Reconciler, Seen, run};
pub use failure::Failure;
pub use store::Store;
