"""What can be done to pods: through the API server, and on the nodes that they run on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any

from kubernetes.client import ApiException, V1Eviction, V1ObjectMeta

from holdfast_chaos.targets import Armed, TargetNotReadyError
from holdfast_chaos.targets.cluster import API_SECONDS, Cluster, Pod, patient
from holdfast_chaos.targets.nodes import NodeShells
from holdfast_chaos.waiting import eventually
from holdfast_chaos.world import Deed

#: How long pods may take to go, or to be replaced.
GOING_SECONDS = 120.0
ROLLING_SECONDS = 240.0
#: Where the harness notes what it has to put back.
REPLICAS = "holdfast.dev/chaos-replicas"
CORDONED = "holdfast.dev/chaos-cordoned"
_CHAIN = "HOLDFAST-CHAOS"

Chosen = Mapping[str, Sequence[Pod]]


class _Deed:
    """A deed with its victims."""

    def __init__(self, cluster: Cluster, chosen: Chosen) -> None:
        self._cluster = cluster
        self._chosen = {component: list(pods) for component, pods in chosen.items()}

    @property
    def struck(self) -> tuple[str, ...]:
        """The names of the pods."""
        return tuple(pod.name for pods in self._chosen.values() for pod in pods)

    @property
    def spared(self) -> tuple[str, ...]:
        """None: all that was asked for is struck."""
        return ()

    def heal(self) -> tuple[str, ...]:
        """Leave it to the cluster, which puts others in their place."""
        return ()

    @property
    def _pods(self) -> list[Pod]:
        return [pod for pods in self._chosen.values() for pod in pods]

    @property
    def _shells(self) -> NodeShells:
        if self._cluster.nodes is None:
            raise TargetNotReadyError("this needs a shell on the nodes, and there is none")
        return self._cluster.nodes

    def _by_node(self) -> dict[str, list[str]]:
        """Return the victims' containers on each node."""
        nodes: dict[str, list[str]] = defaultdict(list)
        for pod in self._pods:
            nodes[pod.node].append(pod.container_id)
        return nodes


class Kill(_Deed):
    """SIGKILL, from the node: a container's first process does not take it from inside."""

    def __init__(self, cluster: Cluster, chosen: Chosen) -> None:
        super().__init__(cluster, chosen)
        self._ids = {
            node: " ".join(self._shells.run(node, _pids(containers)).split())
            for node, containers in self._by_node().items()
        }
        if not all(self._ids.values()):
            raise TargetNotReadyError(f"{self.struck}: no process of them is on {list(self._ids)}")

    def strike(self) -> None:
        """Kill all processes of the containers; some may have ended with the first of them."""
        for node, ids in self._ids.items():
            self._shells.run(node, f"kill -KILL {ids}; true")


class Freeze(_Deed):
    """SIGSTOP of every process of the containers, and SIGCONT."""

    def strike(self) -> None:
        """Stop the containers where they stand, and see that every process is stopped."""
        self._signal("STOP", "T")

    def heal(self) -> tuple[str, ...]:
        """Let the containers go on, and see that no process is stopped any more."""
        self._signal("CONT", "RSD")
        return tuple(self._chosen)

    def _signal(self, name: str, states: str) -> None:
        for node, containers in self._by_node().items():
            script = f'ids="$({_pids(containers)})"; kill -{name} $ids; {_STATES}'

            def done(node: str = node, script: str = script) -> bool:
                seen = self._shells.run(node, script).split()
                return bool(seen) and all(state in states for state in seen)

            if not eventually(done, API_SECONDS):
                raise TargetNotReadyError(f"{self.struck} on {node}: not all took SIG{name}")


class Delete(_Deed):
    """Pods deleted with a grace of 0, in the order of the components."""

    def strike(self) -> None:
        """Delete the pods."""
        for pod in self._pods:
            self._cluster.core.delete_namespaced_pod(
                pod.name, pod.namespace, grace_period_seconds=0, _request_timeout=API_SECONDS
            )


class Scale(_Deed):
    """Deployments scaled to no pod, and back."""

    def strike(self) -> None:
        """Ask for no pods; how many there were is noted at the Deployment."""
        for component in self._chosen:
            _scale_down(self._cluster, component)

    def heal(self) -> tuple[str, ...]:
        """Ask for as many as there were, once there really is none."""
        for component in self._chosen:
            eventually(partial(_gone, self._cluster, component), GOING_SECONDS)
        for component in self._chosen:
            restore_scale(self._cluster, component)
        return ()


