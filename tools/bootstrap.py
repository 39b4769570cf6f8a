"""Make `.venv` what the locks and the packages ask for; do nothing when it already is.

Needs Python's standard library only. Every make target runs it first, so a warm run must cost
nothing: a stamp in the venv holds the checksum of all that went into it. The stamp is removed
before any change and written last, so a venv that was left half-made never counts as made.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

# The names below must parse and run on old Pythons too: they tell such a Python's user what to do.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

OLDEST_PYTHON = (3, 11)
NEEDED_BYTES = 3 * 10**9
PACKAGE_GLOBS = ("contracts", "servicekit", "services/*", "local", "chaos", "cli", "k8s")
#: How many packages pass between two lines of progress where no terminal shows a moving one.
QUIET_STEP = 25
LOCK = Path("requirements/dev.txt")
STAMP = "holdfast-stamp"
#: Errors of pip, as it words them, and the one line that each deserves. The first match counts.
PIP_FAILURES = (
    (
        r"No space left on device|\[Errno 28\]",
        "The disk ran full while packages were installed. Free 3 GB and run the command again.",
    ),
    (
        r"DO NOT MATCH THE HASHES",
        """\
A downloaded package is not the one that requirements/dev.txt locks: check the package index that \
pip is set to, clear its cache (`pip cache purge`) and run the command again.""",
    ),
    (
        "|".join(  # noqa: FLY002 - one wording a line
            (
                "NewConnectionError",
                "NameResolutionError",
                "ConnectTimeout",
                "Read timed out",
                "ProxyError",
                "Temporary failure in name resolution",
                "Network is unreachable",
                "Connection refused",
                "Connection reset",
                "CERTIFICATE_VERIFY_FAILED",
                "RemoteDisconnected",
            )
        ),
        """\
The Python package index cannot be reached: connect to the network (or set pip's index-url, proxy \
or cert to one that you can reach) and run the command again.""",
    ),
    (
        r"No matching distribution found for (?P<what>\S+)",
        """\
There is no wheel of {what} for this machine: use Linux on x86_64 or arm64 with glibc 2.28 or \
newer, or macOS.""",
    ),
)


class SetupError(Exception):
    """Say in one line what is missing and what to do."""


def problem_with_python(version: tuple[int, ...]) -> str | None:
    """Return why this Python cannot be used, if so."""
    if tuple(version[:2]) >= OLDEST_PYTHON:
        return None
    have = ".".join(str(part) for part in version[:2])
    return f"Python {have} is too old: install Python 3.11 or newer, or say `make PYTHON=…`."


def problem_with_venv_module(has_ensurepip: bool, version: tuple[int, ...]) -> str | None:
    """Return what this Python lacks to make a virtual environment, if anything."""
    if has_ensurepip:
        return None
    name = f"python{version[0]}.{version[1]}-venv"
    return (
        f"This Python cannot make virtual environments (no ensurepip): install its venv package "
        f"(on Debian and Ubuntu: `apt-get install {name}`) and run the command again."
    )


def problem_with_disk(free_bytes: int, folder: Path) -> str | None:
    """Return that the disk is too full, if so."""
    if free_bytes >= NEEDED_BYTES:
        return None
    return (
        f"{folder} has {free_bytes / 10**9:.1f} GB free, setting up needs "
        f"{NEEDED_BYTES / 10**9:.0f} GB: free some space and run the command again."
    )


def problem_with_libc(platform: str, libc: str | None) -> str | None:
    """Return that the C library is not the one that PostgreSQL's wheel is built for, if so."""
    if platform == "darwin" or (platform == "linux" and (libc or "").startswith("glibc")):
        return None
    if platform != "linux":
        return f"The platform {platform!r} is not supported: use Linux with glibc, or macOS."
    return (
        "This Linux has no GNU C library (musl?), which the PostgreSQL wheel needs: use a "
        "distribution with glibc, such as Debian, Ubuntu or Fedora."
    )


def c_library() -> str | None:
    """Return the GNU C library's name and version, or None where there is another."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError, AttributeError):
        return None


def explain_pip(output: str, log: Path) -> str:
    """Return one line for what made pip fail."""
    for pattern, line in PIP_FAILURES:
        match = re.search(pattern, output)
        if match:
            return line.format(**match.groupdict())
    return f"pip could not install the packages: its output is in {log}."


def packages(root: Path) -> list[Path]:
    """Return the folders of the repository's own Python packages, in a fixed order."""
    found = (path for pattern in PACKAGE_GLOBS for path in sorted(root.glob(pattern)))
    return [path for path in found if (path / "pyproject.toml").is_file()]


