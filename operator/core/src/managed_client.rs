//! `ManagedClient`: what a client's namespace holds, which children it has, and how their conditions sum up.

use std::collections::BTreeMap;
use std::time::Duration;

use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::managed_client::{GroupRole, ManagedClientStatus};
use caretaker_api::names::{self, client_namespace};
use caretaker_api::{BackupPolicy, CloudAccount, ManagedClient, MonitoringStack};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::conditions::{ConditionSet, Is, find};
use crate::desired::Desired;
use crate::outcome::{Fault, Outcome, Wait, shortest};

/// The kind's own conditions.
pub const CONDITIONS: &[ConditionType] = &[
    ConditionType::NamespaceReady,
    ConditionType::AccessProven,
    ConditionType::InventoryComplete,
    ConditionType::MonitoringReady,
    ConditionType::BackupsReady,
    ConditionType::HandedOver,
];

/// Time between two looks at a client that is as it should be.
const RESYNC: Duration = Duration::from_secs(60 * 60);
/// Time between two looks while children are on their way; their changes wake the client anyway.
const CHILD_PAUSE: Duration = Duration::from_secs(60);
/// Name of the one MonitoringStack and the one BackupPolicy of a client.
pub const CHILD_NAME: &str = "main";

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
    faults.extend(observed.recipient_faults.iter().cloned());
    faults
}

/// Everything that a client has in the cluster: first the namespace and its guards, then the children.
#[must_use]
pub fn plan(client: &ManagedClient, observed: &Observed) -> Vec<Desired> {
    let namespace = client_namespace(&client.name_any());
    let mut wanted = vec![namespace_object(&namespace), quota(client, &namespace), limits(&namespace)];
    wanted.extend(network_policies(&namespace));
    wanted.extend(role_bindings(client, &namespace));
    wanted.extend(account_objects(client, observed, &namespace));
    wanted.extend(stack(client, &namespace));
    wanted.extend(policy(client, &namespace));
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

/// The ExternalId goes down only where it is known from before: a CloudAccount that was deleted and is made again keeps its own.
fn account_objects(client: &ManagedClient, observed: &Observed, namespace: &str) -> Vec<Desired> {
    let known = external_ids(client, observed);
    let object = |terms: &caretaker_api::managed_client::AccountTerms| {
        let mut spec = json!({
            "providerProfile": client.spec.provider_profile,
            "allow": terms.allow,
            "discoveryIntervalMinutes": terms.discovery_interval_minutes,
        });
        if let (Some(spec), Ok(Value::Object(target))) = (spec.as_object_mut(), serde_json::to_value(&terms.target)) {
            spec.extend(target);
        }
        if let (Some(external_id), true) = (known.get(&terms.name), spec["aws"].is_object()) {
            spec["aws"]["externalId"] = json!(external_id);
        }
        Desired::new("CloudAccount", namespace, &terms.name, json!({"spec": spec}))
    };
    client.spec.accounts.iter().map(object).collect()
}

/// The ExternalIds by account, from the children or, where a child is gone, from the last status.
#[must_use]
pub fn external_ids(client: &ManagedClient, observed: &Observed) -> BTreeMap<String, String> {
    let mut known = client.status.as_ref().map(|status| status.external_ids.clone()).unwrap_or_default();
    for account in &observed.accounts {
        if let Some(external_id) = account.spec.target.aws.as_ref().and_then(|aws| aws.external_id.clone()) {
            known.insert(account.name_any(), external_id);
        }
    }
    known
}

fn account_names(client: &ManagedClient) -> Vec<&str> {
    client.spec.accounts.iter().map(|account| account.name.as_str()).collect()
}

fn stack(client: &ManagedClient, namespace: &str) -> Option<Desired> {
    let terms = client.spec.monitoring.as_ref()?;
    let mut spec = serde_json::to_value(terms).unwrap_or_default();
    spec["accounts"] = json!(account_names(client));
    Some(Desired::new("MonitoringStack", namespace, CHILD_NAME, json!({"spec": spec})))
}

fn policy(client: &ManagedClient, namespace: &str) -> Option<Desired> {
    let terms = client.spec.backups.as_ref()?;
    let mut spec = serde_json::to_value(terms).unwrap_or_default();
    spec["accounts"] = json!(account_names(client));
    Some(Desired::new("BackupPolicy", namespace, CHILD_NAME, json!({"spec": spec})))
}

/// What the visit found, beside what it did.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Whether namespace and guards are in place.
    pub namespace_ready: bool,
    /// Why not, where an object of the name is somebody else's.
    pub failure: Option<String>,
    /// What somebody else had changed and was put back.
    pub repaired: Vec<String>,
}

