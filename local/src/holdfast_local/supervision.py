"""supervisord: its configuration, and how to speak to it."""

from __future__ import annotations

import configparser
import io
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from supervisor.states import ProcessStates
from supervisor.xmlrpc import Faults, SupervisorTransport

from holdfast_local.errors import NotUpError, StackError
from holdfast_local.folders import StackFolder
from holdfast_local.supervisord_plugin import LONGEST_PAUSE_SECONDS

#: A process that lives this long has started; one that ends sooner is started again after a pause.
#: Longer than a service takes to find that its settings are wrong.
START_SECONDS = 3
#: After this long without ending by itself, a process that was told to stop is killed.
STOP_SECONDS = 12

_LOG_BYTES = "20MB"
_LOG_BACKUPS = 2
_HAS_PROCESS = {ProcessStates.STARTING, ProcessStates.RUNNING, ProcessStates.STOPPING}


@dataclass(frozen=True)
class Program:
    """One process that supervisord keeps alive."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    account: str | None = None
    stop_signal: str = "TERM"
    #: Signals go to the whole process group, unless the program hands them on by itself.
    signals_as_group: bool = True


def render(folder: StackFolder, programs: Sequence[Program]) -> str:
    """Give supervisord's configuration for these programs."""
    parser = configparser.RawConfigParser()
    parser["unix_http_server"] = {"file": _plain(folder.supervisord_socket), "chmod": "0700"}
    parser["supervisord"] = {
        "logfile": _plain(folder.supervisord_log),
        "logfile_maxbytes": _LOG_BYTES,
        "logfile_backups": str(_LOG_BACKUPS),
        "pidfile": _plain(folder.supervisord_pid),
        "directory": "/",
        "umask": "077",
        "nodaemon": "false",
        "nocleanup": "true",
    }
    if os.geteuid() == 0:
        parser["supervisord"]["user"] = "root"  # said aloud, or supervisord warns
    parser["rpcinterface:supervisor"] = {
        "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
    }
    parser["rpcinterface:holdfast"] = {
        "supervisor.rpcinterface_factory": "holdfast_local.supervisord_plugin:make"
    }
    for program in programs:
        parser[f"program:{program.name}"] = _section(folder, program)
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def _section(folder: StackFolder, program: Program) -> dict[str, str]:
    section = {
        "command": _plain(shlex.join(program.command)),
        "environment": ",".join(
            f"{name}={_quoted(value)}" for name, value in program.environment.items()
        ),
        "autostart": "false",  # `up` starts them in order; a restart needs no order
        "autorestart": "true",
        "startsecs": str(START_SECONDS),
        "startretries": str(LONGEST_PAUSE_SECONDS + 1),  # never reached, see the plugin
        "stopsignal": program.stop_signal,
        "stopwaitsecs": str(STOP_SECONDS),
        "stopasgroup": str(program.signals_as_group).lower(),
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": _plain(folder.log(program.name)),
        "stdout_logfile_maxbytes": _LOG_BYTES,
        "stdout_logfile_backups": str(_LOG_BACKUPS),
    }
    if program.account is not None:
        section["user"] = program.account
    return section


def _plain(value: object) -> str:
    """Make text safe for supervisord's file format, which has no way to write some of it."""
    text = str(value)
    if re.search(r"[\r\n]|\s[;#]|^[;#]", text):
        raise StackError(f"supervisord's configuration cannot hold {text!r}")
    return text.replace("%", "%%")


def _quoted(value: str) -> str:
    if '"' in value:
        raise StackError(f"supervisord's configuration cannot hold {value!r}")
    return f'"{_plain(value)}"'


class Supervisor:
    """A supervisord, spoken to through its Unix socket."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def is_up(self) -> bool:
        """Say whether it answers."""
        try:
            self._call("supervisor.getState")
        except NotUpError:
            return False
        return True

    def info(self, name: str) -> dict[str, Any]:
        """Give supervisord's view of one process."""
        result: dict[str, Any] = self._call("supervisor.getProcessInfo", name)
        return result

    def infos(self) -> dict[str, dict[str, Any]]:
        """Give supervisord's view of every process, by name."""
        return {info["name"]: info for info in self._call("supervisor.getAllProcessInfo")}

    def starts(self) -> dict[str, int]:
        """Give how often each process was started."""
        result: dict[str, int] = self._call("holdfast.starts")
        return result

    def own_pid(self) -> int:
        """Give the pid of supervisord itself."""
        result: int = self._call("supervisor.getPID")
        return result

    def pid(self, name: str) -> int | None:
        """Give the pid of a process that runs now, or ``None``."""
        info = self.info(name)
        return info["pid"] if info["pid"] and info["state"] in _HAS_PROCESS else None

    def start(self, name: str) -> None:
        """Start a process; one that is started already stays as it is."""
        self._call("supervisor.startProcess", name, False, ignore=Faults.ALREADY_STARTED)  # noqa: FBT003 - XML-RPC knows no keywords

    def stop(self, name: str, *, wait: bool = True) -> None:
        """Stop a process, and keep it stopped until it is started again."""
        self._call("supervisor.stopProcess", name, wait, ignore=Faults.NOT_RUNNING)

    def _call(self, method: str, *arguments: object, ignore: int | None = None) -> Any:
        # The host is never used: the transport speaks to the socket.
        transport = SupervisorTransport(None, None, serverurl=f"unix://{self._socket}")
        try:
            with ServerProxy("http://127.0.0.1", transport=transport) as server:
                return getattr(server, method)(*arguments)
        except Fault as fault:
            if fault.faultCode == ignore:
                return None
            raise StackError(f"supervisord: {fault.faultString}") from fault
        except (OSError, HTTPException) as error:
            raise NotUpError(f"supervisord does not answer at {self._socket}: {error}") from error
