"""Dapr Workflow as its samples use it, and split into two apps as Holdfast splits it."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from typing import ClassVar

import yaml

from bench.contestants.base import Contestant
from bench.ports import free_ports
from bench.processes import Driver, driver, until
from holdfast_local import toolchain
from holdfast_local.toolchain_sources import DAPR
from holdfast_servicekit.sidecar import Sidecar

_LOOPBACK = "127.0.0.1"
_READY_SECONDS = 60


class DaprSample(Contestant):
    """One app with workflows and activities, one sidecar, every setting at its default."""

    #: A parent of more can lock its sidecar up for good (hazard 12 of docs/hazards.md).
    most_items: ClassVar = 1_000
    name: ClassVar = "dapr-sample"
    title: ClassVar = "Dapr, sample shape"
    durability: ClassVar = "as Holdfast's: the same PostgreSQL, etcd syncs each commit"
    #: What an app has, and its app-id.
    apps: ClassVar[dict[str, tuple[str, ...]]] = {"sample": ("workflows", "activities")}
    #: Settings of the state store besides what it cannot do without.
    store: ClassVar[dict[str, str]] = {}
    threads: ClassVar[str] = ""

    def prepare(self) -> None:
        """Build Dapr, make an empty database."""
        toolchain.ensure_dapr()
        self.ground.fresh_database(self._database)

    @property
    def _database(self) -> str:
        return self.name.replace("-", "_")

    def start(self) -> Driver:
        """Start placement, scheduler, and for each app a sidecar and a process."""
        binaries = toolchain.ensure_dapr()
        self._control_plane(binaries)
        ports = {app: self._sidecar(binaries, app) for app in self.apps}
        for app, parts in self.apps.items():
            others = [name for name in self.apps if name != app]
            self.running.start(
                app,
                (sys.executable, "-m", "bench.drivers.dapr_app", *parts),
                {
                    "DAPR_GRPC_PORT": str(ports[app]["grpc"]),
                    "DAPR_HTTP_PORT": str(ports[app]["http"]),
                    "BENCH_THREADS": self.threads,
                    "BENCH_ACTIVITY_APP_ID": self._app_id(others[0]) if others else "",
                },
            )
        for app in self.apps:
            sidecar = Sidecar(ports[app]["grpc"], ports[app]["http"])
            until(
                lambda sidecar=sidecar: (engine := sidecar.engine()) and engine.workers > 0,
                seconds=_READY_SECONDS,
                what=f"{app} is connected to its sidecar",
            )
        first = next(iter(self.apps))
        return driver(self.running, "dapr", {"DAPR_GRPC_PORT": str(ports[first]["grpc"])})

    def versions(self) -> dict[str, str]:
        """Name the runtime's and the SDK's versions."""
        return {
            "Dapr": toolchain.toolchain_of(DAPR).version,
            "dapr (Python)": metadata.version("dapr"),
        }

    def _app_id(self, app: str) -> str:
        return f"bench-{app}"

    def _control_plane(self, binaries: dict[str, Path]) -> None:
        names = ("placement", "raft", "scheduler", "etcd", "peer", "p1", "p2", "s1", "s2")
        self._ports = free_ports(names)
        at = {name: f"{_LOOPBACK}:{port}" for name, port in self._ports.items()}
        self.running.start(
            "placement",
            (
                binaries["placement"],
                "--id=placement-0",
                f"--initial-cluster=placement-0={at['raft']}",
                f"--port={self._ports['placement']}",
                f"--listen-address={_LOOPBACK}",
                f"--healthz-port={self._ports['p1']}",
                f"--metrics-port={self._ports['p2']}",
            ),
        )
        self.running.start(
            "scheduler",
            (
                binaries["scheduler"],
                "--id=scheduler-0",
                f"--port={self._ports['scheduler']}",
                f"--listen-address={_LOOPBACK}",
                f"--override-broadcast-host-port={at['scheduler']}",
                f"--healthz-port={self._ports['s1']}",
                f"--metrics-port={self._ports['s2']}",
                f"--etcd-data-dir={self.ground.folder / self.name / 'scheduler'}",
                f"--etcd-client-port={self._ports['etcd']}",
                f"--etcd-client-listen-address={_LOOPBACK}",
                f"--etcd-initial-cluster=scheduler-0=http://{at['peer']}",
            ),
        )

    def _sidecar(self, binaries: dict[str, Path], app: str) -> dict[str, int]:
        folder = self.ground.folder / self.name / "components"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "statestore.yaml").write_text(yaml.safe_dump(self._component()))
        ports = free_ports(("grpc", "http", "internal", "metrics"))
        self.running.start(
            f"{app}-sidecar",
            (
                binaries["daprd"],
                f"--app-id={self._app_id(app)}",
                f"--resources-path={folder}",
                f"--dapr-listen-addresses={_LOOPBACK}",
                f"--dapr-grpc-port={ports['grpc']}",
                f"--dapr-http-port={ports['http']}",
                f"--dapr-internal-grpc-port={ports['internal']}",
                f"--metrics-port={ports['metrics']}",
                f"--placement-host-address={_LOOPBACK}:{self._ports['placement']}",
                f"--scheduler-host-address={_LOOPBACK}:{self._ports['scheduler']}",
            ),
            {"DAPR_HOST_IP": _LOOPBACK},
        )
        return ports

    def _component(self) -> dict[str, object]:
        settings = {
            "connectionString": self.ground.conninfo(self._database),
            "actorStateStore": "true",
            **self.store,
        }
        return {
            "apiVersion": "dapr.io/v1alpha1",
            "kind": "Component",
            "metadata": {"name": "statestore"},
            "spec": {
                "type": "state.postgresql",
                "version": "v2",
                "metadata": [{"name": key, "value": value} for key, value in settings.items()],
            },
        }


class DaprSplit(DaprSample):
    """Two apps with Holdfast's settings, and nothing of Holdfast: no API, outbox or ledger."""

    name: ClassVar = "dapr-split"
    title: ClassVar = "Dapr, two apps, Holdfast's settings, no ledger or outbox"
    apps: ClassVar = {"orchestrating": ("workflows",), "working": ("activities",)}
    store: ClassVar = {"maxConns": "12", "cleanupInterval": "0", "timeout": "20s"}
    threads: ClassVar = "32"
