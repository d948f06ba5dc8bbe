//! Who does what, control by control: compiled from the delivery model, the authority in each domain, what is usual for a control, and overrides.
//!
//! Accountable is always the client: a provider can be asked to do the work, and never to answer for it towards others. Nothing here says that a rule of
//! anybody's is met: a row says who does the work and where the bundle tells of it, not that the work is done.

pub mod lists;
pub mod oscal;
pub mod sheet;
pub mod terms;
mod uuid;

use caretaker_api::ManagedClient;
use caretaker_api::compliance::{ControlOverride, Framework, Responsible};
use caretaker_api::contract::{Authority, DeliveryModel, Domain};
use caretaker_api::managed_client::ManagedClientSpec;
use serde::Serialize;

use lists::{Control, Party};
pub use lists::{Evidence, Held, List};

use crate::contract::{authority, is_assessment};
use crate::handover::redact;

/// Who is accountable for every control.
pub const ACCOUNTABLE: &str = "Client";
/// Stands where a bundle holds nothing about a control.
pub const NO_EVIDENCE: &str = "none: Caretaker holds nothing about it";

/// One control. No cell is empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The framework.
    pub framework: Framework,
    /// The control as the framework writes it.
    pub control: &'static str,
    /// The domain, or `Organisation` where the control belongs to none.
    pub domain: &'static str,
    /// What it is about, in Caretaker's words.
    pub work: &'static str,
    /// Always the client.
    pub accountable: &'static str,
    /// Who does the work.
    pub responsible: Responsible,
    /// The same one by one: several where it is `Joint`.
    #[serde(serialize_with = "in_words")]
    pub parties: Vec<Party>,
    /// Who decides what is done.
    pub decides: &'static str,
    /// Who does the work when the provider is out.
    pub after_the_exit: String,
    /// Where that comes from.
    pub by: String,
    /// Path in the bundle that tells of it.
    pub evidence: &'static str,
    /// What an override says, or what is usual.
    pub note: String,
}

/// The rows of one framework.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// The list that they were compiled from.
    pub list: &'static List,
    /// One row for each control, in the order of the framework.
    pub rows: Vec<Row>,
}

impl Row {
    /// Who does the work, as a cell has it.
    #[must_use]
    pub fn done_by(&self) -> String {
        named(&self.parties)
    }
}

fn in_words<S: serde::Serializer>(parties: &[Party], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&named(parties))
}

impl Matrix {
    /// Number of controls that somebody does.
    #[must_use]
    pub fn count(&self, responsible: Responsible) -> u32 {
        u32::try_from(self.rows.iter().filter(|row| row.responsible == responsible).count()).unwrap_or(u32::MAX)
    }
}

/// Every framework that the client asked for, in its order. Evidence is named only where `held` has it.
#[must_use]
pub fn compile(spec: &ManagedClientSpec, held: &Held) -> Vec<Matrix> {
    let asked = spec.compliance.iter().flat_map(|terms| &terms.frameworks);
    asked.map(|framework| of(spec, *framework, held)).collect()
}

fn of(spec: &ManagedClientSpec, framework: Framework, held: &Held) -> Matrix {
    let list = lists::of(framework);
    Matrix { list, rows: list.controls.iter().map(|control| row(spec, framework, control, held)).collect() }
}

fn row(spec: &ManagedClientSpec, framework: Framework, control: &'static Control, held: &Held) -> Row {
    let mut overrides = spec.compliance.iter().flat_map(|terms| &terms.overrides);
    let given = overrides.find(|given| given.framework == framework && given.control == control.id);
    let parties = distinct(given.map_or_else(|| usual(spec, control), parties_of));
    Row {
        framework,
        control: control.id,
        domain: control.domain.map_or("Organisation", Domain::as_str),
        work: control.label,
        accountable: ACCOUNTABLE,
        responsible: responsible(&parties),
        decides: decides(spec, control.domain),
        after_the_exit: named(&distinct(parties.iter().copied().map(without_provider).collect())),
        parties,
        by: basis(spec, control, given),
        evidence: control.evidence.filter(|evidence| held.has(*evidence)).map_or(NO_EVIDENCE, Evidence::path),
        note: given.map_or_else(|| "as is usual for it".to_owned(), |given| redact::text(given.note.trim())),
    }
}

