//! The table: one descriptor per kind, and which objects of other kinds its objects read. A new kind gets one row and one `impl` here.

use caretaker_api::condition::{ConditionType, Reason};
use caretaker_api::names;
use caretaker_api::{BackupPolicy, CloudAccount, Handover, ManagedClient, MonitoringStack, ProviderProfile};
use kube::ResourceExt;

use super::object::{ObjectId, OwnKind, decode, definition};
use super::{Kind, KindSpec, OwnedKind};

// Descriptors name each other by address: constants would be a circle.

/// Every kind, in the order in which the controllers start.
pub(super) static ALL: [Kind; 6] =
    [Kind::PROVIDER_PROFILE, Kind::MANAGED_CLIENT, Kind::CLOUD_ACCOUNT, Kind::MONITORING_STACK, Kind::BACKUP_POLICY, Kind::HANDOVER];

const fn core(kind: &'static str, plural: &'static str) -> OwnedKind {
    OwnedKind { group: "", version: "v1", kind, plural, namespaced: true, optional: false }
}

const fn ours(kind: &'static str, plural: &'static str) -> OwnedKind {
    OwnedKind { group: caretaker_api::GROUP, version: caretaker_api::VERSION, kind, plural, namespaced: true, optional: false }
}

const fn monitoring(version: &'static str, kind: &'static str, plural: &'static str) -> OwnedKind {
    OwnedKind { group: "monitoring.coreos.com", version, kind, plural, namespaced: true, optional: true }
}

static NAMESPACE: OwnedKind = OwnedKind { namespaced: false, ..core("Namespace", "namespaces") };
static RESOURCE_QUOTA: OwnedKind = core("ResourceQuota", "resourcequotas");
static LIMIT_RANGE: OwnedKind = core("LimitRange", "limitranges");
static CONFIG_MAP: OwnedKind = core("ConfigMap", "configmaps");
static SERVICE_ACCOUNT: OwnedKind = core("ServiceAccount", "serviceaccounts");
static NETWORK_POLICY: OwnedKind = OwnedKind { group: "networking.k8s.io", ..core("NetworkPolicy", "networkpolicies") };
static ROLE_BINDING: OwnedKind = OwnedKind { group: "rbac.authorization.k8s.io", ..core("RoleBinding", "rolebindings") };
static PROMETHEUS: OwnedKind = monitoring("v1", "Prometheus", "prometheuses");
static ALERTMANAGER: OwnedKind = monitoring("v1", "Alertmanager", "alertmanagers");
static PROMETHEUS_RULE: OwnedKind = monitoring("v1", "PrometheusRule", "prometheusrules");
static PROBE: OwnedKind = monitoring("v1", "Probe", "probes");
static SCRAPE_CONFIG: OwnedKind = monitoring("v1alpha1", "ScrapeConfig", "scrapeconfigs");
static ALERTMANAGER_CONFIG: OwnedKind = monitoring("v1alpha1", "AlertmanagerConfig", "alertmanagerconfigs");

pub(super) static PROVIDER_PROFILE: KindSpec = KindSpec {
    api: OwnedKind { namespaced: false, ..ours("ProviderProfile", "providerprofiles") },
    short: "pprof",
    word: "profiles",
    makes: &[&CONFIG_MAP],
    reads: &[],
    mirrored: None,
    deletion: None,
    decode: decode::<ProviderProfile>,
    definition: definition::<ProviderProfile>,
};

impl OwnKind for ProviderProfile {
    const KIND: Kind = Kind::PROVIDER_PROFILE;
}

pub(super) static MANAGED_CLIENT: KindSpec = KindSpec {
    api: OwnedKind { namespaced: false, ..ours("ManagedClient", "managedclients") },
    short: "mc",
    word: "clients",
    makes: &[
        &NAMESPACE,
        &RESOURCE_QUOTA,
        &LIMIT_RANGE,
        &NETWORK_POLICY,
        &ROLE_BINDING,
        &CLOUD_ACCOUNT.api,
        &MONITORING_STACK.api,
        &BACKUP_POLICY.api,
    ],
    reads: &[Kind(&PROVIDER_PROFILE), Kind(&HANDOVER)],
    mirrored: None,
    deletion: None,
    decode: decode::<ManagedClient>,
    definition: definition::<ManagedClient>,
};

