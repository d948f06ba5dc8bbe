//! The one table of kinds: what the operator makes, watches and may do. It feeds the watches, the pruning and the chart's RBAC, so that
//! the three cannot drift apart.

use std::collections::BTreeMap;

use caretaker_api::names;

/// Kinds of Caretaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `ProviderProfile`.
    ProviderProfile,
    /// `ServiceProfile`.
    ServiceProfile,
    /// `ManagedClient`.
    ManagedClient,
    /// `CloudAccount`.
    CloudAccount,
    /// `MonitoringStack`.
    MonitoringStack,
    /// `BackupPolicy`.
    BackupPolicy,
    /// `ServiceReport`.
    ServiceReport,
    /// `Incident`.
    Incident,
    /// `ChangeRequest`.
    ChangeRequest,
    /// `Handover`.
    Handover,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::ProviderProfile,
        Self::ServiceProfile,
        Self::ManagedClient,
        Self::CloudAccount,
        Self::MonitoringStack,
        Self::BackupPolicy,
        Self::ServiceReport,
        Self::Incident,
        Self::ChangeRequest,
        Self::Handover,
    ];

    /// The kind's name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ProviderProfile => "ProviderProfile",
            Self::ServiceProfile => "ServiceProfile",
            Self::ManagedClient => "ManagedClient",
            Self::CloudAccount => "CloudAccount",
            Self::MonitoringStack => "MonitoringStack",
            Self::BackupPolicy => "BackupPolicy",
            Self::ServiceReport => "ServiceReport",
            Self::Incident => "Incident",
            Self::ChangeRequest => "ChangeRequest",
            Self::Handover => "Handover",
        }
    }

    /// The kind's resource in the API.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::ProviderProfile => "providerprofiles",
            Self::ServiceProfile => "serviceprofiles",
            Self::ManagedClient => "managedclients",
            Self::CloudAccount => "cloudaccounts",
            Self::MonitoringStack => "monitoringstacks",
            Self::BackupPolicy => "backuppolicies",
            Self::ServiceReport => "servicereports",
            Self::Incident => "incidents",
            Self::ChangeRequest => "changerequests",
            Self::Handover => "handovers",
        }
    }

    /// The field manager of the kind's controller.
    #[must_use]
    pub fn field_manager(self) -> String {
        format!("caretaker-{}", self.as_str().to_ascii_lowercase())
    }

    /// The kind's name in the label [`names::OWNER_KIND_LABEL`].
    #[must_use]
    pub fn label(self) -> String {
        self.as_str().to_ascii_lowercase()
    }

    /// The kind behind a label's value.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.label() == label)
    }
}

/// One kind of object that the operator makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnedKind {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// API version.
    pub version: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// Resource.
    pub plural: &'static str,
    /// Whether it lives in a namespace.
    pub namespaced: bool,
    /// Whether its definition may be missing from the cluster.
    pub optional: bool,
    /// The names that its objects may have; none for any. The operator's rights on such a kind end at these names, and rights that are limited to names
    /// allow no watch: it is read at each visit.
    pub only_names: &'static [&'static str],
    /// The kinds of Caretaker that make it.
    pub owners: &'static [Kind],
}

impl OwnedKind {
    /// `group/version`, or the version alone for the core group.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.into() } else { format!("{}/{}", self.group, self.version) }
    }
}

const fn core(kind: &'static str, plural: &'static str, owners: &'static [Kind]) -> OwnedKind {
    OwnedKind { group: "", version: "v1", kind, plural, namespaced: true, optional: false, only_names: &[], owners }
}

const fn ours(kind: &'static str, plural: &'static str, owners: &'static [Kind]) -> OwnedKind {
    OwnedKind { group: "caretaker.dev", version: "v1alpha1", kind, plural, namespaced: true, optional: false, only_names: &[], owners }
}

const fn monitoring(version: &'static str, kind: &'static str, plural: &'static str) -> OwnedKind {
    let (group, only_names) = ("monitoring.coreos.com", &[]);
    OwnedKind { group, version, kind, plural, namespaced: true, optional: true, only_names, owners: &[Kind::MonitoringStack] }
}

/// Name of the Secret that tells a client's Prometheus where its Alertmanager is. prometheus-operator takes a written address from a Secret only.
pub const ALERTMANAGER_SECRET: &str = "caretaker-alertmanager";
/// Name of the copy of the Secret for pulling images.
pub const PULL_SECRET: &str = "caretaker-pull";
/// Verbs on objects that the operator makes.
pub const OWNED_VERBS: [&str; 6] = ["get", "list", "watch", "create", "patch", "delete"];

/// Verbs on a kind of which only some names are ours.
pub const NAMED_VERBS: [&str; 4] = ["get", "create", "patch", "delete"];

/// Every kind of object that the operator makes. A kind that is not here cannot be made.
pub const OWNED: &[OwnedKind] = &[
    OwnedKind { namespaced: false, ..core("Namespace", "namespaces", &[Kind::ManagedClient]) },
    core("ResourceQuota", "resourcequotas", &[Kind::ManagedClient]),
    core("LimitRange", "limitranges", &[Kind::ManagedClient]),
    core("ConfigMap", "configmaps", &[Kind::CloudAccount, Kind::Handover, Kind::ProviderProfile]),
    OwnedKind { only_names: &[ALERTMANAGER_SECRET, PULL_SECRET], ..core("Secret", "secrets", &[Kind::MonitoringStack]) },
    core("ServiceAccount", "serviceaccounts", &[Kind::MonitoringStack]),
    OwnedKind { group: "networking.k8s.io", ..core("NetworkPolicy", "networkpolicies", &[Kind::ManagedClient, Kind::MonitoringStack]) },
    OwnedKind { group: "rbac.authorization.k8s.io", ..core("RoleBinding", "rolebindings", &[Kind::ManagedClient]) },
    ours("CloudAccount", "cloudaccounts", &[Kind::ManagedClient]),
    ours("MonitoringStack", "monitoringstacks", &[Kind::ManagedClient]),
    ours("BackupPolicy", "backuppolicies", &[Kind::ManagedClient]),
    ours("ServiceReport", "servicereports", &[Kind::ManagedClient]),
    ours("Incident", "incidents", &[Kind::MonitoringStack]),
    monitoring("v1", "Prometheus", "prometheuses"),
    monitoring("v1", "Alertmanager", "alertmanagers"),
    monitoring("v1", "PrometheusRule", "prometheusrules"),
    monitoring("v1", "Probe", "probes"),
    monitoring("v1alpha1", "ScrapeConfig", "scrapeconfigs"),
    monitoring("v1alpha1", "AlertmanagerConfig", "alertmanagerconfigs"),
];

/// The owned kind of this name.
#[must_use]
pub fn owned(kind: &str) -> Option<&'static OwnedKind> {
    OWNED.iter().find(|owned| owned.kind == kind)
}

/// Labels of an object that `owner_kind/owner_name` makes for `client`.
#[must_use]
pub fn labels(client: &str, owner_kind: Kind, owner_name: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        (names::MANAGED_BY.into(), names::MANAGER.into()),
        (names::CLIENT_LABEL.into(), client.into()),
        (names::OWNER_KIND_LABEL.into(), owner_kind.label()),
        (names::OWNER_NAME_LABEL.into(), owner_name.into()),
    ])
}
