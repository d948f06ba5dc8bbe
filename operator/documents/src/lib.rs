//! Everything that is written for people and applied by them: grant kits, letters, scripts, Terraform, and the read-me of the bundle.
//!
//! Texts are templates: files in `templates`, which are compiled in. No IO, no clock. Which permissions are asked for, and of whom, is decided in `core`.

pub mod assessment;
pub mod handover;
pub mod kit;
pub mod permissions;
pub mod quote;
pub mod service_report;

mod template;
