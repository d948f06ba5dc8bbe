//! What is known of each cloud's services, as data: one row for each type of asset or service, from which the adapters' lists, the permission manifest, the
//! grant kits, the tags and the exit's import blocks are made. It knows no SDK.

pub mod aws;
pub mod azure;
pub mod gcp;
pub mod import;
