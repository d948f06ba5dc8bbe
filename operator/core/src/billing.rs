//! Metering: how many units of what a client is billed for, with the assets behind each. Prices stand in the contract.
//!
//! A day's units are counted from the last inventories that are known on it, and may be counted anew until it ends. A month's units are those of its last day on
//! which all that matters was read; they are fixed once the month has ended, and never written again.

pub mod count;
pub mod month;
pub mod place;
mod settle;

#[cfg(test)]
mod tests;

use caretaker_api::billing::BillingTerms;

pub use count::{Billed, Counter, DayUnits, UnitCount};
pub use month::{MonthUnits, Peak, close, to_close};
pub use place::UnitsPlace;
pub use settle::{Counted, Due, counted, due, settle, status_units};

use crate::inventory::scope;
use crate::outcome::Fault;
use crate::zone::zone;

/// Form of the records that this release writes.
pub const FORMAT: &str = "caretaker-units/1";

/// What is wrong with the terms that admission does not see. `field` is where they stand.
#[must_use]
pub fn faults(terms: &BillingTerms, field: &str) -> Vec<Fault> {
    let mut found: Vec<Fault> = zone(&terms.zone).err().map(|message| Fault::spec(format!("{field}.zone"), message)).into_iter().collect();
    for (number, unit) in terms.units.iter().enumerate() {
        let at = |selector: usize| format!("{field}.units[{number}].assets[{selector}]");
        found.extend(unit.assets.iter().enumerate().filter_map(|(selector, given)| scope::selector_fault(given, &at(selector))));
    }
    found
}