/// Who does it where no override says anything. A provider who lends people, or has no contract yet, is responsible for nothing.
fn usual(spec: &ManagedClientSpec, control: &Control) -> Vec<Party> {
    let is_of_nobodys = is_without_provider(spec);
    let of_domain = || match control.domain.map_or(Authority::Client, |domain| authority(spec, domain)) {
        Authority::Provider => vec![Party::Provider],
        Authority::Client => vec![Party::Client],
        Authority::Joint => vec![Party::Provider, Party::Client],
    };
    let part = |part: &Party| match part {
        // What belongs to no domain is done by the two sides together as far as the provider has a part in it.
        Party::Domain if control.domain.is_none() => vec![Party::Provider],
        Party::Domain => of_domain(),
        other => vec![*other],
    };
    let parties = control.split.iter().flat_map(part);
    parties.map(|party| if is_of_nobodys { without_provider(party) } else { party }).collect()
}

fn is_without_provider(spec: &ManagedClientSpec) -> bool {
    spec.delivery_model == DeliveryModel::StaffAugmentation || is_assessment(spec)
}

fn parties_of(given: &ControlOverride) -> Vec<Party> {
    match given.responsible {
        Responsible::Provider => vec![Party::Provider],
        Responsible::Client => vec![Party::Client],
        Responsible::Cloud => vec![Party::Cloud],
        Responsible::Joint => vec![Party::Provider, Party::Client],
    }
}

fn responsible(parties: &[Party]) -> Responsible {
    match parties {
        [Party::Provider] => Responsible::Provider,
        [Party::Cloud] => Responsible::Cloud,
        [Party::Client] | [] => Responsible::Client,
        _ => Responsible::Joint,
    }
}

/// Who does it where the provider does not: what was the provider's is the client's.
fn without_provider(party: Party) -> Party {
    if party == Party::Provider { Party::Client } else { party }
}

fn distinct(mut parties: Vec<Party>) -> Vec<Party> {
    parties.sort_unstable();
    parties.dedup();
    parties
}

fn named(parties: &[Party]) -> String {
    parties.iter().map(|party| party.as_str()).collect::<Vec<_>>().join(" and ")
}

fn decides(spec: &ManagedClientSpec, domain: Option<Domain>) -> &'static str {
    match domain.filter(|_| !is_without_provider(spec)).map(|domain| authority(spec, domain)) {
        None | Some(Authority::Client) => "client",
        Some(Authority::Provider) => "provider",
        Some(Authority::Joint) => "provider and client",
    }
}

/// Where a cell comes from.
fn basis(spec: &ManagedClientSpec, control: &Control, given: Option<&ControlOverride>) -> String {
    if given.is_some() {
        return "override in spec.compliance".into();
    }
    format!("{}; usually {}", terms_of(spec, control.domain), named(&control.split))
}

/// What of the contract says who has a domain; of no domain, what says it of everything.
pub(crate) fn terms_of(spec: &ManagedClientSpec, domain: Option<Domain>) -> String {
    match (spec.delivery_model, domain) {
        _ if is_assessment(spec) => "no contract yet: lifecycle.stage Assessment".into(),
        (DeliveryModel::FullyManaged, _) => "deliveryModel FullyManaged".into(),
        (DeliveryModel::StaffAugmentation, _) => "deliveryModel StaffAugmentation: people work under the client's direction".into(),
        (DeliveryModel::CoManaged, Some(domain)) if spec.domains.iter().any(|terms| terms.name == domain) => {
            format!("domains[{}]", domain.as_str())
        }
        (DeliveryModel::CoManaged, Some(_)) => "deliveryModel CoManaged, where a domain that is not named is Joint".into(),
        (DeliveryModel::CoManaged, None) => "deliveryModel CoManaged".into(),
    }
}

/// What identifies a client in stable ids: its UID, so that clients of one name at two providers stay apart.
#[must_use]
pub fn identity(client: &ManagedClient) -> String {
    use kube::ResourceExt;
    client.uid().unwrap_or_else(|| client.name_any())
}

#[cfg(test)]
mod tests;