impl OwnKind for ManagedClient {
    const KIND: Kind = Kind::MANAGED_CLIENT;

    fn reads(&self, other: &ObjectId) -> bool {
        if other.kind == Kind::PROVIDER_PROFILE {
            return self.spec.provider_profile == other.name;
        }
        other.namespace.strip_prefix(names::NAMESPACE_PREFIX) == self.metadata.name.as_deref()
    }
}

pub(super) static CLOUD_ACCOUNT: KindSpec = KindSpec {
    api: ours("CloudAccount", "cloudaccounts"),
    short: "ca",
    word: "accounts",
    makes: &[&CONFIG_MAP],
    reads: &[Kind(&PROVIDER_PROFILE), Kind(&HANDOVER)],
    mirrored: None,
    deletion: Some(40),
    decode: decode::<CloudAccount>,
    definition: definition::<CloudAccount>,
};

impl OwnKind for CloudAccount {
    const KIND: Kind = Kind::CLOUD_ACCOUNT;

    fn reads(&self, other: &ObjectId) -> bool {
        other.kind == Kind::HANDOVER || self.spec.provider_profile == other.name
    }

    /// An account that goes unread by a fault of the provider's: its profile is to tell so.
    fn tells(&self) -> Vec<ObjectId> {
        let mut conditions = self.status.iter().flat_map(|status| &status.conditions);
        let is_blamed = conditions.any(|condition| condition.reason == Reason::CredentialsInvalid.as_str());
        let profile = || ObjectId { kind: Kind::PROVIDER_PROFILE, namespace: String::new(), name: self.spec.provider_profile.clone() };
        is_blamed.then(profile).into_iter().collect()
    }
}

pub(super) static MONITORING_STACK: KindSpec = KindSpec {
    api: ours("MonitoringStack", "monitoringstacks"),
    short: "ms",
    word: "monitoring",
    makes: &[&SERVICE_ACCOUNT, &NETWORK_POLICY, &PROMETHEUS, &ALERTMANAGER, &PROMETHEUS_RULE, &PROBE, &SCRAPE_CONFIG, &ALERTMANAGER_CONFIG],
    reads: &[Kind(&CLOUD_ACCOUNT)],
    mirrored: Some(ConditionType::MonitoringReady),
    deletion: Some(30),
    decode: decode::<MonitoringStack>,
    definition: definition::<MonitoringStack>,
};

impl OwnKind for MonitoringStack {
    const KIND: Kind = Kind::MONITORING_STACK;

    fn reads(&self, other: &ObjectId) -> bool {
        self.spec.accounts.contains(&other.name)
    }
}

pub(super) static BACKUP_POLICY: KindSpec = KindSpec {
    api: ours("BackupPolicy", "backuppolicies"),
    short: "bp",
    word: "backups",
    makes: &[],
    reads: &[Kind(&CLOUD_ACCOUNT), Kind(&HANDOVER)],
    mirrored: Some(ConditionType::BackupsReady),
    deletion: Some(20),
    decode: decode::<BackupPolicy>,
    definition: definition::<BackupPolicy>,
};

impl OwnKind for BackupPolicy {
    const KIND: Kind = Kind::BACKUP_POLICY;

    fn reads(&self, other: &ObjectId) -> bool {
        other.kind == Kind::HANDOVER || self.spec.accounts.contains(&other.name)
    }
}

pub(super) static HANDOVER: KindSpec = KindSpec {
    api: ours("Handover", "handovers"),
    short: "ho",
    word: "handovers",
    makes: &[&CONFIG_MAP],
    reads: &[Kind(&CLOUD_ACCOUNT)],
    mirrored: None,
    deletion: Some(10),
    decode: decode::<Handover>,
    definition: definition::<Handover>,
};

impl OwnKind for Handover {
    const KIND: Kind = Kind::HANDOVER;

    /// All accounts of the client.
    fn reads(&self, other: &ObjectId) -> bool {
        self.namespace() == Some(other.namespace.clone())
    }
}
