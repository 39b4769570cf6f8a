"""Two nodes of a cluster with real shells and real processes; engine and packet filter are ours."""

from __future__ import annotations

import copy
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from holdfast_chaos.catalogue import ORCHESTRATOR, WORKER
from holdfast_chaos.targets import Armed
from holdfast_chaos.targets.cluster import Cluster, Component
from holdfast_chaos.targets.deeds import MAKERS
from holdfast_chaos.targets.nodes import NodeShells
from holdfast_chaos.world import Deed
from tests.unit.cluster.fake_cluster import FakeCluster

NODES = ("n1", "n2")
COMPONENTS = {
    ORCHESTRATOR: Component("team", f"app={ORCHESTRATOR}", "main", deployment=ORCHESTRATOR),
    WORKER: Component("team", f"app={WORKER}", "main", deployment=WORKER),
    "postgresql": Component("data", "app=postgresql", "main"),
}
DEPLOYMENTS = "/apis/apps/v1/namespaces/team/deployments"
#: Another's rule; the harness has to leave it where it is.
FORWARD = "-j KUBE-FORWARD\n"
#: containerd's client: what runs in a container is in a file of its name.
_CTR = """\
#!/bin/sh
[ "$1 $2 $3 $4" = "-n k8s.io tasks ps" ] && cat "$HERE/tasks/$5"
"""
#: A chain is a file with its rules. As the real one, it refuses what does not fit what is there.
_IPTABLES = """\
#!/bin/sh
set -e
[ "$1" = -w ]
command=$2 chain=$3
shift 3
cd "$HERE/chains"
case "$command" in
  -N) [ ! -e "$chain" ]; : > "$chain" ;;
  -A) [ -e "$chain" ]; echo "$*" >> "$chain" ;;
  -I) shift; { echo "$*"; cat "$chain"; } > ../new; mv ../new "$chain" ;;
  -D) grep -qx -e "$*" "$chain"; grep -vx -e "$*" "$chain" > ../new; mv ../new "$chain" ;;
  -F) [ -e "$chain" ]; : > "$chain" ;;
  -X) [ -e "$chain" ]; [ ! -s "$chain" ]; ! grep -q -e "$chain" FORWARD; rm "$chain" ;;
  -nvxL) echo "Chain $chain"; echo "pkts bytes"; sed "s/^/$(cat ../packets) 0 /" "$chain" ;;
  *) exit 2 ;;
esac
"""


@dataclass
class Place:
    """The nodes with all that is on them, and the API server that knows of it."""

    api: FakeCluster
    folder: Path
    entered: list[str] = field(default_factory=list)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    opened: list[NodeShells] = field(default_factory=list)

    def build(self) -> None:
        for name, text in (("ctr", _CTR), ("iptables", _IPTABLES)):
            program = self.folder / "bin" / name
            program.parent.mkdir(exist_ok=True)
            program.write_text(text)
            program.chmod(0o755)
        for node in NODES:
            for below in ("tasks", "chains"):
                (self.folder / node / below).mkdir(parents=True)
            (self.folder / node / "chains" / "FORWARD").write_text(FORWARD)
            self.packets(node, 0)
            self.api.objects[f"/api/v1/nodes/{node}"] = {
                "metadata": {"name": node, "annotations": {}},
                "spec": {},
            }
        for name in (ORCHESTRATOR, WORKER):
            pods = {"metadata": {}, "spec": {"containers": [{"name": "main", "image": "x"}]}}
            self.api.objects[f"{DEPLOYMENTS}/{name}"] = {
                "metadata": {"name": name, "generation": 1, "annotations": {}},
                "spec": {"replicas": 3, "selector": {}, "template": pods},
                "status": {},
            }
        self.api.objects["/apis/batch/v1/namespaces/team/jobs"] = {"items": []}

    def pod(self, component: str, node: str, address: str) -> subprocess.Popen[bytes]:
        """Add a pod of a component to a node; return the process that runs in it."""
        where = COMPONENTS[component]
        name = f"{component}-{node}"
        self.api.objects[f"/api/v1/namespaces/{where.namespace}/pods/{name}"] = {
            "metadata": {
                "name": name,
                "namespace": where.namespace,
                "uid": name,
                "labels": {"app": component},
            },
            "spec": {"nodeName": node, "containers": [{"name": "main"}]},
            "status": {
                "phase": "Running",
                "podIP": address,
                "containerStatuses": [
                    {
                        "name": "main",
                        "image": "x",
                        "imageID": "x",
                        "ready": True,
                        "restartCount": 0,
                        "containerID": f"containerd://{name}",
                        "state": {"running": {}},
                    }
                ],
            },
        }
        process = self.process()
        task = self.folder / node / "tasks" / name
        task.write_text(f"PID    INFO\n{process.pid}    -\n")
        return process

    def process(self) -> subprocess.Popen[bytes]:
        """Start a process that does nothing."""
        process = subprocess.Popen(["/bin/sleep", "300"])
        self.processes.append(process)
        return process

    def packets(self, node: str, count: int) -> None:
        """Have every rule of a node seen so many packets."""
        (self.folder / node / "packets").write_text(f"{count}\n")

    def pods(self) -> set[str]:
        """Return the names of the pods that are there."""
        return {path.rpartition("/")[2] for path in self.api.objects if "/pods/" in path}

    def chains(self, node: str) -> dict[str, str]:
        """Return a node's packet filter: each chain with its rules."""
        return {one.name: one.read_text() for one in (self.folder / node / "chains").iterdir()}

    def deployment(self, name: str) -> dict[str, Any]:
        """Return a Deployment as the API server has it."""
        found: dict[str, Any] = self.api.objects[f"{DEPLOYMENTS}/{name}"]
        return found

    def node(self, name: str) -> dict[str, Any]:
        """Return a node as the API server has it."""
        found: dict[str, Any] = self.api.objects[f"/api/v1/nodes/{name}"]
        return found

    def cluster(self, *, shells: bool = True) -> Cluster:
        """Give the cluster as a command sees it that has just begun."""
        nodes = NodeShells(self._shell) if shells else None
        if nodes is not None:
            self.opened.append(nodes)
        return Cluster(self.api.client, COMPONENTS, nodes)

    def arm(self, deed: Deed, *components: str) -> Armed:
        """Prepare a deed to all pods of some components."""
        cluster = self.cluster()
        return MAKERS[deed](cluster, {name: cluster.pods(name) for name in components})

    def state(self) -> dict[str, Any]:
        """Return all that an interrupted suite may leave changed."""
        kept = {name: one for name, one in self.api.objects.items() if "/pods/" not in name}
        return {
            **copy.deepcopy(kept),
            "packet filters": {node: self.chains(node) for node in NODES},
            "stopped": [status(one) == psutil.STATUS_STOPPED for one in self.processes],
        }

    def close(self) -> None:
        """End all that was started."""
        for shells in self.opened:
            shells.close()
        for process in self.processes:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()

    def _shell(self, node: str) -> Sequence[str]:
        self.entered.append(node)
        path = f"{self.folder / 'bin'}:/usr/bin:/bin"
        return ("/usr/bin/env", f"HERE={self.folder / node}", f"PATH={path}", "/bin/sh")


def status(process: subprocess.Popen[bytes]) -> str:
    """Return how a process is, as the kernel says."""
    return psutil.Process(process.pid).status()
