"""What an upgrade that ended badly left of a Helm release, and how the next one goes on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from holdfast_cluster.errors import CommandError
from holdfast_cluster.kube import Kube

#: States of a release's last revision: https://helm.sh/docs/helm/helm_status/
_PENDING = frozenset({"pending-install", "pending-upgrade", "pending-rollback"})
_BROKEN = _PENDING | {"failed"}


def settle(helm: Path, kube: Kube, release: str, namespace: str) -> None:
    """Bring a release back to a revision that was deployed, unless its last one is.

    Helm refuses an upgrade while one is pending, for ever if it was killed. And after one that
    failed it compares with the revision before: a field that only the failed one has stays in the
    cluster, whatever the next one says. A rollback compares with the last.
    """
    last, undo = way_back(_history(helm, kube, release, namespace))
    if last not in _BROKEN:
        return
    if undo is not None:
        command: tuple[str | Path, ...] = (helm, "rollback", release, str(undo), "--wait=false")
    elif last in _PENDING:
        command = (helm, "uninstall", release, "--wait")
    else:
        return  # a first install that failed: the next upgrade starts from it
    kube.runner.run((*command, "--namespace", namespace))


def way_back(history: Sequence[tuple[int, str]]) -> tuple[str, int | None]:
    """Return the state of the last revision, and the latest one that was deployed, if any was."""
    good = [number for number, state in history if state in {"deployed", "superseded"}]
    return (history[-1][1] if history else "none"), (good[-1] if good else None)


def _history(helm: Path, kube: Kube, release: str, namespace: str) -> list[tuple[int, str]]:
    """Return a release's revisions with their states, oldest first."""
    command = (helm, "history", release, "--namespace", namespace, "--output", "json")
    try:
        listed = json.loads(kube.runner.run(command))
    except CommandError as error:
        if "release: not found" in error.output:
            return []
        raise
    return [(int(one["revision"]), str(one["status"])) for one in listed]
