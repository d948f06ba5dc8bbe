//! All decisions of Caretaker, as pure functions: no IO, no clock, no async, no client.
//!
//! Each kind has a file of its own name with `check` (faults as data), `plan` (cannot fail) and `status`; what they share is here.

pub mod access;
pub mod account_budget;
pub mod backup_policy;
pub mod calls;
pub mod cloud_account;
pub mod conditions;
pub mod desired;
pub mod digest;
pub mod grant;
pub mod handover;
pub mod inventory;
pub mod kit;
pub mod kit_gcp;
pub mod managed_client;
pub mod members;
pub mod monitoring_stack;
pub mod outcome;
pub mod ownership;
pub mod patch;
pub mod period;
pub mod provider_profile;
pub mod refusals;
pub mod request;
pub mod scope;
pub mod separation;

pub use conditions::ConditionSet;
pub use desired::Desired;
pub use outcome::{Fault, Outcome, Wait};
