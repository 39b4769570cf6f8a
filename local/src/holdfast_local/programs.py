"""The nine processes of a stack: what runs, with which settings."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from holdfast_local.folders import StackFolder
from holdfast_local.identity import SERVICES, Identity
from holdfast_local.postgres import DATABASE, Cluster
from holdfast_local.processes import MARKER
from holdfast_local.supervision import Program

SIDECARS = tuple(f"{service}-sidecar" for service in SERVICES)
INFRASTRUCTURE = ("placement", "scheduler")
#: In the order of the first start; a restart needs no order.
NAMES = ("postgres", *INFRASTRUCTURE, *SERVICES, *SIDECARS)

#: The services that own tables, in the order in which they migrate.
MIGRATING = ("activity-worker", "status-api")

_LOOPBACK = "127.0.0.1"
_DATABASE_ROLES = {"activity-worker": "worker", "status-api": "status"}
#: The apps that have workflow actors. The status API's sidecar only hands calls on.
_WORKFLOW_APPS = ("orchestrator", "activity-worker")


@dataclass(frozen=True)
class Plan:
    """Everything that decides what the processes of a stack are."""

    folder: StackFolder
    identity: Identity
    ports: Mapping[str, int]
    cluster: Cluster
    binaries: Mapping[str, Path]
    #: Settings of services on top of the stack's own, by service.
    service_env: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    #: What runs in place of a service, by service: a variant of it for a test.
    commands: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def programs(self) -> list[Program]:
        """Give every process, in the order of ``NAMES``."""
        return [
            self._postgres(),
            self._placement(),
            self._scheduler(),
            *(self._service(name) for name in SERVICES),
            *(self._sidecar(name) for name in SERVICES),
        ]

    def url(self, service: str) -> str:
        """Give where a service listens."""
        return f"http://{_LOOPBACK}:{self.ports[service]}"

    def sidecar_ports(self, service: str) -> dict[str, int]:
        """Give the ports on which a service's sidecar can be spoken to."""
        return {
            f"{kind}_port": self.ports[f"{service}-sidecar-{kind}"]
            for kind in ("http", "grpc", "metrics")
        }

    def dapr_connection(self) -> str:
        """Give the connection string of Dapr's state store."""
        return (
            f"host={_LOOPBACK} port={self.cluster.port} user=holdfast_dapr "
            f"password={self.identity.secrets.dapr} database={DATABASE} connect_timeout=5"
        )

    def migration_environment(self, service: str) -> dict[str, str]:
        """Give what a service's migration runs with: its own settings and the owner's role."""
        return {
            **self._service_environment(service),
            "HOLDFAST_MIGRATION_DATABASE_URL": self._database_url("owner"),
        }

    def _postgres(self) -> Program:
        return Program(
            "postgres",
            self.cluster.command,
            {MARKER: self.folder.marker},
            account=self.cluster.account,
            stop_signal="INT",  # disconnect the clients, write all down, end
            signals_as_group=False,  # to its children INT means: cancel the statement
        )

    def _placement(self) -> Program:
        name = "dapr-placement-0"
        return self._dapr(
            "placement",
            f"--id={name}",
            f"--initial-cluster={name}={self._at('placement-raft')}",
            f"--port={self.ports['placement']}",
            f"--listen-address={_LOOPBACK}",
            f"--healthz-port={self.ports['placement-healthz']}",
            f"--healthz-listen-address={_LOOPBACK}",
            f"--metrics-port={self.ports['placement-metrics']}",
            f"--metrics-listen-address={_LOOPBACK}",
        )

    def _scheduler(self) -> Program:
        name = "dapr-scheduler-server-0"
        return self._dapr(
            "scheduler",
            f"--id={name}",
            f"--port={self.ports['scheduler']}",
            f"--listen-address={_LOOPBACK}",
            f"--override-broadcast-host-port={self._at('scheduler')}",
            f"--healthz-port={self.ports['scheduler-healthz']}",
            f"--healthz-listen-address={_LOOPBACK}",
            f"--metrics-port={self.ports['scheduler-metrics']}",
            f"--metrics-listen-address={_LOOPBACK}",
            f"--etcd-data-dir={self.folder.scheduler}",
            f"--etcd-client-port={self.ports['scheduler-etcd-client']}",
            f"--etcd-client-listen-address={_LOOPBACK}",
            f"--etcd-initial-cluster={name}=http://{self._at('scheduler-etcd-peer')}",
        )

    def _sidecar(self, service: str) -> Program:
        name = f"{service}-sidecar"
        arguments = [
            f"--app-id={self.identity.app_ids[service]}",
            f"--config={self.folder.configuration}",
            f"--resources-path={self.folder.components}",
            f"--dapr-listen-addresses={_LOOPBACK}",
            f"--dapr-http-port={self.ports[f'{name}-http']}",
            f"--dapr-grpc-port={self.ports[f'{name}-grpc']}",
            f"--dapr-internal-grpc-port={self.ports[f'{name}-internal']}",
            f"--dapr-internal-grpc-listen-address={_LOOPBACK}",
            f"--metrics-port={self.ports[f'{name}-metrics']}",
            f"--metrics-listen-address={_LOOPBACK}",
        ]
        environment = {"DAPR_HOST_IP": _LOOPBACK}
        if service in _WORKFLOW_APPS:
            arguments += [
                f"--placement-host-address={self._at('placement')}",
                f"--scheduler-host-address={self._at('scheduler')}",
            ]
        if service == "orchestrator":
            # daprd opens its own ports, and the workflow API on them, before it waits for the
            # app's: the two can start in any order.
            arguments += [f"--app-port={self.ports[service]}", "--app-protocol=http"]
            environment["APP_API_TOKEN"] = self.identity.secrets.app_token
        return self._dapr("daprd", *arguments, name=name, environment=environment)

    def _service(self, service: str) -> Program:
        return Program(
            service,
            [*self.commands.get(service, (sys.executable, "-m", module(service), "serve"))],
            self._service_environment(service),
        )

    def _dapr(
        self,
        binary: str,
        *arguments: str,
        name: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Program:
        return Program(
            name or binary,
            [str(self.binaries[binary]), *arguments],
            {MARKER: self.folder.marker, **(environment or {})},
        )

    def _service_environment(self, service: str) -> dict[str, str]:
        app_ids = self.identity.app_ids
        environment = {
            MARKER: self.folder.marker,
            "PYTHONUNBUFFERED": "1",
            "HOLDFAST_APP_ID": app_ids[service],
            "HOLDFAST_ORCHESTRATOR_APP_ID": app_ids["orchestrator"],
            "HOLDFAST_WORKER_APP_ID": app_ids["activity-worker"],
            "HOLDFAST_HOST": _LOOPBACK,
            "HOLDFAST_PORT": str(self.ports[service]),
            "HOLDFAST_POD": service,
            "DAPR_HTTP_PORT": str(self.ports[f"{service}-sidecar-http"]),
            "DAPR_GRPC_PORT": str(self.ports[f"{service}-sidecar-grpc"]),
        }
        if service in _DATABASE_ROLES:
            environment["HOLDFAST_DATABASE_URL"] = self._database_url(_DATABASE_ROLES[service])
        if service == "orchestrator":
            environment["APP_API_TOKEN"] = self.identity.secrets.app_token
        if service == "activity-worker":
            environment["HOLDFAST_JOB_HOSTS"] = "127.0.0.1,localhost"
        if service == "status-api":
            environment["PROMETHEUS_MULTIPROC_DIR"] = str(self.folder.metrics)
            environment["HOLDFAST_WEBHOOK_ALLOW_LOOPBACK"] = "true"
            environment["HOLDFAST_TOKENS_FILE"] = str(self.folder.token_hashes)
        return {**environment, **self.service_env.get(service, {})}

    def _database_url(self, role: str) -> str:
        password = getattr(self.identity.secrets, role)
        return (
            f"postgresql+psycopg://holdfast_{role}:{password}"
            f"@{_LOOPBACK}:{self.cluster.port}/{DATABASE}"
        )

    def _at(self, port: str) -> str:
        return f"{_LOOPBACK}:{self.ports[port]}"


def module(service: str) -> str:
    """Give the Python module of a service."""
    return f"holdfast_{service.replace('-', '_')}"
