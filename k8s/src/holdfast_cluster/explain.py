"""What programs say when they fail, and the one line that each deserves."""

from __future__ import annotations

import re
from pathlib import Path

from holdfast_cluster.commands import last_line


def port_taken(port: int) -> str:
    """Return what to do about a port that something else has."""
    return (
        f"Port {port} on 127.0.0.1 is taken: stop what listens there "
        f"(`ss -ltnp 'sport = :{port}'` names it), or choose another with PORT=…."
    )


#: What kind says when it fails, and the way out.
_KIND_FAILURES = (
    (
        r"no space left on device",
        "The disk ran full while the nodes started: free 10 GB and run this again.",
    ),
    (
        r"failed to pull image|manifest unknown|pull access denied",
        (
            "The nodes' image cannot be pulled: check the registry (REGISTRY=… names a mirror), or "
            "say IMAGES=built to build every image here."
        ),
    ),
    (
        r"unable to apply caps|operation not permitted.*(oom_score|rlimit)",
        (
            "This machine gives containers too few capabilities (CAP_SYS_RESOURCE) for its Docker "
            "engine: stop that engine, and this command starts one that does without."
        ),
    ),
    (
        r"too many open files|inotify",
        (
            "The kernel has no more inotify watches for the nodes: raise "
            "fs.inotify.max_user_instances and max_user_watches with sysctl, and run this again."
        ),
    ),
    (
        r"could not find a log line that matches|kubelet is not healthy|timed out",
        (
            "The nodes did not come up in time: check that 4 GB of memory and two cores are free, "
            "and run this again."
        ),
    ),
)
_PORT = re.compile(r"address already in use|port is already allocated", re.IGNORECASE)


def explain_kind(output: str, port: int, log: Path) -> str:
    """Return one line for what kept the nodes from starting."""
    if _PORT.search(output):
        return port_taken(port)
    for pattern, line in _KIND_FAILURES:
        if re.search(pattern, output, re.IGNORECASE):
            return f"{line} (log: {log})"
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
