//! Tests on a real node: what they say of pods is said by containers that run. Where a machine cannot have one, each is noted as skipped with the reason.

mod alerts;
mod end;
mod layouts;
mod monitoring;
mod names;
mod pods;
mod upgrade;
