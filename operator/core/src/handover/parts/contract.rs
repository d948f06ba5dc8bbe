//! 01: what was agreed.

use caretaker_api::managed_client::ManagedClientSpec;
use caretaker_api::service_profile::{Clause, NamedAuthorization};
use kube::ResourceExt;
use serde::Serialize;

use super::{File, Part, monitoring};
use crate::handover::contents::Inputs;

pub(super) struct Contract;

#[derive(Serialize)]
struct Told {
    name: String,
    spec: ManagedClientSpec,
}

/// What of the contract is the provider's standard: the spec beside it is already the resolved one.
#[derive(Serialize)]
struct Profile<'a> {
    name: &'a str,
    segment: &'a str,
    revision: &'a str,
    clauses: &'a [Clause],
    authorizations: &'a [NamedAuthorization],
    deviations: Vec<&'a str>,
}

impl Part for Contract {
    fn path(&self) -> &'static str {
        "01-contract"
    }

    fn holds(&self) -> &'static str {
        "what was agreed: scope, accounts, monitoring, backups, exit"
    }

    fn files(&self, inputs: &Inputs<'_>) -> Vec<File> {
        let mut spec = inputs.client.spec.clone();
        if let Some(terms) = &mut spec.monitoring {
            terms.prober = terms.prober.as_ref().map(|_| monitoring::PROBER.to_owned());
            for tier in &mut terms.tiers {
                tier.webhook_url = tier.webhook_url.as_ref().map(|_| monitoring::receiver(&tier.name));
            }
        }
        let mut files = vec![File::json("01-contract/managed-client.json", &Told { name: inputs.client.name_any(), spec })];
        let held = &inputs.profile.spec.qualifications;
        files.extend((!held.is_empty()).then(|| File::json("01-contract/provider-qualifications.json", held)));
        files.extend(inputs.client.status.as_ref().and_then(|status| status.profile.as_ref()).map(|held| {
            let profile = Profile {
                name: &held.name,
                segment: &held.segment,
                revision: &held.revision,
                clauses: &held.limits.clauses,
                authorizations: inputs.client.spec.profile.as_ref().map(|choice| choice.authorizations.as_slice()).unwrap_or_default(),
                deviations: held.deviations.iter().map(|deviation| deviation.path.as_str()).collect(),
            };
            File::json("01-contract/profile.json", &profile)
        }));
        files
    }
}
