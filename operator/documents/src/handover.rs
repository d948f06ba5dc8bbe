//! The documents of a handover.

pub mod iac;
pub mod read_me;
pub mod script;

use std::collections::BTreeMap;

use caretaker_core::handover::contents::Inputs;

/// What the bundle holds for people, by path: the read-me, the scripts that end our access, and the code for their own tools.
#[must_use]
pub fn files(inputs: &Inputs<'_>) -> BTreeMap<String, String> {
    let scripts = inputs.accounts.iter().map(|account| {
        let (name, text) = script::of(&account.spec.target, &inputs.profile.spec);
        (format!("03-access/{name}"), text)
    });
    std::iter::once(("00-READ-ME-FIRST.md".to_owned(), read_me::text(inputs))).chain(scripts).chain(iac::files(inputs.export)).collect()
}
