//! 02: the assets. The controller copies them from the store, without secrets, one file for each account.

use super::{File, Gap, Part};
use crate::handover::contents::Inputs;

pub(super) struct Inventory;

const PATH: &str = "02-inventory";

impl Part for Inventory {
    fn path(&self) -> &'static str {
        PATH
    }

    fn holds(&self) -> &'static str {
        "every asset, one JSON line each (`zstd -d`), and how complete the reading was"
    }

    fn files(&self, inputs: &Inputs<'_>) -> Vec<File> {
        let mut files = vec![File::json("02-inventory/coverage.json", &inputs.readings)];
        let services = &inputs.client.spec.external_services;
        files.extend((!services.is_empty()).then(|| File::json("02-inventory/external-services.json", services)));
        files
    }

    fn gaps(&self, inputs: &Inputs<'_>) -> Vec<Gap> {
        let mut gaps = Vec::new();
        for reading in inputs.readings {
            let of = |reason: &str| Gap::new(PATH, reason).of(&reading.account);
            gaps.extend((!reading.gap.is_empty()).then(|| of(&reading.gap)));
            let coverage = reading.inventory.iter().map(|inventory| &inventory.coverage);
            for coverage in coverage {
                gaps.extend(coverage.notes.iter().map(|note| of(note)));
                gaps.extend(coverage.gaps.iter().map(|cell| Gap::cell(PATH, &reading.account, cell)));
            }
        }
        gaps.extend(inputs.withheld.iter().map(|withheld| {
            let reason = format!(
                "the value of {} is withheld in {} asset(s), since it looks like a secret: read it in the account, and move it to a store of secrets",
                withheld.name, withheld.assets
            );
            Gap::new(PATH, reason).of(&withheld.account)
        }));
        gaps
    }
}
