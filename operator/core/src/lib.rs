//! All decisions of Caretaker, as pure functions: no IO, no clock, no async, no client.
//!
//! Each kind has a file of its own name with `check` (faults as data), `plan` (cannot fail) and `status`; what they share is here.

pub mod assessment;
pub mod backup_policy;
pub mod billing;
pub mod change_request;
pub mod cloud_account;
pub mod conditions;
pub mod contest;
pub mod contract;
pub mod desired;
pub mod digest;
pub mod drift;
pub mod failures;
pub mod grant;
pub mod handover;
pub mod incident;
pub mod intake;
pub mod inventory;
pub mod isolation;
pub mod jitter;
pub mod kit;
pub mod layout;
pub mod ledger;
pub mod managed_client;
pub mod messages;
pub mod monitoring_stack;
pub mod outcome;
pub mod ownership;
pub mod permissions;
pub mod provider_profile;
pub mod responsibility;
pub mod risks;
pub mod schema;
pub mod service_level;
pub mod service_profile;
pub mod service_report;
pub mod spreadsheet;
pub mod visit_request;
pub mod zone;

pub use conditions::ConditionSet;
pub use desired::Desired;
pub use outcome::{Fault, Outcome, Wait};
