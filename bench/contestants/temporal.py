"""Temporal: its dev server on a SQLite file, and its server on the same PostgreSQL."""

from __future__ import annotations

import shutil
import subprocess
from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

import yaml

from bench.contestants.base import Contestant
from bench.ports import free_ports
from bench.processes import BenchError, Driver, driver, until
from bench.venvs import python_of, version_of
from holdfast_local.toolchain import ensure_tools, toolchain_of
from holdfast_local.toolchain_sources import TEMPORAL, TEMPORAL_CLI

_READY_SECONDS = 90


class _Temporal(Contestant):
    """Two Python workers without the sandbox: one task queue for workflows, one for activities."""

    def start(self) -> Driver:
        """Start the server, then both workers."""
        address = f"127.0.0.1:{self.start_server()}"
        until(
            lambda: self.operate(address, "cluster", "health"),
            seconds=_READY_SECONDS,
            what="Temporal answers",
        )
        self.operate(address, "namespace", "create", "--namespace", "default")
        until(
            lambda: self.operate(address, "namespace", "describe", "--namespace", "default"),
            seconds=_READY_SECONDS,
            what="the namespace is there",
        )
        python = python_of("temporal")
        environment = {"TEMPORAL_ADDRESS": address}
        for part in ("workflows", "activities"):
            self.running.start(
                part, (python, "-m", "bench.drivers.temporal_app", part), environment
            )
        return driver(self.running, "temporal", environment, python)

    @abstractmethod
    def start_server(self) -> int:
        """Start the server and return its frontend's port."""

    def operate(self, address: str, *words: str) -> bool:
        """Run an operator's command; say whether it went well."""
        temporal = ensure_tools(("temporal",))["temporal"]
        done = subprocess.run(
            [temporal, "operator", *words, "--address", address],
            capture_output=True,
            timeout=30,
            check=False,
        )
        return done.returncode == 0


class TemporalDev(_Temporal):
    """`temporal server start-dev` with a file: one process."""

    name: ClassVar = "temporal-dev"
    title: ClassVar = "Temporal dev server, SQLite"
    durability: ClassVar = "SQLite file, rollback journal, synchronous=FULL"

    def prepare(self) -> None:
        """Build the server, install the SDK."""
        ensure_tools(("temporal",))
        python_of("temporal")

    def start_server(self) -> int:
        """Start with a file of its own."""
        ports = free_ports(("frontend", "http", "metrics"))
        self.running.start(
            "server",
            (
                *(ensure_tools(("temporal",))["temporal"], "server", "start-dev", "--headless"),
                *("--ip", "127.0.0.1", "--port", str(ports["frontend"])),
                *("--http-port", str(ports["http"]), "--metrics-port", str(ports["metrics"])),
                *("--db-filename", str(self.ground.folder / self.name / "temporal.db")),
                *("--sqlite-pragma", "synchronous=FULL", "--log-level", "error"),
            ),
        )
        return ports["frontend"]

    def versions(self) -> dict[str, str]:
        """Name the versions."""
        return {
            "Temporal CLI": toolchain_of(TEMPORAL_CLI).version,
            "temporalio (Python)": version_of("temporal", "temporalio"),
        }


