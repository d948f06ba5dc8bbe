//! The cloud port on Azure. The only crate that names the Azure SDK.
//!
//! The way in is a Lighthouse delegation of each subscription to the provider's tenant. Azure has no crates for Resource Manager, so a thin
//! client on the SDK's pipeline makes the calls. [`AzureConnector`] opens sessions; what a session answers is in `link`, one file for each thing that is asked.

mod call;
mod config;
mod connector;
mod entry;
mod errors;
mod exit;
mod inventory;
mod link;
mod parent;
mod permissions;
mod presence;
mod proof;
mod recovery;
mod register;
mod session;
mod token;

pub use config::{AzureConfig, AzureCredentials, QUERIES_PER_SECOND};
pub use connector::AzureConnector;
