//! The namespace of a client and its guards: quota, limits, network policies and the groups that may look into it.

use std::collections::BTreeMap;

use caretaker_api::managed_client::{GroupAccess, GroupRole, ManagedClientSpec, QuotaTerms};
use k8s_openapi::api::core::v1::{LimitRange, LimitRangeItem, LimitRangeSpec, Namespace, ResourceQuota, ResourceQuotaSpec};
use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicySpec,
};
use k8s_openapi::api::rbac::v1::{RoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::ObjectMeta;

use crate::desired::{Desired, named};
use crate::layout::Dns;

/// API group of roles and bindings.
const RBAC: &str = "rbac.authorization.k8s.io";
/// Name of the one ResourceQuota and the one LimitRange of a client.
pub const NAME: &str = "caretaker";
/// ConfigMaps, Secrets, Services and Jobs that a client's namespace may hold beside ours, each.
const OWN_OBJECTS: usize = 200;
/// ConfigMaps of ours for each account, with room for two exits at once.
const PER_ACCOUNT: usize = 3;
/// Volume claims.
const MAX_CLAIMS: usize = 20;

/// The namespace first: all others are in it.
pub(super) fn objects(spec: &ManagedClientSpec, accounts: usize, dns: &Dns, namespace: &str) -> Vec<Desired> {
    let quota = quota(&spec.quota, accounts, namespace);
    let mut wanted = vec![Desired::of(&room(namespace)), Desired::of(&quota), Desired::of(&limits(namespace))];
    wanted.extend(network_policies(dns, namespace).iter().map(Desired::of));
    wanted.extend(role_bindings(&spec.groups, namespace).iter().map(Desired::of));
    wanted
}

fn room(namespace: &str) -> Namespace {
    let labels = ["enforce", "warn", "audit"].map(|mode| (format!("pod-security.kubernetes.io/{mode}"), "restricted".to_owned()));
    let metadata = ObjectMeta { name: Some(namespace.to_owned()), labels: Some(labels.into()), ..ObjectMeta::default() };
    Namespace { metadata, ..Namespace::default() }
}

fn quantities<const N: usize>(amounts: [(&str, String); N]) -> Option<BTreeMap<String, Quantity>> {
    Some(amounts.map(|(of, amount)| (of.to_owned(), Quantity(amount))).into())
}

/// What the API server keeps is bounded too: an object may have a mebibyte. Containers may use four times the CPU and twice the memory that is requested for
/// all. Each account has ConfigMaps of ours: its kit, and scripts of exits.
fn quota(terms: &QuotaTerms, accounts: usize, namespace: &str) -> ResourceQuota {
    let QuotaTerms { cpu_cores, memory_gib, pods, storage_gib } = terms;
    let counts = [
        ("count/configmaps", OWN_OBJECTS + PER_ACCOUNT * accounts),
        ("count/secrets", OWN_OBJECTS),
        ("count/services", OWN_OBJECTS),
        ("count/jobs.batch", OWN_OBJECTS),
        ("persistentvolumeclaims", MAX_CLAIMS),
    ];
    let hard = quantities([
        ("requests.cpu", cpu_cores.to_string()),
        ("requests.memory", format!("{memory_gib}Gi")),
        ("pods", pods.to_string()),
        ("services.loadbalancers", "0".into()),
        ("services.nodeports", "0".into()),
        ("limits.cpu", (4 * cpu_cores).to_string()),
        ("limits.memory", format!("{}Gi", 2 * memory_gib)),
        ("requests.storage", format!("{storage_gib}Gi")),
    ]);
    let counts = counts.map(|(of, count)| (of.to_owned(), Quantity(count.to_string())));
    let hard = hard.map(|hard| hard.into_iter().chain(counts).collect());
    let spec = ResourceQuotaSpec { hard, ..ResourceQuotaSpec::default() };
    ResourceQuota { metadata: named(namespace, NAME), spec: Some(spec), ..ResourceQuota::default() }
}

fn limits(namespace: &str) -> LimitRange {
    let container = LimitRangeItem {
        type_: "Container".into(),
        default: quantities([("cpu", "500m".into()), ("memory", "512Mi".into())]),
        default_request: quantities([("cpu", "50m".into()), ("memory", "64Mi".into())]),
        ..LimitRangeItem::default()
    };
    LimitRange { metadata: named(namespace, NAME), spec: Some(LimitRangeSpec { limits: vec![container] }) }
}

/// Nothing in, nothing out, but names: each further opening is a policy of its own whose name says what it is for.
fn network_policies(dns: &Dns, namespace: &str) -> [NetworkPolicy; 3] {
    let policy = |name: &str, types: &[&str], rules: NetworkPolicySpec| NetworkPolicy {
        metadata: named(namespace, name),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(LabelSelector::default()),
            policy_types: Some(types.iter().map(|kind| (*kind).to_owned()).collect()),
            ..rules
        }),
    };
    let everyone_here = || Some(vec![NetworkPolicyPeer { pod_selector: Some(LabelSelector::default()), ..NetworkPolicyPeer::default() }]);
    let within = NetworkPolicySpec {
        ingress: Some(vec![NetworkPolicyIngressRule { from: everyone_here(), ports: None }]),
        egress: Some(vec![NetworkPolicyEgressRule { to: everyone_here(), ports: None }]),
        ..NetworkPolicySpec::default()
    };
    [
        policy("default-deny", &["Ingress", "Egress"], NetworkPolicySpec::default()),
        policy("allow-dns", &["Egress"], NetworkPolicySpec { egress: Some(dns.egress()), ..NetworkPolicySpec::default() }),
        policy("allow-within-namespace", &["Ingress", "Egress"], within),
    ]
}

fn role_bindings(groups: &[GroupAccess], namespace: &str) -> Vec<RoleBinding> {
    let mut by_role: BTreeMap<&str, Vec<Subject>> = BTreeMap::new();
    for GroupAccess { group, role } in groups {
        let role = match role {
            GroupRole::View => "view",
            GroupRole::Edit => "edit",
        };
        let subject = Subject { kind: "Group".into(), api_group: Some(RBAC.into()), name: group.clone(), namespace: None };
        by_role.entry(role).or_default().push(subject);
    }
    by_role
        .into_iter()
        .map(|(role, subjects)| RoleBinding {
            metadata: named(namespace, format!("caretaker-{role}")),
            role_ref: RoleRef { api_group: RBAC.into(), kind: "ClusterRole".into(), name: role.into() },
            subjects: Some(subjects),
        })
        .collect()
}
