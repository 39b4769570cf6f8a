"""The pods' network where no image of a network plug-in can be had: point to point and routes.

Each node gives its pods addresses of its own range, reaches the other nodes' ranges through their
addresses, and hides what leaves for the world behind its own. A unit of the node's does so at each
boot, for routes and rules do not outlive it. Nothing here enforces NetworkPolicies.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

PODS = "10.244.0.0/16"
#: kind's own default.
SERVICES = "10.96.0.0/16"
_UNIT = """\
[Unit]
Description=Routes to the other nodes' pods
Before=kubelet.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh /etc/holdfast-network.sh

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Node:
    """A node, its own address, and the range that its pods have."""

    name: str
    address: str
    pods: str


def conflist(node: Node) -> str:
    """Return the configuration of a node's network plug-ins."""
    ipam = {
        "type": "host-local",
        "dataDir": "/run/cni-ipam-state",
        "routes": [{"dst": "0.0.0.0/0"}],
        "ranges": [[{"subnet": node.pods}]],
    }
    plugins = [
        {"type": "ptp", "ipMasq": False, "ipam": ipam, "mtu": 1500},
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ]
    return json.dumps({"cniVersion": "0.4.0", "name": "holdfast", "plugins": plugins}, indent=2)


def route_script(node: Node, nodes: Sequence[Node]) -> str:
    """Return what a node does at its start; it may do so again."""
    routes = [f"ip route replace {one.pods} via {one.address}" for one in nodes if one != node]
    rules = [
        f"-t nat {{}} POSTROUTING -s {PODS} ! -d {PODS} -j MASQUERADE",
        # What kube-proxy has not sent elsewhere by now has no service to go to. Outside of the
        # cluster some stranger might answer, and a connection to it would be kept for good.
        f"{{}} OUTPUT -d {SERVICES} -j REJECT",
        f"{{}} FORWARD -d {SERVICES} -j REJECT",
    ]
    filters = [
        f"iptables {rule.format('-C')} 2>/dev/null || iptables {rule.format('-A')}"
        for rule in rules
    ]
    return "\n".join(("set -e", *routes, *filters)) + "\n"


def setup_script(node: Node, nodes: Sequence[Node]) -> str:
    """Return the shell script that brings a running node to this."""
    files = {
        "/etc/cni/net.d/10-holdfast.conflist": conflist(node) + "\n",
        "/etc/holdfast-network.sh": route_script(node, nodes),
        "/etc/systemd/system/holdfast-network.service": _UNIT,
    }
    written = [f"cat > {path} <<'HOLDFAST'\n{text}HOLDFAST\n" for path, text in files.items()]
    run = "systemctl daemon-reload\nsystemctl enable holdfast-network.service\n"
    return "set -e\n" + "".join(written) + run + "systemctl restart holdfast-network.service\n"


def nodes_of(listed: str) -> list[Node]:
    """Return the nodes of ``kubectl get nodes -o json``."""
    return [
        Node(
            name=item["metadata"]["name"],
            address=next(
                one["address"] for one in item["status"]["addresses"] if one["type"] == "InternalIP"
            ),
            pods=item["spec"].get("podCIDR", ""),
        )
        for item in json.loads(listed)["items"]
    ]
