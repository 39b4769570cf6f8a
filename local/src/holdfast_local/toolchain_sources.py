"""Every Go module that programs are built from, and the programs of each.

A module's version and the checksums of all that it needs are in its folder of ``tools``; here is
what a ``go.mod`` cannot say: the packages, their tags, and which variables hold their version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MODULE = "github.com/dapr/dapr"
#: What the one-machine stack runs.
STACK_BINARIES = ("daprd", "placement", "scheduler")


@dataclass(frozen=True)
class Source:
    """A Go module that is pinned in a folder of ``tools``, and the programs it has."""

    name: str
    folder: str
    module: str
    #: Each program's package below the module; the module itself where that is empty; with ``./``
    #: one of our own in the folder, which puts the program together from the module's parts.
    programs: Mapping[str, str]
    #: What the linker sets, so that a binary knows its version.
    stamps: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def binaries(self) -> tuple[str, ...]:
        """The programs' names."""
        return tuple(self.programs)

    def package(self, binary: str) -> str:
        """Return the package that a program is built from."""
        below = self.programs[binary]
        if below.startswith("./"):
            return below
        return f"{self.module}/{below}" if below else self.module

    def link_flags(self, version: str) -> str:
        """Return what the linker is told for a version, which is written without its ``v``."""
        major, minor, *_ = version.split(".")
        stamps = (stamp.format(version=version, major=major, minor=minor) for stamp in self.stamps)
        return " ".join(("-s -w", *(f"-X {stamp}" for stamp in stamps)))


def _commands(*names: str) -> dict[str, str]:
    return {name: f"cmd/{name}" for name in names}


_COMPONENT_BASE = "k8s.io/component-base/version"

