//! The pod of a test, and pods that must not come to be.

use caretaker_api::ManagedClient;
use caretaker_api::managed_client::QuotaTerms;
use caretaker_api::names::{CLIENT_LABEL, MANAGED_BY, MANAGER, client_namespace};
use kube::ResourceExt;
use serde_json::{Value, json};

use super::attempts::Attempt;
use crate::ownership::PULL_SECRET;

/// Name of the pod. The operator may make pods of this name only.
pub const NAME: &str = "caretaker-isolation-test";
/// Variable of its environment that holds the attempts as JSON.
pub const ATTEMPTS: &str = "CARETAKER_ISOLATION_ATTEMPTS";
/// Seconds after which the kubelet ends it, the pulling of its image included.
const DEADLINE: u32 = 240;

/// Which image the pod runs, and how it is pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodTerms {
    /// The operator's own image.
    pub image: String,
    /// Whether the copy of the provider's pull secret in the client's namespace is used.
    pub has_pull_secret: bool,
}

/// The pod. It asks for a token as any pod of the client gets one, and for nothing else; its user is the image's.
#[must_use]
pub fn pod(client: &ManagedClient, terms: &PodTerms, attempts: &[Attempt]) -> Value {
    let container = json!({
        "name": "test", "image": terms.image, "imagePullPolicy": "IfNotPresent", "command": ["/caretaker", "isolation-test"],
        "env": [{"name": ATTEMPTS, "value": json!(attempts).to_string()}],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "200m", "memory": "128Mi"}},
        "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}},
    });
    let pull_secrets = if terms.has_pull_secret { json!([{"name": PULL_SECRET}]) } else { json!([]) };
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": NAME, "namespace": client_namespace(&client.name_any()),
            "labels": {MANAGED_BY: MANAGER, CLIENT_LABEL: client.name_any(), "app.kubernetes.io/name": NAME},
            "ownerReferences": [{
                "apiVersion": "caretaker.dev/v1alpha1", "kind": "ManagedClient", "name": client.name_any(), "uid": client.uid().unwrap_or_default(),
            }],
        },
        "spec": {
            "restartPolicy": "Never", "activeDeadlineSeconds": DEADLINE, "terminationGracePeriodSeconds": 0, "enableServiceLinks": false,
            "automountServiceAccountToken": true, "imagePullSecrets": pull_secrets,
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
        },
    })
}

/// The same pod with all rights of its machine.
#[must_use]
pub fn privileged(pod: &Value) -> Value {
    let mut pod = pod.clone();
    pod["spec"]["containers"][0]["securityContext"] = json!({"privileged": true});
    pod
}

/// The same pod with more CPU than all pods of the client may request together.
#[must_use]
pub fn too_large(pod: &Value, quota: &QuotaTerms) -> Value {
    let mut pod = pod.clone();
    let cpu = json!({"cpu": (quota.cpu_cores + 1).to_string(), "memory": "32Mi"});
    pod["spec"]["containers"][0]["resources"] = json!({"requests": cpu, "limits": cpu});
    pod
}
