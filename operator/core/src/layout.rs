//! How a cluster differs from others: set once by the provider, in the chart's values, for all clients.

mod dns;

use serde::Deserialize;

pub use dns::{Dns, Resolver};

/// User and group of the pods of clients' monitoring where nothing is said: nobody.
const NOBODY: i64 = 65_534;

/// How a cluster differs from others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Who resolves names.
    pub dns: Dns,
    /// What clients' monitoring needs.
    pub monitoring: MonitoringLayout,
}

/// What clients' monitoring needs in this cluster. Read from JSON as the chart writes it, by [`std::str::FromStr`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct MonitoringLayout {
    /// User and groups of the pods.
    pub pod_security_context: Ids,
    /// Secret in the operator's namespace with which the images are pulled.
    #[serde(deserialize_with = "given")]
    pub image_pull_secret: Option<String>,
    /// Images in place of the prometheus-operator's own.
    pub images: Images,
    /// StorageClass of volumes of which the client's terms name none; none for the cluster's default.
    #[serde(deserialize_with = "given")]
    pub storage_class_name: Option<String>,
}

/// Images in place of the prometheus-operator's own, with tag or digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Images {
    /// Of Prometheus.
    #[serde(deserialize_with = "given")]
    pub prometheus: Option<String>,
    /// Of Alertmanager.
    #[serde(deserialize_with = "given")]
    pub alertmanager: Option<String>,
}

/// A value that is empty in the chart is not given.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

/// User and groups of pods. One that is left out is chosen by the cluster, as OpenShift does out of a range for each namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ids {
    /// The user.
    pub run_as_user: Option<i64>,
    /// Its group.
    pub run_as_group: Option<i64>,
    /// Group of the volumes.
    pub fs_group: Option<i64>,
}

impl Default for Ids {
    fn default() -> Self {
        Self { run_as_user: Some(NOBODY), run_as_group: Some(NOBODY), fs_group: Some(NOBODY) }
    }
}

/// Why a setting cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LayoutFault(String);

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, LayoutFault> {
    serde_json::from_str(text).map_err(|error| LayoutFault(error.to_string()))
}

impl std::str::FromStr for MonitoringLayout {
    type Err = LayoutFault;

    fn from_str(text: &str) -> Result<Self, LayoutFault> {
        read(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_are_not_named_are_left_to_the_cluster() {
        let of = |text: &str| text.parse::<MonitoringLayout>().map(|monitoring| monitoring.pod_security_context);
        assert_eq!(of("{}"), Ok(Ids::default()), "nothing is said of them");
        assert_eq!(of(r#"{"podSecurityContext": {}}"#), Ok(Ids { run_as_user: None, run_as_group: None, fs_group: None }));
        let some = Ids { run_as_user: Some(1000), run_as_group: None, fs_group: None };
        assert_eq!(of(r#"{"podSecurityContext": {"runAsUser": 1000, "fsGroup": null}}"#), Ok(some));
        let empty = r#"{"imagePullSecret": "", "images": {"prometheus": "", "alertmanager": null}, "storageClassName": ""}"#;
        assert_eq!(empty.parse(), Ok(MonitoringLayout::default()), "what is empty is not given");
        assert!(of(r#"{"podSecurityContext": {"runAsUsr": 1000}}"#).is_err_and(|fault| fault.to_string().contains("runAsUsr")));
    }
}
