"""Every image that a cluster without a registry is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from holdfast_cluster.debian import DebianImage
from holdfast_cluster.recipes import Recipe, static_image
from holdfast_local.go_build import read_pin
from holdfast_local.toolchain_sources import (
    COREDNS,
    DAPR,
    ETCD,
    KUBERNETES,
    LOCAL_PATH,
    METRICS_SERVER,
    Source,
)

#: What the images without a user of their own run as.
NOBODY = "65532:65532"
PYTHON = DebianImage(
    name="holdfast/python",
    version="3.11",
    # Wheels bring their own libraries, but for the C++ one; the official slim image has these too.
    packages=("python3.11", "ca-certificates", "libstdc++6", "tzdata"),
    finish=(
        'ln -s /usr/bin/python3.11 "$1/usr/local/bin/python3"',
        'ln -s /usr/bin/python3.11 "$1/usr/local/bin/python"',
        'ln -s /usr/bin/python3.11 "$1/usr/local/bin/python3.11"',
        'rm -rf "$1"/var/log/* "$1"/var/cache/*',
    ),
    changes=("ENV LANG=C.UTF-8", 'CMD ["python3"]'),
)
POSTGRESQL = DebianImage(
    name="holdfast/postgresql",
    version="15",
    packages=("postgresql-15",),
    # Its compiler for queries is larger than the rest together.
    without=(
        "/usr/lib/*/libLLVM*",
        "/usr/lib/*/libz3*",
        "/usr/lib/postgresql/15/lib/bitcode/*",
        "/usr/lib/postgresql/15/lib/llvmjit*",
    ),
    finish=(
        'rm -rf "$1"/var/lib/postgresql/15 "$1"/etc/postgresql/15 "$1"/var/log/* "$1"/var/cache/*',
        # The number that the official image uses, too.
        'sed -i -E "s/^(postgres:x):[0-9]+:[0-9]+:/\\1:999:999:/" "$1/etc/passwd"',
        'sed -i -E "s/^(postgres:x):[0-9]+:/\\1:999:/" "$1/etc/group"',
        'rm -rf "$1/var/run/postgresql" && mkdir -p "$1/var/lib/postgresql"',
        'chown 999:999 "$1/var/lib/postgresql"',
    ),
    changes=(
        "USER 999:999",
        "ENV LANG=C.UTF-8",
        "ENV PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin",
    ),
)
#: For kube-proxy, which speaks to the packet filter through its programs.
PACKET_FILTER = DebianImage(
    name="holdfast/packet-filter",
    version="12",
    packages=("iptables", "conntrack", "kmod"),
    finish=('rm -rf "$1"/var/log/* "$1"/var/cache/*',),
)
NODE_BASE = DebianImage(
    name="holdfast/node-base",
    version="12",
    packages=(
        *("systemd", "systemd-sysv", "dbus", "runc", "catatonit"),
        *("conntrack", "iptables", "nftables", "iproute2", "ethtool", "kmod", "mount"),
        *("util-linux", "procps", "jq", "curl", "pigz", "libseccomp2", "ca-certificates"),
    ),
    finish=('rm -rf "$1"/var/log/* "$1"/var/cache/*',),
)

KUBERNETES_PROGRAMS = (
    *("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"),
    *("kubeadm", "kubelet", "kubectl"),
)
CONTAINERD_PROGRAMS = ("containerd", "containerd-shim-runc-v2", "ctr")
CNI_PROGRAMS = ("host-local", "loopback", "portmap", "ptp")
DAPR_PROGRAMS = ("daprd", "placement", "scheduler", "sentry", "operator", "injector")
ADDON_PROGRAMS = ("etcd", "coredns", "local-path-provisioner", "metrics-server")
#: All that is built for a cluster without a registry.
PROGRAMS = (
    *KUBERNETES_PROGRAMS,
    *CONTAINERD_PROGRAMS,
    *CNI_PROGRAMS,
    *ADDON_PROGRAMS,
    *DAPR_PROGRAMS,
)
#: What every way to a cluster takes.
TOOLS = ("kind", "kubectl", "helm")


@dataclass(frozen=True)
class Catalogue:
    """The images' names and recipes, for the versions that a clone pins."""

    root: Path
    programs: Mapping[str, Path]
    #: As kubeadm names the images that it starts.
    kubeadm: Mapping[str, str]

    def kubernetes(self) -> list[Recipe]:
        """Return the images of Kubernetes itself, under the names that kubeadm gives them."""
        recipes = [
            static_image(self.kubeadm[name], self.programs[name], user="0:0")
            for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
        ]
        recipes.append(
            Recipe(
                self.kubeadm["kube-proxy"],
                f"FROM {PACKET_FILTER.reference}\nCOPY kube-proxy /usr/local/bin/kube-proxy\n"
                f'ENTRYPOINT ["/usr/local/bin/kube-proxy"]\n',
                {"kube-proxy": self.programs["kube-proxy"]},
            )
        )
        recipes.append(static_image(self.kubeadm["coredns"], self.programs["coredns"], user="0:0"))
        recipes.append(
            Recipe(
                self.kubeadm["pause"],
                # catatonit is a static program that can do nothing but wait and reap.
                f"FROM {NODE_BASE.reference} AS node\nFROM scratch\n"
                "COPY --from=node /usr/bin/catatonit /pause\n"
                'USER 65535:65535\nENTRYPOINT ["/pause", "-P"]\n',
            )
        )
        return recipes

    def addons(self) -> list[Recipe]:
        """Return the images of storage and metrics."""
        return [
            static_image(self.local_path, self.programs["local-path-provisioner"], user=NOBODY),
            static_image(self.metrics_server, self.programs["metrics-server"], user=NOBODY),
        ]

    def dapr(self) -> list[Recipe]:
        """Return Dapr's images, under our own names: they are not the official ones."""
        return [
            static_image(self.dapr_image(name), self.programs[name], user=NOBODY)
            for name in DAPR_PROGRAMS
        ]

    def dapr_image(self, name: str) -> str:
        """Return the name of one of Dapr's images."""
        return f"holdfast/dapr-{name}:{self._version(DAPR)}"

    @property
    def local_path(self) -> str:
        """The name of the volume provisioner's image."""
        return f"holdfast/local-path-provisioner:{self._version(LOCAL_PATH)}"

    @property
    def metrics_server(self) -> str:
        """The name of the metrics server's image."""
        return f"holdfast/metrics-server:{self._version(METRICS_SERVER)}"

    def _version(self, source: Source) -> str:
        return read_pin(self.root, source).version


def kubeadm_images(listed: str) -> dict[str, str]:
    """Return the images that ``kubeadm config images list`` names, each under its short name."""
    references = listed.split()
    return {reference.rsplit("/", 1)[-1].partition(":")[0]: reference for reference in references}


def versions(root: Path) -> dict[str, str]:
    """Return the pinned versions that a user may ask for."""
    sources = (KUBERNETES, DAPR, ETCD, COREDNS, LOCAL_PATH, METRICS_SERVER)
    return {source.name: read_pin(root, source).version for source in sources}
