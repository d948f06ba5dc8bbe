//! `ManagedClient`: what a client's namespace holds, which children it has, and how their conditions sum up.

mod accounts;
pub mod agreements;
pub mod deadlines;
pub mod delivery;
pub mod destination;
mod ended;
pub mod erasure;
pub mod external_services;
mod guards;
pub mod lifecycle;
mod outcome;
pub mod readiness;
mod reports;
mod status;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use caretaker_api::backup_policy::BackupPolicySpec;
use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::lifecycle::ClientBaseline;
use caretaker_api::monitoring_stack::MonitoringStackSpec;
use caretaker_api::names::{self, client_namespace};
use caretaker_api::{BackupPolicy, ChangeRequest, CloudAccount, Handover, ManagedClient, MonitoringStack, ServiceReport};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;

pub use accounts::{Wanted, accounts};
pub use guards::NAME as QUOTA;
pub use reports::reports;
pub use status::{Report, status};

use crate::billing;
use crate::contract::emergency::Told;
use crate::desired::{Desired, named as named_object};
use crate::handover::ending::Ending;
use crate::inventory::scope::{self, Named};
use crate::isolation::{Seen, Stage};
use crate::layout::Dns;
use crate::ledger::{Broken, Head};
use crate::monitoring_stack;
use crate::outcome::Fault;
use crate::responsibility;
use crate::service_level;
use crate::service_profile::{self, Standing};

/// The kind's own conditions.
pub const CONDITIONS: &[ConditionType] = &[
    ConditionType::ProfileResolved,
    ConditionType::AuthorizationsNamed,
    ConditionType::NamespaceReady,
    ConditionType::Isolated,
    ConditionType::MembersListed,
    ConditionType::AccessProven,
    ConditionType::InventoryComplete,
    ConditionType::ScopeAmbiguous,
    ConditionType::MonitoringReady,
    ConditionType::BackupsReady,
    ConditionType::BackupsProtected,
    ConditionType::LevelsCollected,
    ConditionType::LedgerIntact,
    ConditionType::ChangesDecided,
    ConditionType::ExitReady,
    ConditionType::HandedOver,
    ConditionType::AgreementsInForce,
    ConditionType::ResponsibilityAssigned,
    ConditionType::DeadlinesMet,
    ConditionType::DataErased,
];

/// Name of the one MonitoringStack and the one BackupPolicy of a client.
pub const CHILD_NAME: &str = "main";

/// Most accounts of a client, those of its parents included: each is an object, and the monitoring names them all.
pub const MAX_ACCOUNTS: usize = 1000;

/// What was seen of a client's world.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Whether the profile exists.
    pub profile_exists: bool,
    /// Whether the profile is for other clients.
    pub profile_refuses: bool,
    /// Whether the namespace's name is taken by somebody else.
    pub namespace_taken: bool,
    /// The CloudAccounts of the namespace.
    pub accounts: Vec<CloudAccount>,
    /// The stack.
    pub monitoring: Option<MonitoringStack>,
    /// The policy.
    pub backups: Option<BackupPolicy>,
    /// The reports on service levels.
    pub reports: Vec<ServiceReport>,
    /// The changes of the namespace.
    pub changes: Vec<ChangeRequest>,
    /// What the ledger tells of decisions; `None` where the store did not answer.
    pub decided: Option<Told>,
    /// The inventory that the ledger says was frozen at the beginning of Active.
    pub baseline: Option<ClientBaseline>,
    /// A final Handover that has begun to revoke.
    pub ending: Option<Ending>,
    /// Whether a final Handover is under way: what it was begun with stays until it has ended.
    pub leaving: bool,
    /// Whether a final Handover has fixed which accounts it is about: none is added any more.
    pub frozen: bool,
    /// Where the isolation test is.
    pub isolation_stage: Stage,
    /// What was seen for it.
    pub isolation: Seen,
    /// Who resolves names in this cluster.
    pub dns: Dns,
    /// The client's handovers as the cluster shows them.
    pub handovers: Vec<Handover>,
    /// Conditions of the ProviderProfile.
    pub profile_conditions: Vec<Condition>,
    /// The end of the client's ledger and what is wrong with it; `None` where the store did not answer.
    pub ledger: Option<(Head, Vec<Broken>)>,
    /// How the client stands to its ServiceProfile.
    pub standing: Standing,
    /// Faults of the recipients, found by the one parser that also seals to them.
    pub recipient_faults: Vec<Fault>,
}

/// Faults of the spec and of what it refers to.
#[must_use]
pub fn check(client: &ManagedClient, observed: &Observed) -> Vec<Fault> {
    match &observed.standing {
        // What it is read with now is about to change: it is judged as it will be.
        Standing::Takes(_) => return Vec::new(),
        Standing::Waits(faults) => return faults.clone(),
        Standing::Unnamed | Standing::InForce { .. } => {}
    }
    let mut faults = Vec::new();
    let name = client.name_any();
    if name.len() > names::MAX_CLIENT_NAME {
        faults
            .push(Fault::spec("metadata.name", format!("{} characters are too many: use at most {}", name.len(), names::MAX_CLIENT_NAME)));
    }
    if !observed.profile_exists {
        let profile = &client.spec.provider_profile;
        let message = format!("ProviderProfile {profile} does not exist: apply one (see examples/provider-profile.yaml) or name another");
        faults.push(Fault::outside(Reason::ReferenceMissing, "spec.providerProfile", message));
    }
    if observed.profile_refuses {
        let profile = &client.spec.provider_profile;
        let message = format!(
            "ProviderProfile {profile} is for other clients: name a profile that serves this one, or add {name} to its spec.clients"
        );
        faults.push(Fault::outside(Reason::ReferenceMissing, "spec.providerProfile", message));
    }
    if observed.namespace_taken {
        let message = format!(
            "namespace {} exists and was not made for this client: rename the client or remove the namespace",
            client_namespace(&name)
        );
        faults.push(Fault::outside(Reason::NameTaken, "metadata.name", message));
    }
    let count = accounts(client, observed).len();
    if count > MAX_ACCOUNTS {
        let message =
            format!("{count} accounts with those of the parents, and one client takes {MAX_ACCOUNTS}: exclude some, or divide the client");
        faults.push(Fault::outside(Reason::TooManyMembers, "spec.accounts", message));
    }
    faults.extend(spec_faults(client));
    if let Some(limits) = client.limits() {
        faults.extend(service_profile::limit_faults(limits, &client.spec));
    }
    faults.extend(observed.recipient_faults.iter().cloned());
    faults
}