def fingerprint(root: Path, version: tuple[int, ...]) -> str:
    """Return the checksum of everything that a finished venv depends on."""
    digest = hashlib.sha256(f"{root}\0{version[:2]}".encode())
    sources = [root / LOCK, *(path / "pyproject.toml" for path in packages(root))]
    for path in [*sources, Path(__file__).resolve()]:
        digest.update(f"\0{path}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_made(venv: Path, wanted: str) -> bool:
    """Tell whether the venv was finished for just this input and its Python still runs."""
    try:
        made = (venv / STAMP).read_text("utf-8")
    except OSError:
        return False
    return made == wanted and os.access(venv / "bin" / "python", os.X_OK)


def locked_count(lock: str) -> int:
    """Return how many packages a lock names."""
    return len(re.findall(r"^[A-Za-z0-9][^\n]*==", lock, re.MULTILINE))


class Progress:
    """Show the step and how far it is: one moving line on a terminal, few lines elsewhere."""

    def __init__(self) -> None:
        self._moving = sys.stderr.isatty()
        self._started = time.monotonic()
        self._said = 0

    def step(self, text: str) -> None:
        """Begin a step."""
        print(f"  {text}", file=sys.stderr, flush=True)
        self._said = 0

    def count(self, done: int, total: int, what: str) -> None:
        """Show how many of a step's things are done."""
        seconds = time.monotonic() - self._started
        if self._moving:
            sys.stderr.write(f"\r\033[K    {done}/{total} {what}, {seconds:.0f} s")
            sys.stderr.flush()
        elif done - self._said >= QUIET_STEP:
            print(f"    {done}/{total} {what}, {seconds:.0f} s", file=sys.stderr, flush=True)
            self._said = done

    def clear(self) -> None:
        """Take the moving line away."""
        if self._moving:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


@contextlib.contextmanager
def alone(root: Path) -> Iterator[None]:
    """Let one process at a time change the venv; the others wait and find the work done."""
    with (root / LOCK).open("rb") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print("  Another set-up of this clone is at work; waiting for it.", file=sys.stderr)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def run_pip(
    venv: Path, arguments: Iterable[str], log: Path, progress: Progress, total: int
) -> None:
    """Run the venv's pip, keep its output in a log, and raise one clear line if it fails."""
    base = [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    environment.pop("PIP_REQUIRE_VIRTUALENV", None)
    done = 0
    with log.open("a", encoding="utf-8") as out:  # noqa: SIM117 - old Pythons parse no list here
        with subprocess.Popen(
            [*base, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment,
        ) as pip:
            try:
                for line in pip.stdout or ():
                    out.write(line)
                    if line.startswith(("Collecting ", "Obtaining ")):
                        done += 1
                        progress.count(done, total, "packages")
                    elif line.startswith("Installing collected packages"):
                        progress.clear()
                        progress.step("  all there; unpacking")
            except BaseException:
                pip.terminate()
                raise
            finally:
                progress.clear()
    if pip.returncode != 0:
        raise SetupError(explain_pip(log.read_text("utf-8", "replace"), log))


def check_machine(root: Path) -> None:
    """Raise the first thing that this machine lacks."""
    version = tuple(sys.version_info[:3])
    problems = (
        problem_with_libc(sys.platform, c_library()),
        problem_with_venv_module(importlib.util.find_spec("ensurepip") is not None, version),
        problem_with_disk(shutil.disk_usage(root).free, root),
    )
    for problem in problems:
        if problem:
            raise SetupError(problem)


def make_venv(venv: Path, log: Path) -> None:
    """Make an empty virtual environment, in place of whatever is there."""
    # The real file behind the name: this may run in the very venv that is about to be cleared.
    python = str(Path(sys.executable).resolve())
    done = subprocess.run(
        [python, "-m", "venv", "--clear", str(venv)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        log.write_text(done.stdout, "utf-8")
        raise SetupError(explain_pip(done.stdout, log).replace("pip", "venv", 1))


def set_up(root: Path, venv: Path) -> None:
    """Bring the venv to what the locks and packages say, from whatever state it is in."""
    version = tuple(sys.version_info[:3])
    too_old = problem_with_python(version)
    if too_old:
        raise SetupError(too_old)
    wanted = fingerprint(root, version)
    if is_made(venv, wanted):
        return
    with alone(root):
        if is_made(venv, wanted):
            return
        check_machine(root)
        progress = Progress()
        progress.step(f"Setting up {venv} with Python {'.'.join(map(str, version))}")
        log = root / ".run" / "bootstrap.log"
        log.parent.mkdir(exist_ok=True)
        log.write_text("", "utf-8")
        stamp = venv / STAMP
        if not (stamp.is_file() and same_python(venv, version)):
            make_venv(venv, log)
        stamp.unlink(missing_ok=True)
        total = locked_count((root / LOCK).read_text("utf-8"))
        progress.step(f"Installing the {total} locked packages (log: {log})")
        locked = ("install", "--require-hashes", "--only-binary", ":all:", "-r", str(root / LOCK))
        run_pip(venv, locked, log, progress, total)
        own = packages(root)
        if own:
            progress.step(f"Installing the repository's own {len(own)} packages")
            editable = (part for path in own for part in ("--editable", str(path)))
            unlocked = ("install", "--no-deps", "--no-build-isolation", *editable)
            run_pip(venv, unlocked, log, progress, len(own))
        stamp.write_text(wanted, "utf-8")
        progress.step("Ready.")


def same_python(venv: Path, version: tuple[int, ...]) -> bool:
    """Tell whether the venv was made by the same minor version of Python."""
    return (venv / "lib" / f"python{version[0]}.{version[1]}").is_dir()


def interrupt(_signal: int, _frame: object) -> None:
    """Take a termination like Ctrl-C."""
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> int:
    """Set up and return the exit status."""
    parser = argparse.ArgumentParser(description="Make .venv what the locks ask for.")
    parser.add_argument("--venv", type=Path, help="another place for the virtual environment")
    options = parser.parse_args(arguments)
    root = Path(__file__).resolve().parent.parent
    signal.signal(signal.SIGTERM, interrupt)
    try:
        set_up(root, (options.venv or root / ".venv").absolute())
    except SetupError as error:
        print(f"holdfast: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"holdfast: Setting up failed: {error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nholdfast: Interrupted; run the same command again to go on.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
