"""Run a program: keep what it says in a log, show that it lives, and fail in one line."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from holdfast_cluster.errors import CommandError
from holdfast_local.build_view import BuildView

_TAIL = 20_000
_LONGEST_LINE = 300


def last_line(output: str) -> str:
    """Return the last line that says something, short enough for a message."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:_LONGEST_LINE] if lines else "it said nothing"


@dataclass(frozen=True)
class Runner:
    """Runs programs for one cluster or engine."""

    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(
        self,
        command: Sequence[str | Path],
        *,
        stdin: str | None = None,
        seconds: float = 600,
        what: str | None = None,
        secret: bool = False,
    ) -> str:
        """Return what a program prints; raise in one line if it fails or takes too long.

        What is secret in it is kept out of the log.
        """
        name = what or Path(command[0]).name
        try:
            done = subprocess.run(
                [str(part) for part in command],
                input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                capture_output=True,
                text=True,
                errors="replace",
                env={**os.environ, **self.environment},
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise CommandError(f"{name} took longer than {seconds:.0f} s.", "") from error
        except OSError as error:
            raise CommandError(f"{name} cannot be run: {error.strerror}.", "") from error
        self._note(command, ("" if secret else done.stdout) + done.stderr)
        if done.returncode != 0:
            said = done.stderr or done.stdout
            raise CommandError(f"{name} failed: {last_line(said)} (log: {self.log})", said)
        return done.stdout

    def watch(
        self,
        command: Sequence[str | Path],
        view: BuildView,
        label: str,
        *,
        cwd: Path | None = None,
        pipe: Sequence[str | Path] | None = None,
    ) -> None:
        """Run a program that takes long, and count its lines where the user sees them.

        With ``pipe``, what the program prints goes into that second program instead.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, **self.environment}
        view.begin(label, "steps")
        with self.log.open("a", encoding="utf-8") as out:
            out.write(f"$ {_shown(command)}\n")
            began = out.tell()
            feeder: subprocess.Popen[bytes] | None = None
            if pipe is not None:
                feeder = subprocess.Popen(
                    [str(part) for part in command],
                    cwd=cwd,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=out,
                    start_new_session=True,
                )
            with subprocess.Popen(
                [str(part) for part in (command if pipe is None else pipe)],
                cwd=cwd,
                env=environment,
                stdin=feeder.stdout if feeder else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            ) as process:
                if feeder is not None and feeder.stdout is not None:
                    feeder.stdout.close()  # or it would not notice that its reader has ended
                try:
                    for line in process.stdout or ():
                        out.write(line)
                        out.flush()
                        view.advance()
                except BaseException:
                    for one in (process, feeder):
                        if one is not None and one.poll() is None:
                            os.killpg(one.pid, signal.SIGTERM)
                    raise
            fed = feeder.wait() if feeder else 0
        if process.returncode != 0 or fed != 0:
            with self.log.open(encoding="utf-8", errors="replace") as said:
                said.seek(began)
                output = said.read()[-_TAIL:]
            raise CommandError(
                f"{label} failed: {last_line(output)} (log: {self.log})",
                output,
            )

    def _note(self, command: Sequence[str | Path], output: str) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("a", encoding="utf-8") as out:
            out.write(f"$ {_shown(command)}\n{output[-_TAIL:]}")


def _shown(command: Sequence[str | Path]) -> str:
    return " ".join(str(part) for part in command)
