//! What is built, and from which packages.

/// What is built from one Go module in `e2e/control-plane/`, together.
pub(super) struct Tool {
    /// Its name, here and in the cache.
    pub name: &'static str,
    /// Folder of the module, where it is not called as the tool is: what only some tests use is built apart from what all use.
    pub folder: Option<&'static str>,
    /// Packages and the names of their binaries.
    pub packages: &'static [(&'static str, &'static str)],
    /// Further linker flags.
    pub ldflags: &'static str,
    /// Build tags.
    pub tags: &'static str,
    /// Files of the module that are kept beside the binaries: path in the module's source, name in the cache.
    pub assets: &'static [(&'static str, &'static str)],
    /// The module whose source holds the assets.
    pub source: &'static str,
    /// What an installed binary answers when it fits, and how it is asked. Without it the tool is always built: its assets must match it.
    pub fits: Option<(&'static [&'static str], &'static str)>,
}

impl Tool {
    /// Folder of the module.
    pub fn folder(&self) -> &'static str {
        self.folder.unwrap_or(self.name)
    }
}

/// A tool of which nothing is said yet.
pub(super) const PLAIN: Tool = Tool { name: "", folder: None, packages: &[], ldflags: "", tags: "", assets: &[], source: "", fits: None };

/// Kubernetes reports v0.0.0 without these, and version checks go wrong.
const KUBERNETES_VERSION: &str = "-X k8s.io/component-base/version.gitVersion=v1.36.3 -X k8s.io/component-base/version.gitMajor=1 \
                                  -X k8s.io/component-base/version.gitMinor=36";

