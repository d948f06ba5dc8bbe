//! `ManagedClient`: what a client's namespace holds, which children it has, and how their conditions sum up.

mod accounts;
mod status;

use std::collections::BTreeMap;

use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::managed_client::GroupRole;
use caretaker_api::names::{self, client_namespace};
use caretaker_api::{BackupPolicy, CloudAccount, ManagedClient, MonitoringStack};
use kube::ResourceExt;
use serde_json::{Value, json};

pub use accounts::{Wanted, accounts};
pub use status::{Report, status};

use crate::desired::Desired;
use crate::inventory::scope::{self, Named};
use crate::outcome::Fault;

/// The kind's own conditions.
pub const CONDITIONS: &[ConditionType] = &[
    ConditionType::NamespaceReady,
    ConditionType::MembersListed,
    ConditionType::AccessProven,
    ConditionType::InventoryComplete,
    ConditionType::ScopeAmbiguous,
    ConditionType::MonitoringReady,
    ConditionType::BackupsReady,
    ConditionType::HandedOver,
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
    /// Whether the namespace's name is taken by somebody else.
    pub namespace_taken: bool,
    /// The CloudAccounts of the namespace.
    pub accounts: Vec<CloudAccount>,
    /// The stack.
    pub monitoring: Option<MonitoringStack>,
    /// The policy.
    pub backups: Option<BackupPolicy>,
    /// Name of a final Handover that has ended.
    pub handed_over_by: Option<String>,
    /// Whether a final Handover is under way: what it was begun with stays until it has ended.
    pub leaving: bool,
    /// Whether a final Handover has fixed which accounts it is about: none is added any more.
    pub frozen: bool,
    /// Faults of the recipients, found by the one parser that also seals to them.
    pub recipient_faults: Vec<Fault>,
}

/// Faults of the spec and of what it refers to.
#[must_use]
pub fn check(client: &ManagedClient, observed: &Observed) -> Vec<Fault> {
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
    if observed.namespace_taken {
        let message = format!(
            "namespace {} exists and was not made for this client: rename the client or remove the namespace",
            client_namespace(&name)
        );
        faults.push(Fault::outside(Reason::NameTaken, "metadata.name", message));
    }
    if client.spec.backups.is_some() && client.spec.accounts.iter().all(|account| account.target.aws_role().is_none()) {
        let message = "this release makes backup plans on AWS only, and no account here is on AWS: remove spec.backups";
        faults.push(Fault::spec("spec.backups", message));
    }
    let count = accounts(client, observed).len();
    if count > MAX_ACCOUNTS {
        let message =
            format!("{count} accounts with those of the parents, and one client takes {MAX_ACCOUNTS}: exclude some, or divide the client");
        faults.push(Fault::outside(Reason::TooManyMembers, "spec.accounts", message));
    }
    if let Some(terms) = &client.spec.scope {
        faults.extend(scope::faults(terms, &named(client), "spec.scope"));
    }
    faults.extend(observed.recipient_faults.iter().cloned());
    faults
}

/// The accounts as selectors name them.
fn named(client: &ManagedClient) -> Vec<Named> {
    let entries = client.spec.accounts.iter();
    entries.map(|entry| Named { names: vec![entry.name.clone()], id: entry.target.id(), cloud: entry.target.cloud() }).collect()
}

/// Whether objects of a kind may be deleted because the spec does not want them any more. The namespace goes with the client only; an account that a
/// handover was begun with is needed to the end, so that our access to it can be revoked and the refusal proved.
#[must_use]
pub fn may_prune(kind: &str, observed: &Observed) -> bool {
    kind != "Namespace" && !(kind == "CloudAccount" && observed.leaving)
}

/// Everything that a client has in the cluster: first the namespace and its guards, then the children.
#[must_use]
pub fn plan(client: &ManagedClient, observed: &Observed) -> Vec<Desired> {
    let namespace = client_namespace(&client.name_any());
    let mut wanted = vec![namespace_object(&namespace), quota(client, &namespace), limits(&namespace)];
    wanted.extend(network_policies(&namespace));
    wanted.extend(role_bindings(client, &namespace));
    wanted.extend(accounts::objects(client, observed, &namespace));
    wanted.extend(stack(client, observed, &namespace));
    wanted.extend(policy(client, observed, &namespace));
    wanted
}

