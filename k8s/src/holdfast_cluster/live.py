"""Skaffold on a clone's cluster: with its engine, its kubeconfig and the base of its images."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from holdfast_cluster import checks
from holdfast_cluster.cluster import Wishes
from holdfast_cluster.deploy import base_image
from holdfast_cluster.engine import find_engine
from holdfast_cluster.errors import ClusterError
from holdfast_cluster.folders import ClusterFolder
from holdfast_cluster.kube import Kube
from holdfast_cluster.nodes import Condition, Nodes, read_made
from holdfast_cluster.release import Release
from holdfast_cluster.services import fill_wheelhouse
from holdfast_local.build_view import BuildView
from holdfast_local.folders import repository
from holdfast_local.toolchain import ensure_tools

TOOLS = ("kubectl", "helm", "kind", "skaffold")


def skaffold(wishes: Wishes, arguments: Sequence[str], view: BuildView) -> int:
    """Run Skaffold on the clone's cluster, which must be up; return its exit status."""
    root = repository()
    folder = ClusterFolder(root, wishes.name)
    folder.create()
    tools = ensure_tools(TOOLS)
    engine = find_engine(folder.log)
    kube = Kube(tools["kubectl"], folder.kubeconfig, folder.log)
    condition = Condition.NONE
    if engine is not None:
        condition = Nodes(folder, engine, tools["kind"], kube).condition()
    if engine is None or condition is not Condition.WHOLE:
        raise ClusterError(checks.check_cluster(condition, wishes.name).text)
    base = base_image(wishes, engine, view)
    fill_wheelhouse(root)
    release = Release(root, folder, tools["helm"], kube)
    release.ensure_secrets()
    # The replay check asks this context; without one it would take the cluster for an empty one.
    made = read_made(folder.made)
    release.add_context(f"kind-{wishes.name}", made.port if made else wishes.port)
    environment = os.environ | engine.environment
    environment |= {"KUBECONFIG": str(folder.kubeconfig), "BASE": base}
    environment |= {"HOLDFAST_CONTEXT": f"kind-{wishes.name}"}
    # Nothing that is done here is told to anybody.
    environment |= {"SKAFFOLD_UPDATE_CHECK": "false", "SKAFFOLD_INTERACTIVE": "false"}
    places = [str(Path(tool).parent) for tool in tools.values()]
    environment["PATH"] = os.pathsep.join([*places, environment.get("PATH", "")])
    closed = ["--profile", "closed-network"] if base.startswith("holdfast/") else []
    return subprocess.run(
        [str(tools["skaffold"]), *arguments, *closed], cwd=root, env=environment, check=False
    ).returncode
