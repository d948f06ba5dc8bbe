//! The engine: what the controllers of all kinds share. Visits, finalizers, conditions, events and backoff; the cache of watched objects; server-side
//! apply and pruning; the write gate; metrics and health.

pub mod apply;
pub mod cache;
pub mod common_status;
pub mod context;
pub mod definitions;
pub mod events;
pub mod failure;
pub mod health;
pub mod managed_fields;
pub mod metrics;
pub mod repairs;
pub mod visits;
pub mod write_gate;

pub use context::Context;
pub use failure::Failure;
pub use visits::{Acted, CleanUp, Reconciler, Seen, run};
