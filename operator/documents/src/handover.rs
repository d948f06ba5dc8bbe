//! The documents of a handover.

mod facts;
pub mod iac;
mod page;
mod read_me;
mod runbook;
pub mod script;

use std::collections::BTreeMap;

use caretaker_core::handover::contents::Inputs;

use self::facts::Facts;

/// What the bundle holds for people, by path: the read-me, the page, the scripts that end our access, the runbooks, and the code for their own tools.
#[must_use]
pub fn files(inputs: &Inputs<'_>) -> BTreeMap<String, String> {
    let scripts = inputs.accounts.iter().map(|account| {
        let (name, text) = script::of(&account.spec.target, &inputs.profile.spec);
        (format!("03-access/{name}"), text)
    });
    let mut files: BTreeMap<String, String> = scripts.chain(runbook::files(inputs)).chain(iac::files(inputs.export)).collect();
    let (others, gaps) = (inputs.files(), inputs.gaps());
    let paths = files.keys().chain(others.keys()).map(String::as_str).chain(["00-READ-ME-FIRST.md"]);
    let facts = Facts::of(inputs, &gaps, paths);
    let (read_me, page) = (read_me::text(&facts, gaps.len()), page::text(&facts, &gaps));
    files.insert("00-READ-ME-FIRST.md".to_owned(), read_me);
    files.insert("index.html".to_owned(), page);
    files
}
