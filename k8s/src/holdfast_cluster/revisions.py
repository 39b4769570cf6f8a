"""What an upgrade that ended badly left of a Helm release, and how the next one goes on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from holdfast_cluster.errors import CommandError
from holdfast_cluster.kube import Kube

#: States of a release's last revision: https://helm.sh/docs/helm/helm_status/
_PENDING = frozenset({"pending-install", "pending-upgrade", "pending-rollback"})
_BROKEN = _PENDING | {"failed"}


class Way(StrEnum):
    """What has to be done before an upgrade."""

    NOTHING = "nothing"
    #: Write down the last revision as a deployed one.
    CONFIRM = "confirm"
    #: Nothing of it has ever been whole.
    UNINSTALL = "uninstall"


def settle(helm: Path, kube: Kube, release: str, namespace: str) -> None:
    """Have a release whose last upgrade ended badly start its next from what is in the cluster.

    Helm refuses an upgrade while one is pending, for ever if it was killed. And after one that
    failed it compares with the revision before: a field that only the failed one has stays in the
    cluster, whatever the next one says. A rollback to the last revision itself leaves the workloads
    as they are, with the runs that they began, and is what the next upgrade compares with.
    """
    history = _history(helm, kube, release, namespace)
    way = way_on([state for _, state in history])
    if way is Way.NOTHING:
        return
    command: tuple[str | Path, ...] = (helm, "uninstall", release, "--wait")
    if way is Way.CONFIRM:
        last = str(history[-1][0])
        command = (helm, "rollback", release, last, "--wait=false", "--no-hooks")
    kube.runner.run((*command, "--namespace", namespace))


def way_on(states: Sequence[str]) -> Way:
    """Return what has to be done, from the states of all revisions, oldest first."""
    if not states:
        return Way.NOTHING
    if states[-1] == "uninstalling" or set(states) == {"pending-install"}:
        return Way.UNINSTALL
    if states[-1] not in _BROKEN or states == ["failed"]:
        return Way.NOTHING  # an upgrade starts from a first install that failed
    return Way.CONFIRM


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
