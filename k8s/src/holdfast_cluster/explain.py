"""What programs say when they fail, and the one line that each deserves."""

from __future__ import annotations

import re
from pathlib import Path

from holdfast_cluster.commands import last_line

_PORT = re.compile(r"address already in use|port is already allocated", re.IGNORECASE)
_DISK = re.compile(r"no space left on device", re.IGNORECASE)
_PULL = re.compile(r"failed to pull image|manifest unknown|pull access denied", re.IGNORECASE)
_CAPS = re.compile(
    r"unable to apply caps|operation not permitted.*(oom_score|rlimit)", re.IGNORECASE
)
_INOTIFY = re.compile(r"too many open files|inotify", re.IGNORECASE)
_READY = re.compile(r"could not find a log line that matches|kubelet is not healthy|timed out")


def port_taken(port: int) -> str:
    """Return what to do about a port that something else has."""
    return (
        f"Port {port} on 127.0.0.1 is taken: stop what listens there "
        f"(`ss -ltnp 'sport = :{port}'` names it), or choose another with PORT=…."
    )


def explain_kind(output: str, port: int, log: Path) -> str:
    """Return one line for what kept the nodes from starting."""
    if _PORT.search(output):
        return port_taken(port)
    if _DISK.search(output):
        return "The disk ran full while the nodes started: free 10 GB and run this again."
    if _PULL.search(output):
        return (
            "The nodes' image cannot be pulled: check the registry (REGISTRY=… names a mirror), "
            "or say IMAGES=built to build every image here."
        )
    if _CAPS.search(output):
        return (
            "This machine gives containers too few capabilities (CAP_SYS_RESOURCE) for its Docker "
            "engine: stop that engine, and this command starts one that does without."
        )
    if _INOTIFY.search(output):
        return (
            "The kernel has no more inotify watches for the nodes: raise "
            "fs.inotify.max_user_instances and max_user_watches with sysctl, and run this again."
        )
    if _READY.search(output):
        return (
            f"The nodes did not come up in time: check that 4 GB of memory and two cores are free, "
            f"and run this again (log: {log})."
        )
    return f"The nodes cannot be started: {last_line(output)} (log: {log})"


def explain_helm(output: str, name: str, log: Path) -> str:
    """Return one line for what kept a chart from being installed."""
    if "another operation (install/upgrade/rollback) is in progress" in output:
        return (
            f"An interrupted command left {name}'s release half changed: "
            f"`helm rollback {name}` or `helm uninstall {name}`, and run this again."
        )
    if "context deadline exceeded" in output or "timed out waiting" in output:
        return (
            f"{name} was installed and is not ready in time: `kubectl get pods -A` shows which pod "
            f"is not (log: {log})."
        )
    if "values don't meet the specifications" in output:
        return f"{name}'s values are not what its schema allows: {last_line(output)}"
    return f"{name} cannot be installed: {last_line(output)} (log: {log})"