class Roll(_Deed):
    """A rolling update to a template that differs in an annotation."""

    def strike(self) -> None:
        """Begin it."""
        changed = {"kubectl.kubernetes.io/restartedAt": datetime.now(UTC).isoformat()}
        for component in self._chosen:
            _patch(self._cluster, component, {"template": {"metadata": {"annotations": changed}}})

    def heal(self) -> tuple[str, ...]:
        """Return when every pod is a new one, or in time."""
        for component in self._chosen:
            eventually(partial(_rolled, self._cluster, component), ROLLING_SECONDS)
        return ()


class Cut(_Deed):
    """The first component's pods can't reach the others', and are not reached by them.

    The rules are on the pods' own nodes, in front of all others: what lives drops dead, too.
    """

    def strike(self) -> None:
        """Drop every packet between them."""
        for node, rules in self._rules().items():
            lines = [
                f"iptables -w -N {_CHAIN}",
                *(f"iptables -w -A {_CHAIN} {rule} -j DROP" for rule in rules),
                f"iptables -w -I FORWARD 1 -j {_CHAIN}",
            ]
            self._shells.run(node, f"set -e; {'; '.join(lines)}")

    def heal(self) -> tuple[str, ...]:
        """Let packets through again; return the components if any packet was dropped."""
        dropped = 0
        for node in self._rules():
            dropped += int(self._shells.run(node, _DROPPED))
            self._shells.run(node, UNCUT)
        return tuple(self._chosen) if dropped else ()

    def _rules(self) -> dict[str, list[str]]:
        first, *others = self._chosen
        peers = [pod.address for other in others for pod in self._cluster.pods(other)]
        nodes: dict[str, list[str]] = defaultdict(list)
        for pod in self._chosen[first]:
            for peer in peers:
                nodes[pod.node].append(f"-s {pod.address} -d {peer}")
                nodes[pod.node].append(f"-s {peer} -d {pod.address}")
        return nodes


class Drain(_Deed):
    """A node of victims is cordoned, and the victims' namespaces are evicted from it.

    The node is the one with most of the components, and most of their pods: an earlier drain may
    have left all pods of one on another.
    """

    def __init__(self, cluster: Cluster, chosen: Chosen) -> None:
        self._node = fullest_node(chosen)
        here = {name: [p for p in pods if p.node == self._node] for name, pods in chosen.items()}
        super().__init__(cluster, here)

    @property
    def spared(self) -> tuple[str, ...]:
        """Those without a pod on the node."""
        return tuple(name for name, pods in self._chosen.items() if not pods)

    def strike(self) -> None:
        """Cordon the node and evict, as long as disruption budgets allow it, or time is up."""
        _cordon(self._cluster, self._node, on=True)
        namespaces = sorted({pod.namespace for pod in self._pods})
        eventually(lambda: not self._evict(namespaces), GOING_SECONDS, every=0.5)

    def heal(self) -> tuple[str, ...]:
        """Open the node again."""
        _cordon(self._cluster, self._node, on=False)
        return ()

    def _evict(self, namespaces: Sequence[str]) -> list[str]:
        """Ask each pod that is left to go; return those that are."""
        left = []
        for namespace in namespaces:
            listed = self._cluster.core.list_namespaced_pod(
                namespace,
                field_selector=f"spec.nodeName={self._node},status.phase=Running",
                _request_timeout=API_SECONDS,
            )
            for pod in listed.items:
                left.append(pod.metadata.name)
                if pod.metadata.deletion_timestamp is None:
                    self._ask_to_go(pod.metadata.name, namespace)
        return left

    def _ask_to_go(self, name: str, namespace: str) -> None:
        body = V1Eviction(metadata=V1ObjectMeta(name=name, namespace=namespace))
        try:
            self._cluster.core.create_namespaced_pod_eviction(
                name, namespace, body, _request_timeout=API_SECONDS
            )
        except ApiException as error:
            # Gone already, or a budget does not allow it yet.
            if error.status not in {HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS}:
                raise


def fullest_node(chosen: Chosen) -> str:
    """Return the node that has pods of most components; of several, the one with most pods."""
    nodes = [pod.node for pods in chosen.values() for pod in pods]
    kinds = [node for pods in chosen.values() for node in {pod.node for pod in pods}]
    return max(nodes, key=lambda node: (kinds.count(node), nodes.count(node)))


