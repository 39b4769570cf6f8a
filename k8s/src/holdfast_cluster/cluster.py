"""Make a cluster with all that Holdfast runs on, and unmake it without a trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from filelock import FileLock, Timeout

from holdfast_cluster import database
from holdfast_cluster.catalogue import PROGRAMS, TOOLS
from holdfast_cluster.checks import Finding, before_building, before_making
from holdfast_cluster.commands import Runner
from holdfast_cluster.dapr import Dapr
from holdfast_cluster.engine import Engine, find_engine
from holdfast_cluster.errors import ClusterError
from holdfast_cluster.explain import port_taken
from holdfast_cluster.folders import ClusterFolder, engine_folder, manifests
from holdfast_cluster.kube import Kube
from holdfast_cluster.loopback import LoopbackMirror, find_mirror, is_on_loopback
from holdfast_cluster.machine import port_is_taken
from holdfast_cluster.meanwhile import meanwhile
from holdfast_cluster.metrics import metrics_manifest
from holdfast_cluster.nodes import Condition, Nodes, read_made
from holdfast_cluster.own_engine import end_engine, ensure_engine
from holdfast_cluster.pruning import prune_images, remove_leftovers
from holdfast_cluster.registry import Choice, Images, choose
from holdfast_cluster.supplies import Supplies, built_supplies, pulled_supplies
from holdfast_local.build_view import BuildView
from holdfast_local.folders import repository
from holdfast_local.go_build import read_pin
from holdfast_local.toolchain import ensure_tools, fetching, toolchain_of
from holdfast_local.toolchain_sources import DAPR, METRICS_SERVER


@dataclass(frozen=True)
class Wishes:
    """What a user may choose about a cluster."""

    name: str = "holdfast"
    port: int = 8480
    images: Images = Images.AUTO
    mirror: str = ""


@contextmanager
def alone(folder: ClusterFolder, view: BuildView) -> Iterator[None]:
    """Let one command at a time change a cluster."""
    folder.create()
    lock = FileLock(folder.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        view.say(f"Another command changes the cluster {folder.name}; waiting for it.")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def make(wishes: Wishes, view: BuildView) -> ClusterFolder:
    """Bring a cluster up: what is there stays, what is half made is made anew."""
    folder = ClusterFolder(repository(), wishes.name)
    with alone(folder, view):
        _refuse(before_making(folder))
        choice = choose(wishes.images, wishes.mirror)
        _refuse(before_building(find_engine(folder.log), pulled=choice.pulled))
        view.say(f"Images are {'pulled' if choice.pulled else 'built here'}: {choice.reason}.")
        with meanwhile([] if choice.pulled else fetching(PROGRAMS)):
            tools = ensure_tools(TOOLS)
        engine = ensure_engine(folder.log, view)
        kube = Kube(tools["kubectl"], folder.kubeconfig, folder.log)
        nodes = Nodes(folder, engine, tools["kind"], kube)
        _refuse_port(nodes, wishes.port)
        near = find_mirror(choice.mirror, engine) if is_on_loopback(choice.mirror) else None
        supplies = _supplies(choice, engine, view)
        _bring_up_nodes(nodes, supplies, wishes.port, view, near)
        source = toolchain_of(DAPR)
        dapr = Dapr(source.version, source.module_folder(), tools["helm"], kube)
        _fill(kube, supplies, view, dapr)
        prune_images(engine)
    return folder


def _refuse(findings: list[Finding]) -> None:
    for finding in findings:
        if finding.fatal:
            raise ClusterError(finding.text)


def _refuse_port(nodes: Nodes, port: int) -> None:
    """Refuse a port that is taken before anything is built for it."""
    if nodes.condition() is Condition.NONE and port_is_taken(port):
        raise ClusterError(port_taken(port))


def _supplies(choice: Choice, engine: Engine, view: BuildView) -> Supplies:
    return pulled_supplies(choice) if choice.pulled else built_supplies(engine, view)


def _bring_up_nodes(
    nodes: Nodes, supplies: Supplies, port: int, view: BuildView, near: LoopbackMirror | None
) -> None:
    match nodes.condition():
        case Condition.WHOLE:
            _say_if_other(nodes, supplies, port, view)
            if supplies.built:
                nodes.connect()
        case Condition.STOPPED:
            view.say("The nodes had stopped: starting them again.")
            nodes.start()
        case Condition.HALF:
            view.say("An earlier command left a half made cluster: making it anew.")
            nodes.create(supplies.node, port, view, built=supplies.built, near=near)
        case Condition.NONE:
            nodes.create(supplies.node, port, view, built=supplies.built, near=near)
    if near is not None:
        nodes.introduce(near)


def _say_if_other(nodes: Nodes, supplies: Supplies, port: int, view: BuildView) -> None:
    made = read_made(nodes.folder.made)
    if made is None:
        return
    again = "`make cluster-down cluster` makes it anew"
    if supplies.node and made.image != supplies.node:
        view.say(f"The nodes are of another image than this clone's ({made.image}): {again}.")
    if made.port != port:
        view.say(f"The cluster has port {made.port}, not {port}: {again}.")


def _fill(kube: Kube, supplies: Supplies, view: BuildView, dapr: Dapr) -> None:
    kube.apply((manifests() / "namespaces.yaml").read_text("utf-8"))
    with view:
        view.begin("Metrics server, PostgreSQL: installing", "")
        module = toolchain_of(METRICS_SERVER).module_folder()
        kube.apply(metrics_manifest(module, supplies.metrics))
        database.install(kube, supplies.database)
        view.end("PostgreSQL is ready")
    dapr.install(supplies.dapr, supplies.mirror, view)
    kube.wait_for_rollout("kube-system", "deployment/metrics-server")


#: The filter for the nodes of all clusters, running or stopped.
_NODES = "label=io.x-k8s.kind.cluster"


def unmake(name: str, view: BuildView) -> bool:
    """Remove a cluster; with the last one, the engine that was started for them ends.

    Images stay, in the cache or in the machine's own engine.
    """
    folder = ClusterFolder(repository(), name)
    engine_files = engine_folder()
    with alone(folder, view):
        engine = find_engine(folder.log)
        there = False
        if engine is not None:
            tools = ensure_tools(("kind", "kubectl"))
            kube = Kube(tools["kubectl"], folder.kubeconfig, folder.log)
            nodes = Nodes(folder, engine, tools["kind"], kube)
            there = nodes.condition() is not Condition.NONE
            nodes.delete()
            (folder.path / "tokens.json").unlink(missing_ok=True)
            remove_leftovers(engine)
            # What an interrupted build left is stopped, and no reason to keep the engine.
            if not engine.containers(_NODES) and not engine.containers("status=running"):
                end_engine(engine_files, Runner(folder.log))
        else:
            folder.made.unlink(missing_ok=True)
            folder.kubeconfig.unlink(missing_ok=True)
            end_engine(engine_files, Runner(folder.log))
    return there


def dapr_version() -> str:
    """Return the version of Dapr that this clone pins."""
    return read_pin(repository(), DAPR).version
