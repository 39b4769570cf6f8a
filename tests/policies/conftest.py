"""The cluster that `make cluster deploy` made, and a pod in it that may not do what it tries."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from holdfast_local import toolchain
from tests.support.clone import ROOT

NAMESPACE = "holdfast"


@dataclass(frozen=True)
class Cluster:
    """kubectl and Helm, in the cluster's own configuration and never the user's."""

    kubeconfig: Path

    def run(
        self, program: str, *arguments: str, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        tool = toolchain.ensure_tools([program])[program]
        return subprocess.run(
            [str(tool), "--kubeconfig", str(self.kubeconfig), "-n", NAMESPACE, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        done = self.run("kubectl", *arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, *arguments: str) -> Any:
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def pod_of(self, selector: str) -> str:
        """Return the name of a pod that is ready."""
        pods = self.get("pods", "-l", selector)["items"]
        ready = [
            pod["metadata"]["name"]
            for pod in pods
            if "deletionTimestamp" not in pod["metadata"]
            and all(one["ready"] for one in pod["status"]["containerStatuses"])
        ]
        assert ready, f"no pod of {selector} is ready"
        return str(ready[0])

    def python(self, selector: str, container: str, program: str) -> Any:
        """Run a program in a container, in its own Python, and return what it prints as JSON."""
        pod = self.pod_of(selector)
        printed = self.kubectl(
            "exec", "-i", pod, "-c", container, "--", "python", "-", stdin=program
        )
        return json.loads(printed.splitlines()[-1])


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    name = os.environ.get("CLUSTER", "holdfast")
    found = Cluster(ROOT / ".run" / "cluster" / name / "kubeconfig")
    assert found.kubeconfig.exists(), "these tests need a cluster: make cluster deploy"
    return found


#: What the pod is: restricted, with a sidecar of its own, and not one of Holdfast's services.
INTRUDER = """
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: intruder-store}
spec:
  type: state.postgresql
  version: v2
  metadata:
    - {name: connectionString, secretKeyRef: {name: holdfast-dapr-database, key: connectionString}}
    - {name: tablePrefix, value: "dapr."}
    - {name: metadataTableName, value: "dapr.metadata"}
    - {name: actorStateStore, value: "true"}
scopes: [intruder]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: intruder}
spec:
  podSelector: {matchLabels: {app: intruder}}
  policyTypes: [Egress]
  egress: [{}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: intruder}
spec:
  selector: {matchLabels: {app: intruder}}
  template:
    metadata:
      labels: {app: intruder}
      annotations:
        dapr.io/enabled: "true"
        dapr.io/app-id: intruder
        dapr.io/config: holdfast
        dapr.io/enable-native-sidecar: "true"
        dapr.io/sidecar-seccomp-profile-type: RuntimeDefault
        dapr.io/api-token-secret: holdfast-dapr-api-token
        dapr.io/disable-builtin-k8s-secret-store: "true"
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: 1
      securityContext:
        runAsNonRoot: true
        runAsUser: 10001
        seccompProfile: {type: RuntimeDefault}
      containers:
        - name: intruder
          image: IMAGE
          command: [python, -c, "import time; time.sleep(100000)"]
          env:
            - name: DAPR_API_TOKEN
              valueFrom: {secretKeyRef: {name: holdfast-dapr-api-token, key: token}}
          securityContext:
            allowPrivilegeEscalation: false
            capabilities: {drop: [ALL]}
            readOnlyRootFilesystem: true
          volumeMounts: [{name: tmp, mountPath: /tmp}]
      volumes: [{name: tmp, emptyDir: {}}]
"""


@pytest.fixture(scope="session")
def intruder(cluster: Cluster) -> Iterator[str]:
    """Return the selector of a pod in our namespace that has all but our names."""
    services = cluster.get("deployment", "orchestrator")["spec"]["template"]["spec"]
    text = INTRUDER.replace("IMAGE", services["containers"][0]["image"])
    documents = [
        {**one, "metadata": {**one["metadata"], "namespace": NAMESPACE}}
        for one in yaml.safe_load_all(text)
    ]
    manifest = yaml.safe_dump_all(documents)
    try:
        cluster.kubectl("apply", "-f", "-", stdin=manifest)
        cluster.kubectl("rollout", "status", "deployment/intruder", "--timeout=120s")
        yield "app=intruder"
    finally:
        cluster.run("kubectl", "delete", "--ignore-not-found", "-f", "-", stdin=manifest)
