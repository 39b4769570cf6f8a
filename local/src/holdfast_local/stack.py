"""One stack on this machine: start it, stop it, look at it, hurt it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx
import psutil
from filelock import FileLock, Timeout
from tenacity import RetryError as StillFalseError
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from holdfast_local import components, files, identity, postgres, processes, tokens, toolchain
from holdfast_local import ports as port_numbers
from holdfast_local.errors import NotUpError, StackError
from holdfast_local.folders import StackFolder, repository, stacks_of
from holdfast_local.programs import INFRASTRUCTURE, MIGRATING, NAMES, SIDECARS, Plan, module
from holdfast_local.supervision import STOP_SECONDS, Supervisor, render

#: Shows one step of ``up``: entered when it begins, left when it is done.
Progress = Callable[[str], AbstractContextManager[Any]]

#: From the first start of a service until all three are ready; some seconds on an idle machine.
READY_SECONDS = 120.0
_DATABASE_SECONDS = 60.0
_SUPERVISORD_SECONDS = 15.0
_LOCK_SECONDS = 300.0
#: A process that has been started this often while it was waited for will never stay.
_HOPELESS_STARTS = 4
_TAIL_LINES = 15
#: supervisord's names for: there is a process, and it has lasted some seconds, or not yet.
_LIVE_STATES = {"RUNNING", "STARTING"}
#: What the processes take over from the caller; a proxy, for one, must not get between them.
_INHERITED = (
    "HOME",
    "LANG",
    "PATH",
    "TMPDIR",
    "TZ",
    "USER",
    "LD_LIBRARY_PATH",
    "XDG_CACHE_HOME",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_BSP_SCHEDULE_DELAY",
)


@dataclass(frozen=True)
class ProcessInfo:
    """What one process of the stack is doing now, its children included."""

    name: str
    state: str
    pid: int | None
    restarts: int
    uptime_seconds: int | None
    children: int
    rss_bytes: int
    uss_bytes: int
    pss_bytes: int
    ports: dict[str, int]
    log: str

    @property
    def is_live(self) -> bool:
        """Say whether there is a process, be it young."""
        return self.state in _LIVE_STATES


class Stack:
    """The stack called ``name`` in the clone at ``root``. Making this object starts nothing.

    Objects of the same name and root, in any process, are the same stack.
    """

    def __init__(
        self,
        name: str = "default",
        root: Path | None = None,
        *,
        service_env: Mapping[str, Mapping[str, str]] | None = None,
        commands: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.folder = StackFolder((root or repository()).resolve(), name)
        self._service_env = service_env or {}
        self._commands = commands or {}
        self._supervisor = Supervisor(self.folder.supervisord_socket)

    @property
    def name(self) -> str:
        """The stack's name."""
        return self.folder.name

    @property
    def api_url(self) -> str:
        """Where the public API answers."""
        return self._url("status-api")

    @property
    def orchestrator_url(self) -> str:
        """Where the orchestrator listens; its sidecar is its only proper caller."""
        return self._url("orchestrator")

    @property
    def worker_url(self) -> str:
        """Where the activity worker shows its health and metrics."""
        return self._url("activity-worker")

    @property
    def database_url(self) -> str:
        """The database, as superuser, for SQLAlchemy."""
        password = self.identity.secrets.postgres
        port = self.ports["postgres"]
        return (
            f"postgresql+psycopg://{postgres.SUPERUSER}:{password}"
            f"@127.0.0.1:{port}/{postgres.DATABASE}"
        )

    @property
    def app_ids(self) -> dict[str, str]:
        """Each service's app-id."""
        return self.identity.app_ids

    @property
    def identity(self) -> identity.Identity:
        """App-ids and secrets."""
        self._must_exist()
        return identity.load(self.folder)

    def token(self, role: str) -> str:
        """Give the token of a role: viewer, operator, approver or admin."""
        return self._tokens()[role]

    def auth(self) -> tokens.EveryRole:
        """Give what lets an ``httpx`` client do all that the API offers."""
        return tokens.EveryRole(self._tokens())

    @property
    def ports(self) -> dict[str, int]:
        """The ports of the last start."""
        self._must_exist()
        result: dict[str, int] = files.read_json(self.folder.ports)
        return result

    def is_up(self) -> bool:
        """Say whether the stack's processes are supervised now."""
        return self._supervisor.is_up()

    def up(self, progress: Progress = nullcontext) -> None:
        """Start what does not run and return when the stack is ready to work.

        Safe to repeat. A start that fails, or is interrupted, leaves no process behind and raises
        ``StackError`` with the reason and the last lines of the log that shows it.
        """
        with self._exclusive():
            was_up = self.is_up()
            try:
                self._up(progress)
            except BaseException as error:
                if not was_up or not isinstance(error, Exception):
                    self._down()
                raise

    def down(self) -> None:
        """End every process of the stack, orphans too, and return when none is left."""
        if not self.folder.path.is_dir():  # deleted by hand, perhaps under a stack that was up
            processes.end_all(self.folder.marker)
            return
        with self._exclusive():
            self._down()

    def delete(self) -> None:
        """Kill the stack and delete all that it holds: database, scheduler, logs, identity."""
        with self._exclusive() if self.folder.path.is_dir() else nullcontext():
            processes.end_all(self.folder.marker, at_once=True)
            self.folder.supervisord_socket.unlink(missing_ok=True)
        postgres.remove(self.folder)
        shutil.rmtree(self.folder.path, ignore_errors=True)

    def status(self) -> list[ProcessInfo]:
        """Give every process of the stack, in the order of their first start."""
        infos: dict[str, dict[str, Any]] = {}
        starts: dict[str, int] = {}
        if self.is_up():
            infos, starts = self._supervisor.infos(), self._supervisor.starts()
        known_ports = files.read_json(self.folder.ports) or {}
        return [
            self._process_info(name, infos.get(name), starts.get(name, 0), known_ports)
            for name in NAMES
        ]

    def pid(self, name: str) -> int | None:
        """Give the pid of a process now, or ``None`` while there is none."""
        return self._supervisor.pid(_known(name))

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> list[int]:
        """Signal a process, its group and all its descendants at once; give the pids.

        The list is empty if the process was not there. supervisord starts it again.
        """
        return self.signal_group(name, number)

    def signal_group(self, name: str, number: signal.Signals) -> list[int]:
        """Signal a process, its group and all its descendants (SIGSTOP, SIGCONT, …)."""
        pid = self.pid(name)
        if pid is None or not self._is_supervised(pid):
            return []
        return processes.signal_family(pid, number)

    def stop(self, name: str) -> None:
        """Stop a process in order; it stays down until ``start``."""
        self.signal_group(name, signal.SIGCONT)
        self._supervisor.stop(_known(name))

    def start(self, name: str) -> None:
        """Start a process that was stopped; one that runs stays as it is."""
        self._supervisor.start(_known(name))

    def is_ready(self) -> bool:
        """Say whether all three services answer that they are ready."""
        return all(
            _get(f"{self._url(service)}/readyz")[0] == httpx.codes.OK
            for service in identity.SERVICES
        )

    def wait_until_ready(self, seconds: float = READY_SECONDS) -> None:
        """Return when the stack is ready, or raise ``StackError`` that says what is not."""
        if not _eventually(self.is_ready, seconds):
            raise StackError(self._why_not_ready([]))

    def log_tail(self, name: str, lines: int = _TAIL_LINES) -> str:
        """Give the last lines of a process's log."""
        log = self.folder.log(name)
        text = log.read_text(errors="replace") if log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _up(self, progress: Progress) -> None:
        with progress("tools"):
            binaries = toolchain.ensure_dapr()
        with progress("database"):
            plan = self._plan(binaries)
            self._ensure_supervisord(plan)
            if self._runs_and_is_ready():
                return
            self._start_database(plan)
        with progress("sidecars and migrations"):
            # What needs no table starts while they are made, and each service when it has its own.
            without_tables = [name for name in identity.SERVICES if name not in MIGRATING]
            for name in (*INFRASTRUCTURE, *SIDECARS, *without_tables):
                self.start(name)
            for service in MIGRATING:
                self._migrate(plan, service)
                self.start(service)
        with progress("services"):
            self._wait_for_first_readiness()
        self._write_descriptor(plan)

    def _wait_for_first_readiness(self) -> None:
        """Wait until ready, but not for what cannot come: a process that ends again and again."""
        before = self._supervisor.starts()

        def hopeless() -> list[str]:
            return [
                name
                for name, starts in self._supervisor.starts().items()
                if starts - before.get(name, 0) >= _HOPELESS_STARTS
            ]

        _eventually(lambda: self.is_ready() or bool(hopeless()), READY_SECONDS)
        if not self.is_ready():
            raise StackError(self._why_not_ready(hopeless()))

    def _runs_and_is_ready(self) -> bool:
        states = {info["statename"] for info in self._supervisor.infos().values()}
        return states <= _LIVE_STATES and self.folder.descriptor.exists() and self.is_ready()

    def _plan(self, binaries: Mapping[str, Path]) -> Plan:
        """Decide what runs; only a stack that is not up may get other ports than before."""
        own = identity.load_or_create(self.folder)
        tokens.load_or_create(self.folder)
        if self.is_up():
            chosen = self.ports
        else:
            processes.end_all(self.folder.marker)
            chosen = port_numbers.assign(self.folder)
        cluster = postgres.prepare(self.folder, chosen["postgres"], own.secrets.postgres)
        return Plan(self.folder, own, chosen, cluster, binaries, self._service_env, self._commands)

    def _ensure_supervisord(self, plan: Plan) -> None:
        configuration = render(self.folder, plan.programs())
        changed = files.write(self.folder.supervisord_conf, configuration)
        if self.is_up():
            if not changed:
                return
            self._down()
        components.render(
            repository() / "components",
            self.folder.components,
            configuration=self.folder.configuration,
            app_ids=plan.identity.app_ids,
            secrets={("holdfast-dapr-database", "connectionString"): plan.dapr_connection()},
        )
        self._start_supervisord()

    def _start_supervisord(self) -> None:
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        result = subprocess.run(
            [sys.executable, "-m", "supervisor.supervisord", "-c", self.folder.supervisord_conf],
            env={**environment, processes.MARKER: self.folder.marker},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the caller, who then takes the stack down
            check=False,
            text=True,
        )
        if result.returncode or not _eventually(self.is_up, _SUPERVISORD_SECONDS):
            raise StackError(
                f"supervisord did not start: {result.stdout.strip() or self.folder.supervisord_log}"
            )

    def _start_database(self, plan: Plan) -> None:
        secrets = plan.identity.secrets
        self.start("postgres")
        try:
            postgres.wait_until_it_answers(
                plan.cluster, secrets.postgres, seconds=_DATABASE_SECONDS
            )
        except Exception as error:
            raise StackError(
                f"PostgreSQL did not start: {error}\n{self._excerpt('postgres')}"
            ) from error
        script = repository() / "components" / "postgresql" / "roles.sql"
        postgres.create_roles(plan.cluster, script, secrets)

    def _migrate(self, plan: Plan, service: str) -> None:
        log = self.folder.log(f"{service}-migrate")
        with log.open("w") as output:
            result = subprocess.run(
                [sys.executable, "-m", module(service), "migrate"],
                cwd="/",
                env={
                    **{name: os.environ[name] for name in _INHERITED if name in os.environ},
                    **plan.migration_environment(service),
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if result.returncode:
            raise StackError(
                f"the migration of {service} failed\n{self._excerpt(f'{service}-migrate')}"
            )

    def _write_descriptor(self, plan: Plan) -> None:
        files.write_json(
            self.folder.descriptor,
            {
                "name": self.name,
                "folder": str(self.folder.path),
                "api_url": plan.url("status-api"),
                "orchestrator_url": plan.url("orchestrator"),
                "worker_url": plan.url("activity-worker"),
                "database_url": self.database_url,
                "app_ids": plan.identity.app_ids,
                "dapr": {service: plan.sidecar_ports(service) for service in identity.SERVICES},
                "supervisor_socket": str(self.folder.supervisord_socket),
                "processes": list(NAMES),
            },
        )

    def _down(self) -> None:
        self.folder.descriptor.unlink(missing_ok=True)
        with suppress(StackError):  # supervisord went away: what it left is ended below
            self._stop_in_order()
        processes.end_all(self.folder.marker)
        self.folder.supervisord_socket.unlink(missing_ok=True)

    def _stop_in_order(self) -> None:
        """Stop who calls before who is called, each tier at once, and supervisord last."""
        if not self.is_up():
            return
        for tier in (identity.SERVICES, SIDECARS, INFRASTRUCTURE, ("postgres",)):
            for name in tier:
                self.signal_group(name, signal.SIGCONT)
                self._supervisor.stop(name, wait=False)
            _eventually(partial(self._has_ended, tier), STOP_SECONDS + 3)
        # With nothing left to look after it needs no farewell, which takes it two seconds.
        supervisord = psutil.Process(self._supervisor.own_pid())
        supervisord.kill()
        psutil.wait_procs([supervisord], timeout=_SUPERVISORD_SECONDS)

    def _has_ended(self, names: Iterable[str]) -> bool:
        return not any(map(self.pid, names))

    def _why_not_ready(self, suspects: Sequence[str]) -> str:
        infos = self._supervisor.infos()
        failed = suspects or [
            name for name in NAMES if infos[name]["statename"] not in _LIVE_STATES
        ]
        answers = {service: _get(f"{self._url(service)}/readyz") for service in identity.SERVICES}
        unready = {name: body for name, (code, body) in answers.items() if code != httpx.codes.OK}
        lines = ["the stack did not become ready"]
        lines += [f"{name}: {infos[name]['statename']}" for name in failed]
        lines += [f"{name} is not ready: {body.strip()}" for name, body in unready.items()]
        lines += [self._excerpt(name) for name in (failed or unready)]
        return "\n".join(lines)

    def _excerpt(self, name: str) -> str:
        return f"--- end of {self.folder.log(name)}\n{self.log_tail(name)}"

    def _process_info(
        self, name: str, info: dict[str, Any] | None, starts: int, known_ports: dict[str, int]
    ) -> ProcessInfo:
        pid = info["pid"] or None if info else None
        members = processes.family(pid) if pid else []
        memory = processes.memory(members)
        return ProcessInfo(
            name=name,
            state=info["statename"] if info else "STOPPED",
            pid=pid,
            restarts=max(starts - 1, 0),
            uptime_seconds=info["now"] - info["start"] if info and pid else None,
            children=max(len(members) - 1, 0),
            rss_bytes=memory.rss,
            uss_bytes=memory.uss,
            pss_bytes=memory.pss,
            ports={
                port: known_ports[port]
                for port in port_numbers.PORTS_OF[name]
                if port in known_ports
            },
            log=str(self.folder.log(name)),
        )

    def _is_supervised(self, pid: int) -> bool:
        """Say whether the pid is still our process: it may have ended and been given away."""
        try:
            return psutil.Process(pid).ppid() == self._supervisor.own_pid()
        except psutil.NoSuchProcess:
            return False

    def _url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"

    def _tokens(self) -> dict[str, str]:
        found: dict[str, str] | None = files.read_json(self.folder.tokens)
        if found is None:
            raise NotUpError(f"the stack {self.name!r} has never been up here")
        return found

    def _must_exist(self) -> None:
        if not self.folder.ports.exists():
            raise NotUpError(f"the stack {self.name!r} has never been up here")

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        self.folder.create()
        try:
            with FileLock(self.folder.lock, timeout=_LOCK_SECONDS):
                yield
        except Timeout as error:
            raise StackError(
                f"another command has been starting or stopping the stack {self.name!r} "
                f"for {_LOCK_SECONDS:.0f} s ({self.folder.lock})"
            ) from error


def _known(name: str) -> str:
    if name not in NAMES:
        raise StackError(f"{name!r} is no process of a stack; there are {', '.join(NAMES)}")
    return name


def _get(url: str) -> tuple[int | None, str]:
    try:
        answer = _http().get(url)
    except httpx.HTTPError as error:
        return None, f"{type(error).__name__}: {error}"
    return answer.status_code, answer.text


@cache
def _http() -> httpx.Client:
    # One for all questions: each new one would read the host's certificates, which takes 30 ms of
    # CPU. Its connections are not kept: the next question may meet another process.
    return httpx.Client(
        timeout=5, limits=httpx.Limits(max_keepalive_connections=0), trust_env=False
    )


def _eventually(check: Callable[[], bool], seconds: float) -> bool:
    """Say whether the check came true within this time."""
    try:
        Retrying(
            retry=retry_if_result(lambda result: not result),
            stop=stop_after_delay(seconds),
            wait=wait_fixed(0.1),
        )(check)
    except StillFalseError:
        return False
    return True


def names_of(root: Path) -> list[str]:
    """Name every stack of a clone: those that have a folder, and those that only have processes."""
    folder = root.resolve() / ".run"
    running = {Path(marker) for marker in processes.markers()}
    return sorted(
        {*stacks_of(root), *(marker.name for marker in running if marker.parent == folder)}
    )
