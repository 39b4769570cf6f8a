"""What the nodes' image of the mirror has for kind's own network plug-in: a daemon on each node.

Runs in a pod, with `holdfast_cluster/network.py` beside it as `wiring`. Whenever the cluster's
nodes are others than before, it brings its own node's network up to date. kind's plug-in, kindnetd,
is not to be had where there is no image registry: no Go module proxy serves its module.
"""

import logging
import os
import ssl
import subprocess
import time
import urllib.request
from pathlib import Path

import wiring  # type: ignore[import-not-found]

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
SECONDS = 1.0
LOG = logging.getLogger("network")


def listed() -> str:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    token = (ACCOUNT / "token").read_text()
    request = urllib.request.Request(
        f"https://{host}:{port}/api/v1/nodes", headers={"Authorization": f"Bearer {token}"}
    )
    trusted = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    with urllib.request.urlopen(request, timeout=10, context=trusted) as answer:  # noqa: S310
        return str(answer.read().decode())


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    done = None
    while True:
        try:
            nodes = [node for node in wiring.nodes_of(listed()) if node.pods]
        except OSError as error:
            LOG.info("the API server does not answer: %s", error)
            nodes = []
        mine = [node for node in nodes if node.name == os.environ["NODE"]]
        if mine and nodes != done:
            script = wiring.setup_script(mine[0], nodes)
            subprocess.run(["chroot", "/host", "/bin/sh"], input=script, text=True, check=True)
            LOG.info("%d nodes are connected", len(nodes))
            done = nodes
        time.sleep(SECONDS)


main()
