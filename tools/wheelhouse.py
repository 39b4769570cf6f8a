"""Fetch what the images are made of, checked against the locks, into dist/wheelhouse.

With it `docker build` needs no network: for machines whose containers reach no package index.
A wheelhouse that is complete is left as it is.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("build", "orchestrator", "activity-worker", "status-api")
#: glibc of Debian 12 and of the official slim images is newer than all of these.
GLIBC = ("2_28", "2_27", "2_26", "2_24", "2_17", "2_12", "2_5")
STAMP = "complete"


def platforms(machine: str) -> list[str]:
    """Return the platforms of wheels that the images take, best first."""
    old = [f"manylinux2014_{machine}", f"linux_{machine}"]
    return [*(f"manylinux_{version}_{machine}" for version in GLIBC), *old]


def fingerprint(locks: list[Path], python: str, machine: str) -> str:
    """Return the checksum of all that decides what is in the wheelhouse."""
    digest = hashlib.sha256(f"{python} {machine}".encode())
    for lock in locks:
        digest.update(lock.read_bytes())
    return digest.hexdigest()


def fetch(target: Path, lock: Path, python: str, machine: str) -> int:
    """Fetch the wheels of one lock; return pip's exit status."""
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--require-hashes", "--only-binary", ":all:", "--no-deps", "--dest", str(target)),
        *("--implementation", "cp", "--python-version", python),
        *("--abi", f"cp{python.replace('.', '')}", "--abi", "abi3", "--abi", "none"),
        *(part for name in platforms(machine) for part in ("--platform", name)),
        *("--requirement", str(lock)),
    ]
    return subprocess.run(command, check=False).returncode


def main() -> int:
    """Fill the wheelhouse; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", type=Path, default=ROOT / "dist" / "wheelhouse")
    parser.add_argument("--python", default="3.11", help="the Python of the images' base")
    parser.add_argument("--machine", default=platform.machine(), help="x86_64 or aarch64")
    options = parser.parse_args()
    locks = [ROOT / "requirements" / f"{name}.txt" for name in LOCKS]
    wanted = fingerprint(locks, options.python, options.machine)
    stamp = options.target / STAMP
    if stamp.is_file() and stamp.read_text("utf-8") == wanted:
        return 0
    shutil.rmtree(options.target, ignore_errors=True)
    options.target.mkdir(parents=True)
    for lock in locks:
        status = fetch(options.target, lock, options.python, options.machine)
        if status:
            return status
    stamp.write_text(wanted, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