fn namespace_object(namespace: &str) -> Desired {
    Desired {
        labels: vec![
            ("pod-security.kubernetes.io/enforce".into(), "restricted".into()),
            ("pod-security.kubernetes.io/warn".into(), "restricted".into()),
            ("pod-security.kubernetes.io/audit".into(), "restricted".into()),
        ],
        ..Desired::new("Namespace", "", namespace, json!({}))
    }
}

fn quota(client: &ManagedClient, namespace: &str) -> Desired {
    let terms = &client.spec.quota;
    let hard = json!({
        "requests.cpu": terms.cpu_cores.to_string(),
        "requests.memory": format!("{}Gi", terms.memory_gib),
        "pods": terms.pods.to_string(),
        "services.loadbalancers": "0",
        "services.nodeports": "0",
    });
    Desired::new("ResourceQuota", namespace, "caretaker", json!({"spec": {"hard": hard}}))
}

fn limits(namespace: &str) -> Desired {
    let limits = json!([{
        "type": "Container",
        "default": {"cpu": "500m", "memory": "512Mi"},
        "defaultRequest": {"cpu": "50m", "memory": "64Mi"},
    }]);
    Desired::new("LimitRange", namespace, "caretaker", json!({"spec": {"limits": limits}}))
}

/// Nothing in, nothing out, but names: each further opening is a policy of its own whose name says what it is for.
fn network_policies(namespace: &str) -> Vec<Desired> {
    let dns = json!([
        {"protocol": "UDP", "port": 53},
        {"protocol": "TCP", "port": 53},
    ]);
    let system = json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}]);
    vec![
        Desired::new(
            "NetworkPolicy",
            namespace,
            "default-deny",
            json!({"spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}}),
        ),
        Desired::new(
            "NetworkPolicy",
            namespace,
            "allow-dns",
            json!({"spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": system, "ports": dns}]}}),
        ),
        Desired::new(
            "NetworkPolicy",
            namespace,
            "allow-within-namespace",
            json!({"spec": {
                "podSelector": {},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [{"from": [{"podSelector": {}}]}],
                "egress": [{"to": [{"podSelector": {}}]}],
            }}),
        ),
    ]
}

fn role_bindings(client: &ManagedClient, namespace: &str) -> Vec<Desired> {
    let mut by_role: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for access in &client.spec.groups {
        let role = match access.role {
            GroupRole::View => "view",
            GroupRole::Edit => "edit",
        };
        let subject = json!({"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": access.group});
        by_role.entry(role).or_default().push(subject);
    }
    by_role
        .into_iter()
        .map(|(role, subjects)| {
            let role_ref = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role});
            Desired::new("RoleBinding", namespace, format!("caretaker-{role}"), json!({"roleRef": role_ref, "subjects": subjects}))
        })
        .collect()
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

fn stack(client: &ManagedClient, observed: &Observed, namespace: &str) -> Option<Desired> {
    let terms = client.spec.monitoring.as_ref()?;
    let names: Vec<String> = accounts(client, observed).into_iter().filter(Wanted::is_live_account).map(|wanted| wanted.name).collect();
    let mut spec = serde_json::to_value(terms).unwrap_or_default();
    spec["accounts"] = json!(names);
    Some(Desired::new("MonitoringStack", namespace, CHILD_NAME, json!({"spec": spec})))
}

/// Nothing before there is an account on AWS: an organization may not be listed yet.
fn policy(client: &ManagedClient, observed: &Observed, namespace: &str) -> Option<Desired> {
    let terms = client.spec.backups.as_ref()?;
    let on_aws: Vec<String> = accounts(client, observed)
        .into_iter()
        .filter(|wanted| wanted.is_live_account() && wanted.target.aws.is_some())
        .map(|wanted| wanted.name)
        .collect();
    if on_aws.is_empty() {
        return None;
    }
    let mut spec = serde_json::to_value(terms).unwrap_or_default();
    spec["accounts"] = json!(on_aws);
    Some(Desired::new("BackupPolicy", namespace, CHILD_NAME, json!({"spec": spec})))
}
