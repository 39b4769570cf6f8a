"""Look at the machine and the cluster, and tell what is missing."""

from __future__ import annotations

import os

from holdfast_cluster import checks
from holdfast_cluster.checks import Finding
from holdfast_cluster.cluster import Wishes, dapr_version
from holdfast_cluster.dapr import Dapr, installed_version
from holdfast_cluster.engine import find_engine
from holdfast_cluster.errors import ClusterError
from holdfast_cluster.folders import ClusterFolder
from holdfast_cluster.kube import Kube
from holdfast_cluster.machine import is_debian, is_root, port_is_taken
from holdfast_cluster.nodes import Condition, Nodes, read_made
from holdfast_cluster.packages import find_program
from holdfast_cluster.registry import choose
from holdfast_local.folders import repository
from holdfast_local.toolchain import toolchain_of
from holdfast_local.toolchain_sources import DAPR, HELM, KIND, KUBERNETES


def examine(wishes: Wishes) -> list[Finding]:
    """Return every finding; nothing is built, started or changed for it."""
    folder = ClusterFolder(repository(), wishes.name)
    root, debian = is_root(), is_debian()
    engine = find_engine(folder.log)
    findings = [
        checks.check_docker(
            answers=engine is not None,
            client=find_program("docker") is not None,
            root=root,
            debian=debian,
            host=os.environ.get("DOCKER_HOST", ""),
        ),
        *_images(wishes, root=root, debian=debian),
        *checks.before_making(folder)[:2],
    ]
    kind = toolchain_of(KIND).find("kind")
    kubectl = toolchain_of(KUBERNETES).find("kubectl")
    condition = Condition.NONE
    if engine is not None and kind is not None and kubectl is not None:
        kube = Kube(kubectl, folder.kubeconfig, folder.log)
        condition = Nodes(folder, engine, kind, kube).condition()
    made = read_made(folder.made)
    findings += [
        checks.check_cluster(condition, wishes.name),
        checks.check_port(
            wishes.port,
            taken=port_is_taken(wishes.port),
            ours=condition is Condition.WHOLE and made is not None and made.port == wishes.port,
        ),
    ]
    if condition is Condition.WHOLE and kubectl is not None:
        findings += _dapr(Kube(kubectl, folder.kubeconfig, folder.log))
    return findings


def _images(wishes: Wishes, *, root: bool, debian: bool) -> list[Finding]:
    try:
        choice = choose(wishes.images, wishes.mirror)
    except ClusterError as error:
        return [Finding(checks.Level.FATAL, "Images", str(error))]
    return [checks.check_rights(pulled=choice.pulled, root=root, debian=debian)]


def _dapr(kube: Kube) -> list[Finding]:
    findings = [checks.check_dapr(installed_version(kube), dapr_version())]
    helm = toolchain_of(HELM).find("helm")
    if helm is not None and not findings[0].fatal:
        toolchain = toolchain_of(DAPR)
        dapr = Dapr(toolchain.version, toolchain.module_folder(), helm, kube)
        findings.append(checks.check_crds(dapr.crds_are_older()))
    return findings
