//! The cloud port on Google Cloud: a thin REST client with a token exchange of its own.
//!
//! Two facts of Google's own descriptions shape it. Cloud Asset and the policies of service accounts take tokens of the whole scope
//! `cloud-platform` only, reading included; every other call of a session for reading is made with a read-only token. And a filter over
//! asset types cannot say "all but these", so the cell of the other services reads everything and passes over what the other cells show.
//!
//! [`GcpConnector`] opens sessions; what a session answers is in `link`, one file for each thing that is asked.

mod call;
mod config;
mod connector;
mod deletions;
mod entry;
mod errors;
mod exit;
mod inventory;
mod link;
mod parent;
mod permissions;
mod presence;
mod recovery;
mod register;
mod schedules;
mod session;
mod token;

pub use crate::config::{BaseCredentials, CALLS_PER_MINUTE, Endpoints, GcpConfig, Secret, ServiceAccountKey};
pub use crate::connector::GcpConnector;
pub use crate::exit::TOKEN_CREATOR;
