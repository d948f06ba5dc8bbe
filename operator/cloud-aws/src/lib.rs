//! The cloud port on AWS. The only crate that names the AWS SDK.
//!
//! [`AwsConnector`] opens sessions; what a session answers is in `link`, one file for each thing that is asked.

mod call;
mod clock;
mod config;
mod connector;
mod entry;
mod errors;
mod exit;
mod inventory;
mod link;
mod parent;
mod permissions;
mod policies;
mod presence;
mod protection;
mod proxies;
mod recovery;
mod register;
mod restore_test;
mod services;
mod session;
mod xml_integrity;

pub use config::{AwsConfig, BaseCredentials};
pub use connector::AwsConnector;
