//! Tests on a real node: what they say of pods is said by containers that run. Where a machine cannot have one, each is noted as skipped with the reason.

mod alerts;
mod end;
mod isolation;
mod layouts;
mod levels;
mod monitoring;
mod names;
mod pods;
mod upgrade;
mod volumes;

use anyhow::Result;
use caretaker_e2e::in_pod::InPod;
use caretaker_e2e::node::turn;

/// One cluster with the operator in a pod for all of it: it is dear to start.
#[test]
fn clients_are_watched_and_kept_apart_by_an_operator_in_a_pod() -> Result<()> {
    let _turn = turn();
    let Some(lab) = InPod::start("clients_are_watched_and_kept_apart_by_an_operator_in_a_pod")? else { return Ok(()) };
    alerts::reach_their_tier_and_a_lost_receiver_is_told(&lab)?;
    levels::are_read_out_of_a_pod(&lab)?;
    volumes::hold_what_was_measured_and_silenced(&lab)?;
    isolation::openings_are_named(&lab)
}