/// Faults of the spec by itself.
#[must_use]
pub fn spec_faults(client: &ManagedClient) -> Vec<Fault> {
    let mut faults = service_profile::whole_faults(client);
    if let Some(terms) = &client.spec.scope {
        faults.extend(scope::faults(terms, &named(client), "spec.scope"));
    }
    if let Some(terms) = &client.spec.monitoring {
        faults.extend(monitoring_stack::hours_faults(terms, "spec.monitoring"));
    }
    if let Some(terms) = &client.spec.service_levels {
        faults.extend(service_level::faults(terms, "spec.serviceLevels"));
    }
    if let Some(terms) = &client.spec.billing {
        faults.extend(billing::faults(terms, "spec.billing"));
    }
    faults.extend(deadlines::faults(&client.spec.exit));
    faults.extend(delivery::faults(&client.spec));
    faults.extend(agreements::faults(&client.spec));
    faults.extend(external_services::faults(&client.spec));
    faults.extend(responsibility::terms::faults(client));
    faults.extend(lifecycle::faults(client));
    faults
}

/// The accounts as selectors name them.
fn named(client: &ManagedClient) -> Vec<Named> {
    let entries = client.spec.accounts.iter();
    entries.map(|entry| Named { names: vec![entry.name.clone()], id: entry.target.id(), cloud: entry.target.cloud() }).collect()
}

/// Whether objects of a kind may be deleted because the spec does not want them any more. The namespace goes with the client only; reports tell of months
/// that are over, and go with the data that they are made of. An account that a handover was begun with is needed to the end, so that our access to it can be revoked and the refusal
/// proved.
#[must_use]
pub fn may_prune(kind: &str, observed: &Observed) -> bool {
    !(matches!(kind, "Namespace" | "ServiceReport") || kind == "CloudAccount" && observed.leaving)
}

/// Everything that a client has in the cluster: first the namespace and its guards, then the children. A child whose data is erased comes no more.
#[must_use]
pub fn plan(client: &ManagedClient, observed: &Observed, now: Timestamp) -> Vec<Desired> {
    let namespace = client_namespace(&client.name_any());
    let mut wanted = guards::objects(&client.spec, accounts(client, observed).len(), &observed.dns, &namespace);
    wanted.extend(accounts::objects(client, observed, &namespace));
    wanted.extend(stack(client, observed, &namespace, now));
    wanted.extend(policy(client, observed, &namespace));
    let standing = erasure::standing(client, observed, now);
    wanted.retain(|desired| !erasure::ends(client, &standing, desired.kind));
    wanted
}

/// The ExternalIds by account, from the children or, where a child is gone, from the last status. The accounts of an organization have its own.
#[must_use]
pub fn external_ids(client: &ManagedClient, observed: &Observed) -> BTreeMap<String, String> {
    let mut known = client.status.as_ref().map(|status| status.external_ids.clone()).unwrap_or_default();
    for account in observed.accounts.iter().filter(|account| account.spec.member.is_none()) {
        if let Some(external_id) = account.spec.target.aws_role().and_then(|role| role.external_id) {
            known.insert(account.name_any(), external_id);
        }
    }
    known
}

/// Of a client that has left no machine is asked any more, and nobody is paged for one at night. What Prometheus holds stays until it is erased.
fn stack(client: &ManagedClient, observed: &Observed, namespace: &str, now: Timestamp) -> Option<Desired> {
    let terms = client.spec.monitoring.clone()?;
    let live = accounts(client, observed).into_iter().filter(Wanted::is_live_account).map(|wanted| wanted.name);
    let accounts = if deadlines::is_served(client, now) { live.collect() } else { Vec::new() };
    let spec = MonitoringStackSpec { accounts, terms };
    Some(Desired::of(&MonitoringStack { metadata: named_object(namespace, CHILD_NAME), spec, status: None }).with_list("accounts"))
}

/// Nothing before there is an account: an organization may not be listed yet.
fn policy(client: &ManagedClient, observed: &Observed, namespace: &str) -> Option<Desired> {
    let terms = client.spec.backups.clone()?;
    let accounts: Vec<String> = accounts(client, observed).into_iter().filter(Wanted::is_live_account).map(|wanted| wanted.name).collect();
    if accounts.is_empty() {
        return None;
    }
    let spec = BackupPolicySpec { accounts, terms };
    Some(Desired::of(&BackupPolicy { metadata: named_object(namespace, CHILD_NAME), spec, status: None }))
}
