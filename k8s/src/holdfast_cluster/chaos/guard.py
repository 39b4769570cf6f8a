"""What keeps the suite from hurting anybody who did not ask for it: a label on the namespace."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from kubernetes.client import ApiClient, ApiException, CoreV1Api

from holdfast_chaos.targets.cluster import API_SECONDS
from holdfast_cluster.errors import ClusterError

LABEL = "holdfast.dev/chaos"
ALLOWED = "allowed"


def allowed(client: ApiClient, namespace: str) -> bool:
    """Tell whether a namespace says of itself that it may be hurt; raise if there is none."""
    api: Any = CoreV1Api(client)
    try:
        found = api.read_namespace(namespace, _request_timeout=API_SECONDS)
    except ApiException as error:
        if error.status == HTTPStatus.NOT_FOUND:
            raise ClusterError(f"The cluster has no namespace {namespace}.") from None
        raise
    return (found.metadata.labels or {}).get(LABEL) == ALLOWED


def require(client: ApiClient, namespaces: Sequence[str]) -> None:
    """Refuse, before anything is touched, unless all of them say that they may be hurt."""
    closed = [name for name in dict.fromkeys(namespaces) if not allowed(client, name)]
    if closed:
        raise ClusterError(
            f"Nothing was touched: {_named(closed)} not labelled {LABEL}={ALLOWED}. If everything "
            f"in there may be killed, say so: {command(closed)}"
        )


def command(namespaces: Sequence[str]) -> str:
    """Return what sets the label."""
    return f"kubectl label namespace {' '.join(namespaces)} {LABEL}={ALLOWED}"


def _named(namespaces: Sequence[str]) -> str:
    names = ", ".join(namespaces)
    return f"namespace {names} is" if len(namespaces) == 1 else f"namespaces {names} are"
