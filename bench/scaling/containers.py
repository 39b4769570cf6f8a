"""What each container has used, read on its node from its control group: exact and at once.

Control groups of version 1 and 2 alike. A node is asked for the files once, when its pods stand
still; a reading then starts no more than two processes on it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from holdfast_chaos.targets.nodes import NodeShells

#: Where control groups are mounted, on any Linux.
_ROOT = "/sys/fs/cgroup"
#: Prints a line for each container that runs: its id, its file of CPU time, its folder of memory.
_FIND = f"""
ctr -n k8s.io tasks ls 2>/dev/null | awk '$3 == "RUNNING" {{ print $1, $2 }}' |
while read -r id pid; do
  cpu=$(awk -F: '{{ n = split($2, c, ","); for (i = 1; i <= n; i++)
    if (c[i] == "cpuacct") print $3 }}' /proc/$pid/cgroup)
  memory=$(awk -F: '{{ n = split($2, c, ","); for (i = 1; i <= n; i++)
    if (c[i] == "memory") print $3 }}' /proc/$pid/cgroup)
  if [ -n "$cpu" ]; then
    echo "$id {_ROOT}/cpuacct$cpu/cpuacct.usage {_ROOT}/memory$memory"
  else
    path={_ROOT}$(sed -n 's/^0:://p' /proc/$pid/cgroup)
    echo "$id $path/cpu.stat $path"
  fi
done
"""
#: Prints what a whole node has used, which sees its own group as the root.
_WHOLE = f"head -n 1 {_ROOT}/cpuacct/cpuacct.usage 2>/dev/null || head -n 1 {_ROOT}/cpu.stat"
_NANO, _MICRO, _MIB = 1e-9, 1e-6, 2**20


class MissingContainerError(Exception):
    """A container is not on its node; the text says which."""


@dataclass(frozen=True)
class Container:
    """A container of a component's pod."""

    component: str
    node: str
    container_id: str


@dataclass(frozen=True)
class _Files:
    cpu: str
    memory: str


class Containers:
    """The containers of components, as long as none of them is replaced."""

    def __init__(self, shells: NodeShells, containers: Iterable[Container]) -> None:
        """Find every container's files; raise ``MissingContainerError`` if one has none."""
        self._shells = shells
        self._of_nodes: dict[str, list[tuple[Container, _Files]]] = defaultdict(list)
        found: dict[str, dict[str, _Files]] = {}
        for container in containers:
            node = container.node
            if node not in found:
                found[node] = found_files(shells.run(node, _FIND))
            files = found[node].get(container.container_id)
            if files is None:
                raise MissingContainerError(f"{container.component} is not on {node}")
            self._of_nodes[node].append((container, files))

    @property
    def all(self) -> list[Container]:
        """All of them."""
        return [container for found in self._of_nodes.values() for container, _ in found]

    def cpu_seconds(self) -> dict[Container, float]:
        """Return the CPU time that each container has used."""
        used = {}
        for node, containers in self._of_nodes.items():
            names = " ".join(files.cpu for _, files in containers)
            lines = self._shells.run(
                node, f'for file in {names}; do read -r line < "$file"; echo "$line"; done'
            ).splitlines()
            for (container, _), line in zip(containers, lines, strict=True):
                used[container] = seconds(line)
        return used

    def node_seconds(self, nodes: Iterable[str]) -> float:
        """Return the CPU time that whole nodes have used, whatever is on them."""
        return sum(seconds(self._shells.run(node, _WHOLE).strip()) for node in nodes)

    def memory_mib(self) -> dict[Container, float]:
        """Return each container's working set: what it has, less what could go at once."""
        sizes = {}
        for node, containers in self._of_nodes.items():
            for container, files in containers:
                script = (
                    f"cd {files.memory} && cat memory.usage_in_bytes memory.current 2>/dev/null;"
                    " awk '/^(total_)?inactive_file / { print $1, $2 }' memory.stat"
                )
                sizes[container] = working_set(self._shells.run(node, script))
        return sizes


def found_files(listed: str) -> dict[str, _Files]:
    """Return where the files of each container are, from what the node printed."""
    return {line.split()[0]: _Files(*line.split()[1:]) for line in listed.splitlines() if line}


def seconds(line: str) -> float:
    """Return the CPU time that the first line of a control group's file tells."""
    name, _, value = line.partition(" ")
    return int(value) * _MICRO if name == "usage_usec" else int(line) * _NANO


def working_set(told: str) -> float:
    """Return MiB, from the size in use and the lines of ``memory.stat`` that tell the idle cache.

    Version 1 tells the group's own, and then the sum with all groups below; the sum counts.
    """
    lines = told.split("\n")
    idle = {name: int(value) for name, _, value in (line.partition(" ") for line in lines) if value}
    cache = idle.get("total_inactive_file", idle.get("inactive_file", 0))
    return max(0, int(lines[0]) - cache) / _MIB


def summed(used: Mapping[Container, float]) -> dict[str, float]:
    """Return the sum of each component."""
    total: dict[str, float] = defaultdict(float)
    for container, value in used.items():
        total[container.component] += value
    return dict(total)


def highest(used: Mapping[Container, float]) -> dict[str, float]:
    """Return the highest of each component's pods."""
    most: dict[str, float] = defaultdict(float)
    for container, value in used.items():
        most[container.component] = max(most[container.component], value)
    return dict(most)
