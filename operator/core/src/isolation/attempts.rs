//! What the pod of a test tries, and how it tells what came of it.

use std::net::SocketAddr;

use caretaker_api::isolation::Expected;
use serde::{Deserialize, Serialize};

/// Addresses at which clouds give their metadata, and with it credentials of the machine, to whoever asks on the machine.
const METADATA: [(&str, &str); 5] = [
    // Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html; Azure and Google Cloud use the same address.
    ("169.254.169.254:80", "the metadata of clouds"),
    // Source: as above, for machines of the Nitro system.
    ("[fd00:ec2::254]:80", "the metadata of AWS by IPv6"),
    // Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
    ("169.254.170.2:80", "the credentials of AWS tasks"),
    // Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html
    ("169.254.170.23:80", "the agent of EKS Pod Identity"),
    // Source: https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
    ("168.63.129.16:80", "the host of Azure machines"),
];

/// What stands behind an address of another client: whose it is is not told, since people of the client can read it.
pub(super) const OTHER_CLIENT: &str = "a pod of another client";

/// One attempt of the pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// For a person.
    pub what: String,
    /// The way.
    #[serde(rename = "try")]
    pub way: Try,
    /// How it must end.
    pub expected: Expected,
}

/// A way to try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Try {
    /// Resolve a name.
    Resolve(String),
    /// Open a TCP connection to `host:port`.
    Connect(String),
    /// List the Secrets of a namespace with the pod's own token; of all namespaces where it is empty.
    ReadSecrets(String),
}

/// What came of an attempt, in the pod's words. The pod runs in the client's namespace, where people of the client may act on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Whether it worked.
    pub works: bool,
    /// How it ended.
    pub told: String,
}

impl Attempt {
    fn of(what: impl Into<String>, way: Try, expected: Expected) -> Self {
        Self { what: what.into(), way, expected }
    }
}

/// What a pod in this namespace tries: first what must work. `others` are addresses at which pods of other clients answer.
#[must_use]
pub fn attempts(namespace: &str, has_monitoring: bool, others: &[SocketAddr]) -> Vec<Attempt> {
    let (works, refused) = (Expected::Works, Expected::Refused);
    let mut list = vec![Attempt::of("DNS: names of Services", Try::Resolve("kubernetes.default.svc".into()), works)];
    if has_monitoring {
        // The Service that the prometheus-operator makes in each namespace with a Prometheus.
        let own = Try::Connect("prometheus-operated:9090".into());
        list.push(Attempt::of("TCP prometheus-operated:9090, the client's own Prometheus", own, works));
    }
    for (address, whose) in METADATA {
        list.push(Attempt::of(format!("TCP {address}, {whose}"), Try::Connect(address.into()), refused));
    }
    for address in others {
        list.push(Attempt::of(format!("TCP {address}, {OTHER_CLIENT}"), Try::Connect(address.to_string()), refused));
    }
    list.push(Attempt::of("API server: Secrets of this namespace", Try::ReadSecrets(namespace.into()), refused));
    list.push(Attempt::of("API server: Secrets of all namespaces", Try::ReadSecrets(String::new()), refused));
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_work_comes_first_and_other_clients_have_no_name() {
        let others = ["10.244.0.7:9090".parse().unwrap()];
        let list = attempts("client-acme", true, &others);
        let works = list.iter().take_while(|attempt| attempt.expected == Expected::Works).count();
        assert_eq!(works, 2);
        assert!(list[works..].iter().all(|attempt| attempt.expected == Expected::Refused));
        assert!(list.iter().any(|attempt| attempt.what == "TCP 10.244.0.7:9090, a pod of another client"));
        assert!(list.iter().any(|attempt| attempt.way == Try::Connect("169.254.169.254:80".into())));
        assert_eq!(attempts("client-acme", false, &[]).len(), list.len() - 2);
    }

    #[test]
    fn the_pod_reads_what_we_write() {
        let list = attempts("client-acme", true, &[]);
        let text = serde_json::to_string(&list).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Attempt>>(&text).unwrap(), list);
    }
}
