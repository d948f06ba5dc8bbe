//! Who resolves names, and the ways there. A policy sees the port of the pod that answers and not the Service's, and no pod in the host's network.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;

use k8s_openapi::api::networking::v1::{IPBlock, NetworkPolicyEgressRule, NetworkPolicyPeer, NetworkPolicyPort};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::Deserialize;

use super::{LayoutFault, read};

/// All that resolve names. Read from a JSON list as the chart writes it, by [`FromStr`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns(Vec<Resolver>);

/// Pods of a namespace, or a range of addresses, that resolve names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Resolver {
    /// Namespace of the pods.
    pub namespace: Option<String>,
    /// Labels of the pods; none for all of the namespace.
    pub pod_labels: BTreeMap<String, String>,
    /// Range of addresses, such as `169.254.20.10/32`: pods in the host's network have no other.
    pub cidr: Option<String>,
    /// Ports at which they answer.
    pub ports: Vec<u16>,
}

/// As most clusters have it.
impl Default for Dns {
    fn default() -> Self {
        Self(vec![Resolver { namespace: Some("kube-system".into()), ports: vec![53], ..Resolver::default() }])
    }
}

impl FromStr for Dns {
    type Err = LayoutFault;

    fn from_str(text: &str) -> Result<Self, LayoutFault> {
        let resolvers: Vec<Resolver> = read(text)?;
        if resolvers.is_empty() {
            return Err(LayoutFault("nobody resolves names: name at least one resolver".into()));
        }
        for (number, resolver) in resolvers.iter().enumerate() {
            resolver.fault().map_or(Ok(()), |fault| Err(LayoutFault(format!("resolver {number}: {fault}"))))?;
        }
        Ok(Self(resolvers))
    }
}

impl Dns {
    /// The ways there, of any pod.
    #[must_use]
    pub fn egress(&self) -> Vec<NetworkPolicyEgressRule> {
        let rule = |resolver: &Resolver| NetworkPolicyEgressRule { ports: Some(resolver.ports()), to: Some(vec![resolver.peer()]) };
        self.0.iter().map(rule).collect()
    }
}

impl Resolver {
    fn fault(&self) -> Option<String> {
        match (&self.namespace, &self.cidr) {
            (None, None) => Some("it needs a namespace or a cidr".into()),
            (Some(_), Some(_)) => Some("it has both a namespace and a cidr: make two of it".into()),
            (None, Some(_)) if !self.pod_labels.is_empty() => Some("podLabels belong to a namespace".into()),
            (None, Some(cidr)) if !is_range(cidr) => Some(format!("{cidr} is no range of addresses, such as 169.254.20.10/32")),
            _ if self.ports.is_empty() || self.ports.contains(&0) => Some("it needs ports from 1 to 65535".into()),
            _ => None,
        }
    }

    fn peer(&self) -> NetworkPolicyPeer {
        let labels = |labels: BTreeMap<String, String>| LabelSelector { match_labels: Some(labels), match_expressions: None };
        let of = |namespace: &String| labels([("kubernetes.io/metadata.name".to_owned(), namespace.clone())].into());
        NetworkPolicyPeer {
            namespace_selector: self.namespace.as_ref().map(of),
            pod_selector: Some(self.pod_labels.clone()).filter(|labels| !labels.is_empty()).map(labels),
            ip_block: self.cidr.clone().map(|cidr| IPBlock { cidr, except: None }),
        }
    }

    fn ports(&self) -> Vec<NetworkPolicyPort> {
        let of = |port: &u16| {
            ["UDP", "TCP"].map(|protocol| NetworkPolicyPort {
                protocol: Some(protocol.to_owned()),
                port: Some(IntOrString::Int(i32::from(*port))),
                end_port: None,
            })
        };
        self.ports.iter().flat_map(of).collect()
    }
}

/// Whether a text is an address and the length of its prefix, with nothing behind the prefix.
fn is_range(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let (Ok(address), Ok(length)) = (address.parse::<IpAddr>(), length.parse::<u32>()) else { return false };
    let (bits, width) = match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    };
    length <= width && bits.trailing_zeros() >= width - length
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn egress(text: &str) -> Value {
        json!(text.parse::<Dns>().unwrap().egress())
    }

    fn namespace(name: &str) -> Value {
        json!({"matchLabels": {"kubernetes.io/metadata.name": name}})
    }

    #[test]
    fn each_of_the_three_layouts_opens_its_own_way_and_no_other() {
        let ports = |port: u16| json!([{"protocol": "UDP", "port": port}, {"protocol": "TCP", "port": port}]);
        let usual = json!([{"to": [{"namespaceSelector": namespace("kube-system")}], "ports": ports(53)}]);
        assert_eq!(json!(Dns::default().egress()), usual);
        assert_eq!(egress(r#"[{"namespace": "kube-system", "ports": [53]}]"#), usual);
        let labels = json!({"dns.operator.openshift.io/daemonset-dns": "default"});
        let text = json!([{"namespace": "openshift-dns", "podLabels": labels, "ports": [5353]}]).to_string();
        let peer = json!({"namespaceSelector": namespace("openshift-dns"), "podSelector": {"matchLabels": labels}});
        assert_eq!(egress(&text), json!([{"to": [peer], "ports": ports(5353)}]));
        let local = egress(r#"[{"cidr": "169.254.20.10/32", "ports": [53]}, {"cidr": "10.96.0.10/32", "ports": [53]}]"#);
        let to = |cidr: &str| json!({"to": [{"ipBlock": {"cidr": cidr}}], "ports": ports(53)});
        assert_eq!(local, json!([to("169.254.20.10/32"), to("10.96.0.10/32")]));
    }

    #[test]
    fn a_setting_that_opens_nothing_or_too_much_is_refused_with_its_fault() {
        for (text, told) in [
            ("[]", "at least one"),
            (r#"[{"ports": [53]}]"#, "resolver 0: it needs a namespace or a cidr"),
            (r#"[{"namespace": "a", "ports": [53]}, {"namespace": "a", "cidr": "10.0.0.1/32", "ports": [53]}]"#, "resolver 1: it has both"),
            (r#"[{"namespace": "a", "ports": []}]"#, "ports"),
            (r#"[{"namespace": "a", "ports": [0]}]"#, "ports"),
            (r#"[{"namespace": "a", "ports": [70000]}]"#, "70000"),
            (r#"[{"cidr": "10.0.0.1/32", "podLabels": {"a": "b"}, "ports": [53]}]"#, "podLabels"),
            (r#"[{"cidr": "169.254.20.10", "ports": [53]}]"#, "169.254.20.10 is no range"),
            (r#"[{"cidr": "10.0.0.1/33", "ports": [53]}]"#, "is no range"),
            (r#"[{"cidr": "10.0.0.1/24", "ports": [53]}]"#, "is no range"),
            (r#"[{"cidr": "fd00::1/64", "ports": [53]}]"#, "is no range"),
            (r#"[{"namespaces": "a", "ports": [53]}]"#, "namespaces"),
            ("kube-system", "expected"),
        ] {
            let refused = text.parse::<Dns>();
            assert!(refused.as_ref().is_err_and(|fault| fault.to_string().contains(told)), "{text}: {refused:?}");
        }
        for cidr in ["0.0.0.0/0", "10.0.0.0/8", "fd00::10/128", "::/0"] {
            assert!(is_range(cidr), "{cidr}");
        }
    }
}