MAKERS: Mapping[Deed, Callable[[Cluster, Chosen], Armed]] = {
    Deed.KILL: Kill,
    Deed.FREEZE: Freeze,
    Deed.DELETE: Delete,
    Deed.SCALE: Scale,
    Deed.ROLL: Roll,
    Deed.CUT: Cut,
    Deed.DRAIN: Drain,
}

UNCUT = (
    f"iptables -w -D FORWARD -j {_CHAIN} 2>/dev/null; iptables -w -F {_CHAIN} 2>/dev/null; "
    f"iptables -w -X {_CHAIN} 2>/dev/null; true"
)
#: Prints how many packets the rules have dropped.
_DROPPED = f"iptables -w -nvxL {_CHAIN} | awk 'NR > 2 {{ n += $1 }} END {{ print n + 0 }}'"
#: Says how each process of ``$ids`` is; one that has ended says nothing.
_STATES = (
    "for id in $ids; do sed -n 's/^State:[[:space:]]*\\(.\\).*/\\1/p' /proc/$id/status "
    "2>/dev/null; done; true"
)


def restore(cluster: Cluster, nodes: Sequence[str]) -> None:
    """Put back what an interrupted campaign left: partitions, frozen pods, scales, cordons.

    Of the nodes, none but those named and those with pods of ours are entered; what is stopped
    there and is not ours stays so.
    """
    if cluster.nodes is not None:
        ours = _containers(cluster)
        for node in dict.fromkeys((*nodes, *ours)):
            thaw = f"kill -CONT $({_pids(ours[node])}) 2>/dev/null" if node in ours else "true"
            cluster.nodes.run(node, f"{UNCUT}; {thaw}; true")
    for component in cluster.components:
        restore_scale(cluster, component)
    for listed in cluster.core.list_node(_request_timeout=API_SECONDS).items:
        if CORDONED in (listed.metadata.annotations or {}):
            _cordon(cluster, listed.metadata.name, on=False)


def _containers(cluster: Cluster) -> dict[str, list[str]]:
    """Return the containers of all components, by node."""
    nodes: dict[str, list[str]] = defaultdict(list)
    for component in cluster.components:
        for pod in cluster.pods(component):
            if pod.container_id:
                nodes[pod.node].append(pod.container_id)
    return dict(nodes)


def _pids(containers: Sequence[str]) -> str:
    """Return the script that prints the processes of containers, as their node numbers them."""
    return "; ".join(
        # What it warns of goes to its standard error; what is no number is no process.
        f"ctr -n k8s.io tasks ps {container} 2>/dev/null | awk '$1 + 0 {{ print $1 }}'"
        for container in containers
    )


@patient
def _deployment(cluster: Cluster, component: str) -> Any:
    where = cluster.components[component]
    if where.deployment is None:
        return None
    return cluster.apps.read_namespaced_deployment(
        where.deployment, where.namespace, _request_timeout=API_SECONDS
    )


@patient
def _patch(
    cluster: Cluster, component: str, spec: Mapping[str, Any], note: Mapping[str, Any] | None = None
) -> None:
    where = cluster.components[component]
    body: dict[str, Any] = {"spec": dict(spec)}
    if note is not None:
        body["metadata"] = {"annotations": dict(note)}
    cluster.apps.patch_namespaced_deployment(
        where.deployment, where.namespace, body, _request_timeout=API_SECONDS
    )


def _scale_down(cluster: Cluster, component: str) -> None:
    found = _deployment(cluster, component)
    _patch(cluster, component, {"replicas": 0}, {REPLICAS: str(found.spec.replicas)})


def restore_scale(cluster: Cluster, component: str) -> None:
    """Ask for as many pods as there were before the harness asked for none."""
    found = _deployment(cluster, component)
    noted = (found.metadata.annotations or {}).get(REPLICAS) if found is not None else None
    if noted is not None:
        _patch(cluster, component, {"replicas": int(noted)}, {REPLICAS: None})


def _gone(cluster: Cluster, component: str) -> bool:
    return not cluster.pods(component)


def _rolled(cluster: Cluster, component: str) -> bool:
    found = _deployment(cluster, component)
    wanted, status = found.spec.replicas, found.status
    counts = {status.replicas, status.updated_replicas, status.available_replicas}
    return bool(status.observed_generation >= found.metadata.generation and counts == {wanted})


@patient
def _cordon(cluster: Cluster, node: str, *, on: bool) -> None:
    body = {
        "metadata": {"annotations": {CORDONED: "true" if on else None}},
        "spec": {"unschedulable": True if on else None},
    }
    cluster.core.patch_node(node, body, _request_timeout=API_SECONDS)
