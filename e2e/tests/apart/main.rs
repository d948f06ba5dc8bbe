//! Tests that break what others stand on, each with a control plane and an operator of its own.

mod bad_days;
mod gitops;
mod harness;
mod late_api_server;
mod proxy;
mod three_clouds;
mod truth;
mod without_prometheus;
