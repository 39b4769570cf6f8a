"""Pods as a target: found, identified and waited for through the API server."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from holdfast_chaos.targets import Armed, TargetNotReadyError
from holdfast_chaos.targets.cluster import Cluster
from holdfast_chaos.targets.deeds import MAKERS
from holdfast_chaos.waiting import last_problem
from holdfast_chaos.world import Deed


class Pods:
    """Holdfast's and Dapr's pods in a cluster."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        """Take the cluster as it is now: as many pods as there are now make a component whole."""
        self._cluster = cluster
        self._name = name
        self._whole = {component: len(cluster.pods(component)) for component in cluster.components}

    @property
    def name(self) -> str:
        """What the certificate calls the target."""
        return self._name

    def components(self) -> Sequence[str]:
        """Return the names of everything that can be struck."""
        return tuple(name for name, count in self._whole.items() if count)

    def deeds(self) -> frozenset[Deed]:
        """Return what can be done here: without shells on the nodes, what the API server can."""
        by_api = frozenset({Deed.DELETE, Deed.SCALE, Deed.ROLL, Deed.DRAIN})
        return frozenset(Deed) if self._cluster.nodes is not None else by_api

    def identity(self, component: str) -> str | None:
        """Return all pods with their UIDs and restart counts, or none while there is none."""
        pods = self._cluster.pods(component)
        return ", ".join(pod.identity for pod in pods if pod.container_id) or None

    def sessions(self, component: str) -> str | None:
        """Return the prefix of the component's database session names; none: it has none."""
        return self._cluster.components[component].sessions

    def arm(
        self,
        deed: Deed,
        components: Sequence[str],
        *,
        one: bool = False,
        prefer: Sequence[str] = (),
    ) -> Armed:
        """Prepare a deed: to all pods of the components, or to ``one`` of each."""
        pods = {
            component: self._cluster.choose(component, one=one, prefer=prefer)
            for component in components
        }
        return MAKERS[deed](self._cluster, pods)

    def wait_ready(self, components: Sequence[str], seconds: float) -> None:
        """Return when every component has all its pods and they are ready."""
        deadline = time.monotonic() + seconds
        for component in components:
            left = max(0.1, deadline - time.monotonic())
            last = last_problem(partial(self._unready, component), left)
            if last is not None:
                raise TargetNotReadyError(f"{component} after {seconds:.0f} s: {last}")

    def _unready(self, component: str) -> str | None:
        pods = self._cluster.pods(component)
        ready = [pod for pod in pods if pod.ready]
        whole = self._whole[component]
        if len(pods) == whole == len(ready):
            return None
        return f"{len(ready)} pods of {whole} are ready: {[pod.identity for pod in pods]}"
