"""What the nodes' image of the mirror has for kind's own network plug-in: a daemon on each node.

Runs in a pod, with `holdfast_cluster/network.py` beside it as `wiring`. Whenever the cluster's
nodes are others than before, it brings its own node's network up to date. kind's plug-in, kindnetd,
is not to be had where there is no image registry: no Go module proxy serves its module.
"""

import json
import logging
import os
import ssl
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import wiring  # type: ignore[import-not-found]

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
#: The API server ends a watch after so long, and the nodes are listed anew.
WATCH_SECONDS = 60
LOG = logging.getLogger("network")


def ask(query: str = "") -> Any:
    """Ask for the nodes; if nobody answers the program ends, and the kubelet starts it again."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    token = (ACCOUNT / "token").read_text()
    request = urllib.request.Request(
        f"https://{host}:{port}/api/v1/nodes{query}", headers={"Authorization": f"Bearer {token}"}
    )
    trusted = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    return urllib.request.urlopen(request, timeout=2 * WATCH_SECONDS, context=trusted)  # noqa: S310


def wait_for_change(listed: str) -> None:
    """Return when something has happened to a node since they were listed, or the watch ends."""
    version = json.loads(listed)["metadata"]["resourceVersion"]
    query = f"?watch=true&resourceVersion={version}&timeoutSeconds={WATCH_SECONDS}"
    with ask(query) as events:
        events.readline()


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    done = None
    while True:
        with ask() as answer:
            listed = answer.read().decode()
        nodes = [node for node in wiring.nodes_of(listed) if node.pods]
        mine = [node for node in nodes if node.name == os.environ["NODE"]]
        if mine and nodes != done:
            script = wiring.setup_script(mine[0], nodes)
            subprocess.run(["chroot", "/host", "/bin/sh"], input=script, text=True, check=True)
            LOG.info("%d nodes are connected", len(nodes))
            done = nodes
        wait_for_change(listed)


main()
