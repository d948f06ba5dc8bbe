//! The controllers: they observe, ask `core` what to do, and do it. Each kind has a file of its own name; what all kinds share is the engine.

pub mod access;
pub mod backup_policy;
pub mod change_request;
pub mod claim;
pub mod cloud_account;
pub mod context;
pub mod counted_link;
mod destination;
pub mod discovery;
pub mod handover;
pub mod incident;
pub mod ledger;
pub mod managed_client;
pub mod monitoring_stack;
pub mod operator;
pub mod provider_identity;
pub mod provider_profile;
pub mod service_profile;
pub mod service_report;
pub mod signing;

pub use context::Context;
pub use provider_identity::Clouds;
