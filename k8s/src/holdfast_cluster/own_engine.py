"""Start and end a Docker engine of our own, on a machine that has none.

It keeps its images in the user's cache, so that what was built once is there the next time, and
listens on a socket of its own: an engine that the machine may get later is left alone.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import psutil
from filelock import FileLock
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from holdfast_cluster import firewall
from holdfast_cluster.checks import docker_here
from holdfast_cluster.commands import Runner, last_line
from holdfast_cluster.engine import Engine, answers, find_engine, own_host
from holdfast_cluster.errors import ClusterError
from holdfast_cluster.folders import EngineFolder, engine_folder
from holdfast_cluster.machine import has_sys_resource
from holdfast_cluster.packages import ENGINE, ensure_programs, find_program
from holdfast_local.build_view import BuildView

_START_SECONDS = 60
_END_SECONDS = 30
#: Docker 20.10 asks for every capability for a privileged container, and fails where the machine
#: does not give this one. runc reads what it is asked for from two files.
_RUNTIME = """\
#!/bin/sh
# Start runc without CAP_SYS_RESOURCE, which this machine gives to nobody.
without() {
  [ -f "$1" ] || return 0
  sed -e 's/,"CAP_SYS_RESOURCE"//g' -e 's/"CAP_SYS_RESOURCE",//g' -e 's/"CAP_SYS_RESOURCE"//g' \\
    "$1" > "$1.new" && cat "$1.new" > "$1" && rm -f "$1.new"
}
before=
for word in "$@"; do
  case "$before" in
    --bundle | -b) without "$word/config.json" ;;
    --process | -p) without "$word" ;;
  esac
  before=$word
done
exec RUNC "$@"
"""


def ensure_engine(log: Path, view: BuildView, folder: EngineFolder | None = None) -> Engine:
    """Return an engine that answers: one that is there, or our own, installed and started."""
    folder = folder or engine_folder()
    found = find_engine(log, folder)
    if found is not None:
        return found
    finding = docker_here(None)
    if finding.fatal:
        raise ClusterError(finding.text)
    runner = Runner(log)
    ensure_programs(ENGINE, runner, view)
    folder.path.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.lock):
        # The package may have started an engine of the machine's own.
        found = find_engine(log, folder)
        if found is None:
            with view:
                view.begin("Docker: starting", "")
                _start(folder, runner)
                view.end("Docker started")
            found = find_engine(log, folder)
    if found is None:
        raise ClusterError(f"The Docker engine does not answer (log: {folder.log}).")
    return found


def _start(folder: EngineFolder, runner: Runner) -> None:
    _forget_dead(folder)
    folder.socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    firewall.remember(folder.firewall, runner)
    folder.configuration.write_text(json.dumps(_configuration(folder), indent=2) + "\n", "utf-8")
    dockerd = find_program("dockerd")
    client = find_program("docker")
    if dockerd is None or client is None:
        raise ClusterError("Docker was installed, and still has no dockerd and docker.")
    with folder.log.open("ab") as log:
        process = subprocess.Popen(
            [dockerd, "--config-file", folder.configuration],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin"},
        )
    answered = Retrying(
        # One that has ended will not answer any more.
        retry=retry_if_result(lambda answered: not answered and process.poll() is None),
        wait=wait_fixed(0.3),
        stop=stop_after_delay(_START_SECONDS),
        retry_error_callback=lambda _: False,
    )(answers, client, own_host(folder), runner)
    if not answered:
        said = last_line(folder.log.read_text("utf-8", "replace"))
        end_engine(folder, runner)
        raise ClusterError(f"Docker does not start: {said} (log: {folder.log})")


def _configuration(folder: EngineFolder) -> dict[str, object]:
    configuration: dict[str, object] = {
        "hosts": [own_host(folder)],
        "data-root": str(folder.data),
        "exec-root": str(folder.state),
        "pidfile": str(folder.pid),
        # kind makes a network of its own; without the default one there is less to clean up.
        "bridge": "none",
        "log-opts": {"max-size": "10m"},
    }
    if not has_sys_resource():
        runc = find_program("runc")
        if runc is None:
            raise ClusterError("Docker was installed, and still has no runc.")
        folder.runtime.write_text(_RUNTIME.replace("RUNC", runc), "utf-8")
        folder.runtime.chmod(0o755)
        configuration |= {
            "runtimes": {"without-sys-resource": {"path": str(folder.runtime)}},
            "default-runtime": "without-sys-resource",
        }
    return configuration


def running_engine(folder: EngineFolder) -> psutil.Process | None:
    """Return the process of the engine that was started here, if it runs."""
    try:
        process = psutil.Process(int(folder.pid.read_text("utf-8")))
        return process if str(folder.configuration) in process.cmdline() else None
    except (OSError, ValueError, psutil.Error):
        return None


def end_engine(folder: EngineFolder, runner: Runner) -> bool:
    """End the engine that was started here, with its helpers, mounts, rules and network devices."""
    process = running_engine(folder)
    if process is not None:
        helpers = process.children(recursive=True)
        process.send_signal(signal.SIGTERM)
        _, alive = psutil.wait_procs([process, *helpers], timeout=_END_SECONDS)
        for one in alive:
            one.kill()
        psutil.wait_procs(alive, timeout=_END_SECONDS)
    _forget_dead(folder)
    firewall.restore(folder.firewall, runner)
    shutil.rmtree(folder.socket.parent, ignore_errors=True)
    return process is not None


def _forget_dead(folder: EngineFolder) -> None:
    """Remove what an engine leaves behind that was killed: mounts, files, and its pid."""
    if running_engine(folder) is not None:
        return
    for mount in sorted(_mounts_below(folder.data, folder.state), reverse=True):
        subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)  # noqa: S607
    for file in (folder.pid, folder.socket):
        file.unlink(missing_ok=True)


def _mounts_below(*folders: Path) -> list[str]:
    lines = Path("/proc/self/mounts").read_text("utf-8").splitlines()
    points = [line.split()[1].replace("\\040", " ") for line in lines]
    return [point for point in points if any(Path(point).is_relative_to(f) for f in folders)]