DAPR = Source(
    "Dapr",
    "dapr",
    MODULE,
    # The last three are for clusters.
    _commands(*STACK_BINARIES, "sentry", "operator", "injector"),
    (
        f"{MODULE}/pkg/buildinfo.version={{version}}",
        "github.com/dapr/kit/logger.DaprVersion={version}",
    ),
    # The components that Dapr calls stable, the state store on PostgreSQL among them.
    {"daprd": "stablecomponents"},
)
PROMETHEUS = Source(
    "Prometheus", "prometheus", "github.com/prometheus/prometheus", _commands("promtool")
)
HELM = Source(
    "Helm",
    "helm",
    "helm.sh/helm/v3",
    _commands("helm"),
    (
        "helm.sh/helm/v3/internal/version.version=v{version}",
        # The Kubernetes that charts see where none is asked: the pinned one, as `kubernetes` is.
        "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1",
        "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=34",
        "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor=1",
        "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor=34",
    ),
)
#: For the tests: the charts work with either.
HELM4 = Source(
    "Helm 4",
    "helm4",
    "helm.sh/helm/v4",
    {"helm4": "cmd/helm"},
    ("helm.sh/helm/v4/internal/version.version=v{version}",),
)
HELM_UNITTEST = Source(
    "helm-unittest",
    "helm-unittest",
    "github.com/helm-unittest/helm-unittest",
    _commands("helm-unittest"),
    ("github.com/helm-unittest/helm-unittest/internal/build.version={version}",),
)
KUBECONFORM = Source(
    "kubeconform",
    "kubeconform",
    "github.com/yannh/kubeconform",
    _commands("kubeconform"),
    ("main.version=v{version}",),
)
HELM_DOCS = Source(
    "helm-docs",
    "helm-docs",
    "github.com/norwoodj/helm-docs",
    _commands("helm-docs"),
    ("main.version={version}",),
)
KIND = Source("kind", "kind", "sigs.k8s.io/kind", {"kind": ""})
KUBERNETES = Source(
    "Kubernetes",
    "kubernetes",
    "k8s.io/kubernetes",
    _commands(
        "kubeadm",
        "kubelet",
        "kubectl",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kube-proxy",
    ),
    (
        f"{_COMPONENT_BASE}.gitVersion=v{{version}}",
        f"{_COMPONENT_BASE}.gitMajor={{major}}",
        f"{_COMPONENT_BASE}.gitMinor={{minor}}",
        f"{_COMPONENT_BASE}.gitTreeState=clean",
        "k8s.io/client-go/pkg/version.gitVersion=v{version}",
        "k8s.io/client-go/pkg/version.gitMajor={major}",
        "k8s.io/client-go/pkg/version.gitMinor={minor}",
    ),
)
ETCD = Source("etcd", "etcd", "go.etcd.io/etcd/server/v3", {"etcd": ""})
COREDNS = Source("CoreDNS", "coredns", "github.com/coredns/coredns", {"coredns": "./coredns"})
CONTAINERD = Source(
    "containerd",
    "containerd",
    "github.com/containerd/containerd/v2",
    _commands("containerd", "containerd-shim-runc-v2", "ctr"),
    ("github.com/containerd/containerd/v2/version.Version=v{version}",),
)
CNI = Source(
    "the CNI plugins",
    "cni",
    "github.com/containernetworking/plugins",
    {
        "host-local": "plugins/ipam/host-local",
        "loopback": "plugins/main/loopback",
        "portmap": "plugins/meta/portmap",
        "ptp": "plugins/main/ptp",
    },
    ("github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion=v{version}",),
)
LOCAL_PATH = Source(
    "local-path-provisioner",
    "local-path",
    "github.com/rancher/local-path-provisioner",
    {"local-path-provisioner": ""},
    ("main.VERSION=v{version}",),
)
METRICS_SERVER = Source(
    "metrics-server",
    "metrics-server",
    "sigs.k8s.io/metrics-server",
    _commands("metrics-server"),
    ("k8s.io/client-go/pkg/version.gitVersion=v{version}",),
)
SKAFFOLD = Source(
    "Skaffold",
    "skaffold",
    "github.com/GoogleContainerTools/skaffold/v2",
    _commands("skaffold"),
    ("github.com/GoogleContainerTools/skaffold/v2/pkg/skaffold/version.version=v{version}",),
)
#: For the tests: a registry on loopback, which official images are pulled from.
DISTRIBUTION = Source(
    "Distribution",
    "distribution",
    "github.com/distribution/distribution/v3",
    {"registry": "./registry"},
    ("github.com/distribution/distribution/v3/version.version=v{version}",),
)
# What `make bench` measures with, and whom it measures Holdfast with.
VEGETA = Source(
    "vegeta",
    "vegeta",
    "github.com/tsenart/vegeta/v12",
    {"vegeta": ""},
    ("main.Version=v{version}",),
)
TEMPORAL_CLI = Source(
    "Temporal's CLI", "temporal-cli", "github.com/temporalio/cli", _commands("temporal")
)
TEMPORAL = Source(
    "Temporal",
    "temporal",
    "go.temporal.io/server",
    {"temporal-server": "cmd/server", "temporal-sql-tool": "cmd/tools/sql"},
)
# No programs: the definitions that manifests of their kinds are checked against.
KEDA = Source("KEDA", "keda", "github.com/kedacore/keda/v2", {})
PROMETHEUS_OPERATOR = Source(
    "the Prometheus operator",
    "prometheus-operator",
    "github.com/prometheus-operator/prometheus-operator",
    {},
)

SOURCES = (
    DAPR,
    PROMETHEUS,
    HELM,
    HELM4,
    HELM_UNITTEST,
    KUBECONFORM,
    HELM_DOCS,
    KIND,
    KUBERNETES,
    ETCD,
    COREDNS,
    CONTAINERD,
    CNI,
    LOCAL_PATH,
    METRICS_SERVER,
    SKAFFOLD,
    DISTRIBUTION,
    VEGETA,
    TEMPORAL_CLI,
    TEMPORAL,
    KEDA,
    PROMETHEUS_OPERATOR,
)


def source_of(binary: str) -> Source | None:
    """Return the source that has a program of that name."""
    return next((source for source in SOURCES if binary in source.programs), None)
