//! The harness: a real control plane, an AWS emulator that enforces, and the operator as a process under the chart's own permissions.
//!
//! Never part of what ships. Everything listens on 127.0.0.1, or where a node of [`cluster`] alone sees it; no process outlives the one that started it.

pub mod certs;
pub mod cluster;
pub mod control_plane;
pub mod emulator;
pub mod git_server;
pub mod gitops;
pub mod node;
pub mod operator;
pub mod process;
pub mod python;
pub mod read;
pub mod receiver;
pub mod tofu;
pub mod tools;
pub mod worker;

pub use caretaker_prerequisites::{cache, source_root};
