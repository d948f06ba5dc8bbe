//! 07: service levels. The controller copies reports, measurements and versions of the terms in, byte for byte.

use super::{File, Gap, Part};
use crate::handover::contents::Inputs;

pub(super) struct ServiceLevels;

const PATH: &str = "07-service-levels";
const NOT_AGREED: &str = "no service levels are agreed in spec.serviceLevels, so that nothing was measured for reports: ask the provider for its own, with \
                          the times of each outage, and for credits that are still open";

impl Part for ServiceLevels {
    fn path(&self) -> &'static str {
        PATH
    }

    fn holds(&self) -> &'static str {
        "service reports by month, the measurements of each day behind them, each version of what was agreed, and the units that were billed"
    }

    fn files(&self, inputs: &Inputs<'_>) -> Vec<File> {
        inputs.client.spec.service_levels.iter().map(|agreed| File::json(format!("{PATH}/agreed.json"), agreed)).collect()
    }

    fn gaps(&self, inputs: &Inputs<'_>) -> Vec<Gap> {
        if inputs.client.spec.service_levels.is_none() { vec![Gap::new(PATH, NOT_AGREED)] } else { Vec::new() }
    }
}