/// Every tool.
pub(super) const TOOLS: &[Tool] = &[
    Tool {
        name: "kubernetes",
        packages: &[
            ("k8s.io/kubernetes/cmd/kube-apiserver", "kube-apiserver"),
            ("k8s.io/kubernetes/cmd/kube-controller-manager", "kube-controller-manager"),
            ("k8s.io/kubernetes/cmd/kube-scheduler", "kube-scheduler"),
            ("k8s.io/kubernetes/cmd/kubectl", "kubectl"),
        ],
        ldflags: KUBERNETES_VERSION,
        fits: Some((&["--version"], "Kubernetes v1.36.")),
        ..PLAIN
    },
    Tool { name: "etcd", packages: &[("go.etcd.io/etcd/server/v3", "etcd")], fits: Some((&["--version"], "etcd Version: 3.6.")), ..PLAIN },
    Tool {
        name: "kwok",
        packages: &[("sigs.k8s.io/kwok/cmd/kwok", "kwok")],
        assets: &[
            ("kustomize/stage/node/fast/node-initialize.yaml", "stage-1.yaml"),
            ("kustomize/stage/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml", "stage-2.yaml"),
            ("kustomize/stage/pod/fast/pod-ready.yaml", "stage-3.yaml"),
            ("kustomize/stage/pod/fast/pod-complete.yaml", "stage-4.yaml"),
            ("kustomize/stage/pod/fast/pod-delete.yaml", "stage-5.yaml"),
        ],
        source: "sigs.k8s.io/kwok",
        ..PLAIN
    },
    Tool { name: "helm", packages: &[("helm.sh/helm/v4/cmd/helm", "helm")], fits: Some((&["version", "--short"], "v4.")), ..PLAIN },
    Tool {
        name: "prometheus-operator",
        packages: &[("github.com/prometheus-operator/prometheus-operator/cmd/operator", "prometheus-operator")],
        assets: &[("example/prometheus-operator-crd", "crds"), ("bundle.yaml", "bundle.yaml")],
        source: "github.com/prometheus-operator/prometheus-operator",
        ..PLAIN
    },
    Tool { name: "alertmanager", packages: &[("github.com/prometheus/alertmanager/cmd/amtool", "amtool")], ..PLAIN },
    Tool { name: "prometheus", packages: &[("github.com/prometheus/prometheus/cmd/promtool", "promtool")], ..PLAIN },
    Tool { name: "age", packages: &[("filippo.io/age/cmd/age", "age")], fits: Some((&["--version"], "v1.")), ..PLAIN },
    Tool { name: "minisign", packages: &[("aead.dev/minisign/cmd/minisign", "minisign")], ..PLAIN },
    Tool {
        name: "opentofu",
        packages: &[("github.com/opentofu/opentofu/cmd/tofu", "tofu")],
        fits: Some((&["--version"], "OpenTofu v1.")),
        ..PLAIN
    },
    Tool { name: "tofu-providers", packages: &[("caretaker.dev/e2e/tofu-providers", "terraform-provider-of-tests")], ..PLAIN },
    Tool {
        name: "source-controller",
        packages: &[("github.com/fluxcd/source-controller", "source-controller")],
        assets: &[("config/crd/bases", "crds")],
        source: "github.com/fluxcd/source-controller",
        ..PLAIN
    },
    Tool {
        name: "kustomize-controller",
        packages: &[("github.com/fluxcd/kustomize-controller", "kustomize-controller")],
        assets: &[("config/crd/bases", "crds")],
        source: "github.com/fluxcd/kustomize-controller",
        ..PLAIN
    },
    Tool {
        name: "argo-cd",
        packages: &[
            ("github.com/argoproj/argo-cd/v3/cmd", "argocd"),
            ("sigs.k8s.io/kustomize/kustomize/v5", "kustomize"),
            ("caretaker.dev/e2e/argo-cd", "miniredis"),
        ],
        assets: &[("manifests/crds", "crds")],
        source: "github.com/argoproj/argo-cd/v3",
        ..PLAIN
    },
    Tool {
        name: "kubelet",
        folder: Some("kubernetes"),
        packages: &[("k8s.io/kubernetes/cmd/kubelet", "kubelet"), ("k8s.io/kubernetes/cmd/kube-proxy", "kube-proxy")],
        ldflags: KUBERNETES_VERSION,
        ..PLAIN
    },
    Tool {
        name: "containerd",
        packages: &[
            ("github.com/containerd/containerd/v2/cmd/containerd", "containerd"),
            ("github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2", "containerd-shim-runc-v2"),
            ("github.com/containerd/containerd/v2/cmd/ctr", "ctr"),
        ],
        // Snapshots are kept by overlayfs alone.
        tags: "no_btrfs,no_zfs,no_devmapper,no_aufs",
        ..PLAIN
    },
    Tool { name: "runc", packages: &[("github.com/opencontainers/runc", "runc")], tags: "seccomp", ..PLAIN },
    Tool {
        name: "cni-plugins",
        packages: &[
            ("github.com/containernetworking/plugins/plugins/main/ptp", "ptp"),
            ("github.com/containernetworking/plugins/plugins/main/loopback", "loopback"),
            ("github.com/containernetworking/plugins/plugins/ipam/host-local", "host-local"),
        ],
        ..PLAIN
    },
    Tool { name: "coredns", packages: &[("caretaker.dev/e2e/coredns", "coredns")], ..PLAIN },
    Tool { name: "kube-network-policies", packages: &[("sigs.k8s.io/kube-network-policies/cmd", "kube-network-policies")], ..PLAIN },
    Tool {
        name: "prometheus-config-reloader",
        folder: Some("prometheus-operator"),
        packages: &[("github.com/prometheus-operator/prometheus-operator/cmd/prometheus-config-reloader", "prometheus-config-reloader")],
        ..PLAIN
    },
    Tool {
        name: "alertmanager-server",
        folder: Some("alertmanager"),
        packages: &[("github.com/prometheus/alertmanager/cmd/alertmanager", "alertmanager")],
        ..PLAIN
    },
    Tool {
        name: "prometheus-server",
        folder: Some("prometheus"),
        packages: &[("github.com/prometheus/prometheus/cmd/prometheus", "prometheus")],
        ..PLAIN
    },
];

/// Tools of a control plane with the chart on it, in the order in which it starts them.
pub const CONTROL_PLANE: &[&str] = &["etcd", "kubernetes", "kwok", "prometheus-operator", "helm"];
/// What runs the code of a bundle.
pub const TOFU: &[&str] = &["opentofu", "tofu-providers"];
/// What the tests use on every machine, in the order in which they come to need it.
pub const EVERYWHERE: &[&str] = &[
    "etcd",
    "kubernetes",
    "kwok",
    "prometheus-operator",
    "helm",
    "minisign",
    "age",
    "opentofu",
    "tofu-providers",
    "alertmanager",
    "prometheus",
    "source-controller",
    "kustomize-controller",
    "argo-cd",
];
/// What a real node and the pods on it are made of, in the order in which they are needed.
pub const NODE: &[&str] = &[
    "kubelet",
    "containerd",
    "runc",
    "cni-plugins",
    "coredns",
    "kube-network-policies",
    "prometheus-config-reloader",
    "alertmanager-server",
    "prometheus-server",
];
