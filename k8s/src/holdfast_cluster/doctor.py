"""Look at the machine and the cluster, and tell what is missing."""

from __future__ import annotations

import tempfile
from pathlib import Path

from holdfast_cluster import checks
from holdfast_cluster.checks import ELSEWHERE, HERE, Finding, WaysOut
from holdfast_cluster.cluster import Wishes, dapr_version
from holdfast_cluster.context import one_context
from holdfast_cluster.dapr import NAMESPACE, installed_version, older_crds
from holdfast_cluster.engine import find_engine
from holdfast_cluster.errors import ClusterError
from holdfast_cluster.folders import ClusterFolder
from holdfast_cluster.kube import Kube
from holdfast_cluster.machine import is_debian, is_root, port_is_taken
from holdfast_cluster.nodes import Condition, Nodes, read_made
from holdfast_cluster.registry import choose
from holdfast_local.folders import repository
from holdfast_local.toolchain import toolchain_of
from holdfast_local.toolchain_sources import DAPR, KIND, KUBERNETES


def examine(wishes: Wishes) -> list[Finding]:
    """Return every finding; nothing is built, started or changed for it."""
    folder = ClusterFolder(repository(), wishes.name)
    engine = find_engine(folder.log)
    findings = [
        checks.docker_here(engine),
        _images(wishes),
        *checks.before_making(folder),
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
        findings += _dapr(Kube(kubectl, folder.kubeconfig, folder.log), NAMESPACE, HERE)
    return findings


def examine_elsewhere(kubeconfig: Path | None, context: str, namespace: str) -> list[Finding]:
    """Return what any cluster lacks of Dapr, of which ``namespace`` has the control plane.

    Nothing is changed for it.
    """
    with tempfile.TemporaryDirectory(prefix="holdfast-doctor-") as folder:
        log = repository() / ".run" / "doctor.log"
        return _dapr(one_context(kubeconfig, context, Path(folder), log), namespace, ELSEWHERE)


def _images(wishes: Wishes) -> Finding:
    try:
        choice = choose(wishes.images, wishes.mirror)
    except ClusterError as error:
        return Finding(checks.Level.FATAL, "Images", str(error))
    return checks.check_rights(pulled=choice.pulled, root=is_root(), debian=is_debian())


def _dapr(kube: Kube, namespace: str, ways_out: WaysOut) -> list[Finding]:
    version = checks.check_dapr(installed_version(kube, namespace), dapr_version(), ways_out)
    if version.fatal:
        return [version]
    older = older_crds(kube, toolchain_of(DAPR).module_folder())
    return [version, checks.check_crds(older, ways_out)]
