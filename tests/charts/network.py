"""Who may open a connection to whom, by the NetworkPolicies alone.

The rules are those of networking.k8s.io/v1: a pod that no policy selects is open; one that some
select may do what any of them allows; a connection needs its source's leave and its target's.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Policy = Mapping[str, Any]


@dataclass(frozen=True)
class End:
    """A pod, or an address outside of the cluster."""

    name: str
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    #: Names of the pod's ports.
    ports: Mapping[str, int] = field(default_factory=dict)
    address: str = ""


def may_connect(
    policies: Iterable[Policy], source: End, target: End, port: int, protocol: str = "TCP"
) -> bool:
    """Tell whether the source may open a connection to that port of the target."""
    policies = list(policies)
    return all(
        _allows(policies, own, other, target, port, protocol, direction)
        for own, other, direction in ((source, target, "Egress"), (target, source, "Ingress"))
    )


def _allows(
    policies: list[Policy],
    own: End,
    other: End,
    target: End,
    port: int,
    protocol: str,
    direction: str,
) -> bool:
    if own.address:
        return True
    mine = [
        one
        for one in policies
        if one["metadata"]["namespace"] == own.namespace
        and direction in one["spec"]["policyTypes"]
        and _selects(one["spec"]["podSelector"], own.labels)
    ]
    if not mine:
        return True
    key, peers = ("egress", "to") if direction == "Egress" else ("ingress", "from")
    return any(
        _has_port(rule.get("ports"), target, port, protocol)
        and _has_peer(rule.get(peers), other, one["metadata"]["namespace"])
        for one in mine
        for rule in one["spec"].get(key) or ()
    )


def _has_port(ports: Any, target: End, port: int, protocol: str) -> bool:
    if not ports:
        return True
    return any(
        one.get("protocol", "TCP") == protocol
        and target.ports.get(one["port"], one["port"]) == port
        for one in ports
    )


def _has_peer(peers: Any, other: End, namespace: str) -> bool:
    return not peers or any(_is_peer(one, other, namespace) for one in peers)


def _is_peer(peer: Mapping[str, Any], other: End, namespace: str) -> bool:
    block = peer.get("ipBlock")
    if block is not None:
        if not other.address:
            return False
        address = ipaddress.ip_address(other.address)
        return _within(address, block["cidr"]) and not any(
            _within(address, one) for one in block.get("except", ())
        )
    if other.address:
        return False
    if "namespaceSelector" in peer:
        labels = {"kubernetes.io/metadata.name": other.namespace}
        if not _selects(peer["namespaceSelector"], labels):
            return False
    elif other.namespace != namespace:
        return False
    return _selects(peer.get("podSelector", {}), other.labels)


def _within(address: ipaddress.IPv4Address | ipaddress.IPv6Address, block: str) -> bool:
    network = ipaddress.ip_network(block)
    return address.version == network.version and address in network


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    if unknown := selector.keys() - {"matchLabels"}:
        message = f"selectors with {unknown} are not evaluated here"
        raise NotImplementedError(message)
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