/// The new status and what the visit came to.
#[must_use]
pub fn status(
    client: &ManagedClient,
    observed: &Observed,
    faults: &[Fault],
    report: &Report,
    now: Timestamp,
) -> (ManagedClientStatus, Outcome) {
    let last = client.status.clone().unwrap_or_default();
    let generation = client.metadata.generation.unwrap_or_default();
    let mut set = ConditionSet::new(&last.conditions, CONDITIONS, generation, now);
    let mut waits = Vec::new();
    namespace_condition(&mut set, report, faults);
    mirror_accounts(&mut set, client, observed, &mut waits);
    mirror_child(
        &mut set,
        ConditionType::MonitoringReady,
        client.spec.monitoring.is_some(),
        observed.monitoring.as_ref().map(child_view),
        &mut waits,
    );
    mirror_child(
        &mut set,
        ConditionType::BackupsReady,
        client.spec.backups.is_some(),
        observed.backups.as_ref().map(child_view),
        &mut waits,
    );
    let handed_over_by = last.handed_over_by.clone().or_else(|| observed.handed_over_by.clone());
    match &handed_over_by {
        Some(by) => set.set(ConditionType::HandedOver, Is::True, Reason::HandedOver, format!("handed over by {by}; our access is revoked")),
        None => set.set(ConditionType::HandedOver, Is::False, Reason::NotRequested, ""),
    }
    let outcome = if !faults.is_empty() {
        Outcome::Refused(faults.to_vec())
    } else if handed_over_by.is_some() {
        Outcome::Settled(RESYNC)
    } else {
        shortest(waits).map_or(Outcome::Settled(RESYNC), Outcome::Waiting)
    };
    let status = ManagedClientStatus {
        conditions: set.finish(),
        namespace: Some(client_namespace(&client.name_any())),
        accounts: u32::try_from(client.spec.accounts.len()).unwrap_or(u32::MAX),
        assets: observed
            .accounts
            .iter()
            .filter_map(|account| account.status.as_ref()?.inventory.as_ref())
            .map(|inventory| inventory.assets)
            .sum(),
        external_ids: external_ids(client, observed),
        handed_over_by,
        ..last
    };
    (status, outcome)
}

fn namespace_condition(set: &mut ConditionSet, report: &Report, faults: &[Fault]) {
    if let Some(fault) = faults.first() {
        set.set(ConditionType::NamespaceReady, Is::False, fault.reason, &fault.message);
    } else if let Some(failure) = &report.failure {
        set.set(ConditionType::NamespaceReady, Is::False, Reason::Failed, failure);
    } else if !report.repaired.is_empty() {
        let message = format!("put back what somebody had changed: {}", report.repaired.join(", "));
        set.set(ConditionType::NamespaceReady, Is::True, Reason::DriftRepaired, message);
    } else if report.namespace_ready && !set.is_true(ConditionType::NamespaceReady) {
        set.set(ConditionType::NamespaceReady, Is::True, Reason::Settled, "namespace and guards are in place");
    }
}

fn mirror_accounts(set: &mut ConditionSet, client: &ManagedClient, observed: &Observed, waits: &mut Vec<Wait>) {
    for kind in [ConditionType::AccessProven, ConditionType::InventoryComplete] {
        let mut worst: Option<(Is, Reason, String)> = None;
        for terms in &client.spec.accounts {
            let account = observed.accounts.iter().find(|account| account.name_any() == terms.name);
            let (is, reason, message) = match account.and_then(|account| current(account, kind)) {
                Some(condition) if condition.status == "True" => continue,
                Some(condition) => (
                    if condition.status == "False" { Is::False } else { Is::Unknown },
                    reason_of(&condition.reason),
                    format!("account {}: {}", terms.name, condition.message),
                ),
                None => (Is::Unknown, Reason::Pending, format!("account {}: not looked at yet", terms.name)),
            };
            if worst.as_ref().is_none_or(|(held, ..)| *held == Is::Unknown && is == Is::False) {
                worst = Some((is, reason, message));
            }
        }
        match worst {
            None => set.set(
                kind,
                Is::True,
                Reason::Settled,
                format!("{} of {} accounts", client.spec.accounts.len(), client.spec.accounts.len()),
            ),
            Some((is, reason, message)) => {
                set.set(kind, is, reason, &message);
                waits.push(Wait { reason, message, after: CHILD_PAUSE });
            }
        }
    }
}

/// A child's conditions with the generation they must speak of.
struct ChildView<'a> {
    conditions: &'a [Condition],
    generation: Option<i64>,
}

fn child_view<K>(child: &K) -> ChildView<'_>
where
    K: ResourceExt + kube::core::object::HasStatus,
    K::Status: HasConditions,
{
    ChildView { conditions: child.status().map(HasConditions::list).unwrap_or_default(), generation: child.meta().generation }
}

/// Statuses with standard conditions.
pub trait HasConditions {
    /// The conditions.
    fn list(&self) -> &[Condition];
}

impl HasConditions for caretaker_api::monitoring_stack::MonitoringStackStatus {
    fn list(&self) -> &[Condition] {
        &self.conditions
    }
}

impl HasConditions for caretaker_api::backup_policy::BackupPolicyStatus {
    fn list(&self) -> &[Condition] {
        &self.conditions
    }
}

fn mirror_child(set: &mut ConditionSet, kind: ConditionType, wanted: bool, child: Option<ChildView<'_>>, waits: &mut Vec<Wait>) {
    if !wanted {
        set.set(kind, Is::True, Reason::NotRequested, "not asked for");
        return;
    }
    let condition =
        child.and_then(|child| find(child.conditions, kind).filter(|condition| condition.observed_generation == child.generation).cloned());
    match condition {
        Some(condition) if condition.status == "True" => set.set(kind, Is::True, reason_of(&condition.reason), &condition.message),
        Some(condition) => {
            let is = if condition.status == "False" { Is::False } else { Is::Unknown };
            let reason = reason_of(&condition.reason);
            set.set(kind, is, reason, &condition.message);
            waits.push(Wait { reason, message: condition.message, after: CHILD_PAUSE });
        }
        None => {
            set.set(kind, Is::Unknown, Reason::Pending, "not looked at yet");
            waits.push(Wait { reason: Reason::Pending, message: format!("{kind}: not looked at yet"), after: CHILD_PAUSE });
        }
    }
}

fn current(account: &CloudAccount, kind: ConditionType) -> Option<&Condition> {
    let status = account.status.as_ref()?;
    find(&status.conditions, kind).filter(|condition| condition.observed_generation == account.metadata.generation)
}

fn reason_of(word: &str) -> Reason {
    Reason::ALL.iter().copied().find(|reason| reason.as_str() == word).unwrap_or(Reason::ChildNotReady)
}
