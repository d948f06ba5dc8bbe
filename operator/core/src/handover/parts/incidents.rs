//! 09: incidents and tickets. The controller copies the records of incidents in, byte for byte, and those that are not closed. Nothing keeps tickets.

use super::{Gap, Part};
use crate::handover::contents::Inputs;

pub(super) struct Incidents;

const PATH: &str = "09-incidents-tickets";
const TICKETS: &str = "incidents are here as far as the monitoring knew of them; tickets are not kept in this release: ask the provider for those of the last \
                       year, all that are open, known faults, and open cases with vendors";
const NOT_WATCHED: &str = "the client has no monitoring, so that no incidents were made, and tickets are not kept in this release: ask the provider for the \
                           outages and tickets of the last year, all that are open, known faults, and open cases with vendors";

impl Part for Incidents {
    fn path(&self) -> &'static str {
        PATH
    }

    fn holds(&self) -> &'static str {
        "a record of each outage: when it began, which tier was told, who took it, when it ended; tickets and known faults"
    }

    fn gaps(&self, inputs: &Inputs<'_>) -> Vec<Gap> {
        vec![Gap::new(PATH, if inputs.client.spec.monitoring.is_some() { TICKETS } else { NOT_WATCHED })]
    }
}
