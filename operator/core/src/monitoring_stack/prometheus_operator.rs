//! Objects of the prometheus-operator, as far as a stack uses them.
//! Source: <https://prometheus-operator.dev/docs/api-reference/api/>

mod alertmanager_config;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    LocalObjectReference, PersistentVolumeClaimSpec, PodSecurityContext, ResourceRequirements, SecretKeySelector,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde::Serialize;

pub use alertmanager_config::*;

/// The spec of a kind.
pub trait Spec: Serialize {
    /// Name of the kind.
    const KIND: &'static str;
}

/// Spec of `Prometheus`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PrometheusSpec {
    /// Image in place of the prometheus-operator's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Secrets with which images are pulled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub image_pull_secrets: Vec<LocalObjectReference>,
    /// Number of pods.
    pub replicas: u32,
    /// How long data is kept, such as `15d`.
    pub retention: String,
    /// Bytes of blocks that are kept, such as `819MB`, by powers of two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_size: Option<String>,
    /// Where the data lies; none for a folder that goes with the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageSpec>,
    /// ServiceAccount of the pods.
    pub service_account_name: String,
    /// Whether the pods get a token of the ServiceAccount.
    pub automount_service_account_token: bool,
    /// Labels of all that leaves it.
    pub external_labels: BTreeMap<String, String>,
    /// Which PrometheusRules it takes.
    pub rule_selector: LabelSelector,
    /// Which Probes it takes.
    pub probe_selector: LabelSelector,
    /// Which ScrapeConfigs it takes.
    pub scrape_config_selector: LabelSelector,
    /// Key of the Secret that says where alerts go.
    pub additional_alert_manager_configs: SecretKeySelector,
    /// Rights of the pods.
    pub security_context: PodSecurityContext,
    /// What the pods need.
    pub resources: ResourceRequirements,
}

impl Spec for PrometheusSpec {
    const KIND: &'static str = "Prometheus";
}

/// Spec of `Alertmanager`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertmanagerSpec {
    /// Image in place of the prometheus-operator's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Secrets with which images are pulled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub image_pull_secrets: Vec<LocalObjectReference>,
    /// Number of pods.
    pub replicas: u32,
    /// Where the data lies; none for a folder that goes with the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageSpec>,
    /// ServiceAccount of the pods.
    pub service_account_name: String,
    /// Whether the pods get a token of the ServiceAccount.
    pub automount_service_account_token: bool,
    /// Which AlertmanagerConfigs it takes.
    pub alertmanager_config_selector: LabelSelector,
    /// Which alerts an AlertmanagerConfig is about.
    pub alertmanager_config_matcher_strategy: MatcherStrategy,
    /// Parts of Alertmanager that are off unless asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub enable_features: Vec<&'static str>,
    /// Rights of the pods.
    pub security_context: PodSecurityContext,
    /// What the pods need.
    pub resources: ResourceRequirements,
}

impl Spec for AlertmanagerSpec {
    const KIND: &'static str = "Alertmanager";
}

/// Where the data of a program lies.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StorageSpec {
    /// The claim of each pod.
    pub volume_claim_template: ClaimTemplate,
}

/// A claim that is made for each pod.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClaimTemplate {
    /// What is asked for.
    pub spec: PersistentVolumeClaimSpec,
}

/// Which alerts an AlertmanagerConfig is about.
#[derive(Clone, Debug, Serialize)]
pub struct MatcherStrategy {
    /// `None` for all that arrive.
    #[serde(rename = "type")]
    pub kind: &'static str,
}

/// Spec of `PrometheusRule`.
#[derive(Clone, Debug, Serialize)]
pub struct PrometheusRuleSpec {
    /// Groups of rules.
    pub groups: Vec<RuleGroup>,
}

impl Spec for PrometheusRuleSpec {
    const KIND: &'static str = "PrometheusRule";
}

/// A group of rules.
#[derive(Clone, Debug, Serialize)]
pub struct RuleGroup {
    /// Its name.
    pub name: &'static str,
    /// Its rules.
    pub rules: Vec<AnyRule>,
}

/// A rule of either sort.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum AnyRule {
    /// One that raises an alert.
    Alert(AlertRule),
    /// One that keeps a series.
    Record(RecordingRule),
}

/// A rule that keeps a series.
#[derive(Clone, Debug, Serialize)]
pub struct RecordingRule {
    /// Name of the series.
    pub record: String,
    /// Its value in PromQL.
    pub expr: String,
}

/// A rule that raises an alert.
#[derive(Clone, Debug, Serialize)]
pub struct AlertRule {
    /// Name of the alert.
    pub alert: &'static str,
    /// Condition in PromQL.
    pub expr: String,
    /// How long the condition must last, such as `5m`.
    #[serde(rename = "for")]
    pub lasts: String,
    /// Labels of the alert.
    pub labels: BTreeMap<&'static str, String>,
    /// What people read.
    pub annotations: BTreeMap<&'static str, &'static str>,
}

/// Spec of `ScrapeConfig`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScrapeConfigSpec {
    /// The label `job` of all that is scraped. Without it the label would be the object's own name.
    pub job_name: &'static str,
    /// Time between two scrapes.
    pub scrape_interval: &'static str,
    /// The targets.
    pub static_configs: Vec<StaticConfig>,
}

impl Spec for ScrapeConfigSpec {
    const KIND: &'static str = "ScrapeConfig";
}

/// Targets with their labels.
#[derive(Clone, Debug, Serialize)]
pub struct StaticConfig {
    /// Addresses with ports.
    pub targets: Vec<String>,
    /// Labels.
    pub labels: BTreeMap<&'static str, String>,
}

/// Spec of `Probe`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeSpec {
    /// The label `job` of all that is probed. Without it the label would be the object's own name.
    pub job_name: &'static str,
    /// Time between two probes.
    pub interval: &'static str,
    /// Module of the prober.
    pub module: &'static str,
    /// The prober.
    pub prober: Prober,
    /// What is probed.
    pub targets: ProbeTargets,
}

impl Spec for ProbeSpec {
    const KIND: &'static str = "Probe";
}

/// A prober.
#[derive(Clone, Debug, Serialize)]
pub struct Prober {
    /// Its address, `host:port`.
    pub url: String,
}

/// What is probed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeTargets {
    /// Addresses that are written down.
    pub static_config: StaticProbes,
}

/// Addresses that are written down.
#[derive(Clone, Debug, Serialize)]
pub struct StaticProbes {
    /// The addresses.
    #[serde(rename = "static")]
    pub addresses: Vec<String>,
}
