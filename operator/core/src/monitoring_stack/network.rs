//! The ways of a stack's pods beyond their namespace. Names and the pods beside them are open to all pods of a client's namespace.

use std::collections::{BTreeMap, BTreeSet};

use caretaker_api::MonitoringStack;
use caretaker_api::monitoring_stack::MonitoringTerms;
use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;

use super::receivers::{Judged, beat_port, part, ports};
use super::{ALERTMANAGER_PORT, Observed, PROMETHEUS_PORT, Part};

/// Ports of receivers whose address is a secret.
pub(super) const WEB_PORTS: [u16; 2] = [443, 80];

/// For each part what it needs: Prometheus the exporters and the prober, Alertmanager the receivers. The operator may ask both what they have loaded.
pub(super) fn policies<'a>(stack: &'a MonitoringStack, observed: &'a Observed) -> impl Iterator<Item = (&'static str, NetworkPolicy)> + 'a {
    let (terms, operator_namespace) = (&stack.spec.terms, observed.operator_namespace.as_str());
    [(Part::Prometheus, PROMETHEUS_PORT, watched(terms)), (Part::Alertmanager, ALERTMANAGER_PORT, receivers(terms, &observed.receivers))]
        .into_iter()
        .map(move |(part, own, ports)| {
            let egress = NetworkPolicyEgressRule { ports: Some(ports.into_iter().map(port).collect()), to: None };
            let ingress = NetworkPolicyIngressRule { from: Some(vec![operator(operator_namespace)]), ports: Some(vec![port(own)]) };
            let spec = NetworkPolicySpec {
                pod_selector: Some(labels([("app.kubernetes.io/name", part.as_str()), ("app.kubernetes.io/instance", &stack.name_any())])),
                policy_types: Some(vec!["Egress".into(), "Ingress".into()]),
                egress: Some(vec![egress]),
                ingress: Some(vec![ingress]),
            };
            (part.as_str(), NetworkPolicy { spec: Some(spec), ..NetworkPolicy::default() })
        })
}

fn labels<const N: usize>(pairs: [(&str, &str); N]) -> LabelSelector {
    let labels: BTreeMap<String, String> = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    LabelSelector { match_labels: Some(labels), ..LabelSelector::default() }
}

fn operator(namespace: &str) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        namespace_selector: Some(labels([("kubernetes.io/metadata.name", namespace)])),
        pod_selector: Some(labels([("app.kubernetes.io/name", "caretaker")])),
        ip_block: None,
    }
}

fn port(port: u16) -> NetworkPolicyPort {
    NetworkPolicyPort { protocol: Some("TCP".into()), port: Some(IntOrString::Int(port.into())), ..NetworkPolicyPort::default() }
}

fn watched(terms: &MonitoringTerms) -> BTreeSet<u16> {
    let prober = terms.prober.as_deref().and_then(|prober| prober.rsplit_once(':')?.1.parse().ok());
    u16::try_from(terms.exporter_port).into_iter().chain(prober).collect()
}

fn receivers(terms: &MonitoringTerms, judged: &Judged) -> BTreeSet<u16> {
    let of_tier = |tier| super::receivers::ways(tier).into_iter().flat_map(|(name, way)| ports(way, &part(&name), judged));
    terms.tiers.iter().flat_map(of_tier).chain(beat_port(judged)).collect()
}

/// The port of an address that starts with `http://` or `https://`.
pub(super) fn port_of(url: &str) -> Option<u16> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?.rsplit('@').next()?;
    // The colons of an IPv6 address stand within brackets.
    let written = host.rsplit_once(':').filter(|(_, port)| !port.contains(']')).and_then(|(_, port)| port.parse().ok());
    written.or(match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_the_one_that_is_written_or_the_schemes() {
        for (url, port) in [
            ("https://desk.example/a", Some(443)),
            ("http://desk.example", Some(80)),
            ("https://desk.example:8443/a:1", Some(8443)),
            ("http://[fd00::1]:8080/x", Some(8080)),
            ("http://[fd00::1]/x", Some(80)),
            ("https://user:12@desk.example/x", Some(443)),
            ("ftp://desk.example", None),
        ] {
            assert_eq!(port_of(url), port, "{url}");
        }
    }
}
