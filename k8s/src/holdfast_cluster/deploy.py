"""Bring a clone's services to its cluster."""

from __future__ import annotations

from holdfast_cluster import checks
from holdfast_cluster.catalogue import PYTHON, TOOLS
from holdfast_cluster.cluster import Wishes, alone, dapr_version
from holdfast_cluster.dapr import installed_version
from holdfast_cluster.debian import ensure_debian_image
from holdfast_cluster.engine import Engine, find_engine
from holdfast_cluster.errors import ClusterError
from holdfast_cluster.folders import ClusterFolder
from holdfast_cluster.kube import Kube
from holdfast_cluster.nodes import Condition, Nodes, read_made
from holdfast_cluster.own_engine import ensure_engine
from holdfast_cluster.pruning import prune_images
from holdfast_cluster.registry import choose
from holdfast_cluster.release import Release
from holdfast_cluster.services import build_services, load_services
from holdfast_cluster.supplies import pulled_supplies
from holdfast_local.build_view import BuildView
from holdfast_local.folders import repository
from holdfast_local.toolchain import ensure_tools


def base_image(wishes: Wishes, engine: Engine, view: BuildView) -> str:
    """Return the image that the services' start from: the official one, or one made here."""
    choice = choose(wishes.images, wishes.mirror)
    if choice.pulled:
        return pulled_supplies(choice).python
    return ensure_debian_image(PYTHON, engine, view)


def images(wishes: Wishes, view: BuildView) -> dict[str, str]:
    """Return the services' images, built from this clone; no cluster is needed."""
    folder = ClusterFolder(repository(), wishes.name)
    folder.create()
    engine = ensure_engine(folder.log, view)
    return build_services(repository(), base_image(wishes, engine, view), engine, view)


def deploy(wishes: Wishes, view: BuildView) -> Release:
    """Bring a cluster that is up to this clone's images and charts."""
    folder = ClusterFolder(repository(), wishes.name)
    with alone(folder, view):
        tools = ensure_tools(TOOLS)
        engine = find_engine(folder.log)
        kube = Kube(tools["kubectl"], folder.kubeconfig, folder.log)
        if engine is None:
            raise ClusterError(checks.check_cluster(Condition.NONE, wishes.name).text)
        condition = Nodes(folder, engine, tools["kind"], kube).condition()
        if condition is not Condition.WHOLE:
            raise ClusterError(checks.check_cluster(condition, wishes.name).text)
        dapr = checks.check_dapr(installed_version(kube), dapr_version(), checks.HERE)
        if dapr.fatal:
            raise ClusterError(dapr.text)
        made = read_made(folder.made)
        release = Release(repository(), folder, tools["helm"], kube)
        base = base_image(wishes, engine, view)
        references = build_services(repository(), base, engine, view)
        load_services(wishes.name, references.values(), tools["kind"], engine, view)
        release.ensure_secrets()
        tag = next(iter(references.values())).rpartition(":")[2]
        release.install(tag, view)
        prune_images(engine)
        release.add_context(f"kind-{wishes.name}", made.port if made else wishes.port)
    return release