class TemporalPostgres(_Temporal):
    """All four services in one process, as the development server of Temporal's own repository."""

    name: ClassVar = "temporal-postgres"
    title: ClassVar = "Temporal server, PostgreSQL"
    durability: ClassVar = (
        "the same PostgreSQL, fsync and synchronous_commit on; search indexes without btree_gin"
    )

    _DATABASES: ClassVar = {"temporal": "temporal", "temporal_visibility": "visibility"}

    def prepare(self) -> None:
        """Build the server, install the SDK, lay both schemas."""
        tools = ensure_tools(("temporal", "temporal-server", "temporal-sql-tool"))
        python_of("temporal")
        for database, schema in self._DATABASES.items():
            self.ground.fresh_database(database)
            for words in (
                ("setup-schema", "-v", "0.0"),
                ("update-schema", "--schema-dir", str(self._schema(schema))),
            ):
                self._sql(tools["temporal-sql-tool"], database, *words)

    def _schema(self, name: str) -> Path:
        """Copy Temporal's own schema, less what takes btree_gin, which this PostgreSQL lacks.

        An index on the namespace and a search attribute becomes one on the attribute alone: less
        to write than Temporal asks for, and nothing here searches by it.
        """
        module = toolchain_of(TEMPORAL).module_folder()
        folder = self.ground.folder / self.name / name
        shutil.rmtree(folder, ignore_errors=True)
        for source in (module / "schema/postgresql/v12" / name / "versioned").rglob("*.*"):
            if source.is_file():
                text = source.read_text("utf-8").replace("GIN (namespace_id, ", "GIN (")
                text = text.replace("CREATE EXTENSION IF NOT EXISTS btree_gin;", "")
                copy = folder / source.parent.name / source.name
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_text(text, "utf-8")
        return folder

    def _sql(self, tool: object, database: str, *words: str) -> None:
        command = [
            *(str(tool), "--plugin", "postgres12", "--ep", "127.0.0.1"),
            *("-p", str(self.ground.port), "-u", "postgres", "--pw", self.ground.password),
            *("--db", database, *words),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchError(f"{' '.join(words)}: {done.stdout[-500:]}{done.stderr[-500:]}")

    def start_server(self) -> int:
        """Start with a configuration like that of `development-postgres12.yaml`."""
        services = ("frontend", "matching", "history", "worker")
        ports = free_ports([f"{one}-{kind}" for one in services for kind in ("grpc", "members")])
        config = self.ground.folder / self.name / "config"
        config.mkdir(parents=True, exist_ok=True)
        (config / "bench.yaml").write_text(yaml.safe_dump(self._configuration(ports)))
        server = ensure_tools(("temporal-server",))["temporal-server"]
        self.running.start(
            "server",
            (server, "--root", config.parent, "--config", "config", "--env", "bench", "start"),
        )
        return ports["frontend-grpc"]

    def versions(self) -> dict[str, str]:
        """Name the versions."""
        return {
            "Temporal server": toolchain_of(TEMPORAL).version,
            "temporalio (Python)": version_of("temporal", "temporalio"),
        }

    def _configuration(self, ports: dict[str, int]) -> dict[str, object]:
        return {
            "log": {"stdout": True, "level": "warn"},
            "persistence": {
                "defaultStore": "temporal",
                "visibilityStore": "temporal_visibility",
                "numHistoryShards": 4,
                "datastores": {name: {"sql": self._store(name)} for name in self._DATABASES},
            },
            "global": {"membership": {"maxJoinDuration": "30s", "broadcastAddress": "127.0.0.1"}},
            "services": {
                name: {
                    "rpc": {
                        "grpcPort": ports[f"{name}-grpc"],
                        "membershipPort": ports[f"{name}-members"],
                        "bindOnLocalHost": True,
                    }
                }
                for name in ("frontend", "matching", "history", "worker")
            },
            "clusterMetadata": {
                "enableGlobalNamespace": False,
                "failoverVersionIncrement": 10,
                "masterClusterName": "active",
                "currentClusterName": "active",
                "clusterInformation": {
                    "active": {
                        "enabled": True,
                        "initialFailoverVersion": 1,
                        "rpcName": "frontend",
                        "rpcAddress": f"127.0.0.1:{ports['frontend-grpc']}",
                    }
                },
            },
            "dcRedirectionPolicy": {"policy": "noop"},
        }

    def _store(self, database: str) -> dict[str, object]:
        connections = 20 if database == "temporal" else 2
        return {
            "pluginName": "postgres12",
            "databaseName": database,
            "connectAddr": f"127.0.0.1:{self.ground.port}",
            "connectProtocol": "tcp",
            "user": "postgres",
            "password": self.ground.password,
            "maxConns": connections,
            "maxIdleConns": connections,
            "maxConnLifetime": "1h",
        }
