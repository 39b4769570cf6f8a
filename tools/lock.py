"""Write the locks: every dependency of every package, resolved together, with hashes.

`requirements/dev.txt` is the whole of it. The packages' `pyproject.toml` files are the source of
what they need at run time; `requirements/dev.in` adds what works on the repository itself. The
other locks are parts of it, in the same versions: one for each service's image, and `build.txt` for
what the images are built with. Whom `make bench` measures Holdfast with has locks of its own,
`bench-*.txt`, for environments apart.
Run it as `make lock`; `make lock UPGRADE=1` also takes newer versions.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from bootstrap import packages

ROOT = Path(__file__).resolve().parent.parent
OWN_PREFIX = "holdfast-"
CONSTRAINTS = "requirements/constraints.txt"


def distribution(requirement: str) -> str:
    """Return the normalised name that a requirement line asks for."""
    match = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", requirement)
    if match is None:
        raise ValueError(f"not a requirement: {requirement!r}")
    return re.sub(r"[-_.]+", "-", match[1]).lower()


def external_dependencies(package: Path) -> list[str]:
    """Return what a package needs from outside this repository."""
    project = tomllib.loads((package / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project.get("optional-dependencies", {}).values()
    every = [*project.get("dependencies", []), *(line for extra in extras for line in extra)]
    return [line for line in every if not distribution(line).startswith(OWN_PREFIX)]


def requirements_of(paths: list[Path]) -> str:
    """Return one requirements file that says what the packages need, and which one needs it."""
    return "".join(
        f"{requirement}  # {path.relative_to(ROOT)}\n"
        for path in paths
        for requirement in external_dependencies(path)
    )


def own_dependencies(package: Path) -> list[Path]:
    """Return the package and those of this repository that it needs, directly or not."""
    project = tomllib.loads((package / "pyproject.toml").read_text("utf-8"))["project"]
    names = {distribution(line) for line in project.get("dependencies", [])}
    needed = [path for path in packages(ROOT) if OWN_PREFIX + path.name in names]
    return [package, *(further for path in needed for further in own_dependencies(path))]


def compile_lock(
    source: str, target: Path, *inputs: Path, upgrade: bool, constraints: str = CONSTRAINTS
) -> int:
    """Resolve the requirements into a lock with a hash for every file of every version."""
    command = [
        *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal"),
        *("--python-version", "3.11", "--generate-hashes", "--no-emit-index-url"),
        *("--no-annotate", "--custom-compile-command", "make lock"),
        *("--constraints", constraints, "--output-file", str(target)),
        *(["--upgrade"] if upgrade else []),
        *map(str, inputs),
        "-",
    ]
    return subprocess.run(command, input=source, text=True, cwd=ROOT, check=False).returncode


def main() -> int:
    """Write every lock; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take newer versions too")
    upgrade: bool = parser.parse_args().upgrade
    dev_in, dev_txt = Path("requirements/dev.in"), Path("requirements/dev.txt")
    status = compile_lock(requirements_of(packages(ROOT)), dev_txt, dev_in, upgrade=upgrade)
    parts = {
        service.name: requirements_of(sorted(set(own_dependencies(service))))
        for service in sorted((ROOT / "services").glob("*/"))
        if (service / "pyproject.toml").is_file()
    }
    parts["build"] = (ROOT / "requirements" / "build.in").read_text("utf-8")
    for name, source in parts.items():
        target = Path("requirements") / f"{name}.txt"
        # The versions are the whole lock's: an old part must not hold them back.
        status = status or compile_lock(source, target, upgrade=True, constraints=str(dev_txt))
    for source_file in sorted((ROOT / "requirements").glob("bench-*.in")):
        target = Path("requirements") / f"{source_file.stem}.txt"
        rival = source_file.read_text("utf-8")
        status = status or compile_lock(rival, target, upgrade=upgrade)
    return status


if __name__ == "__main__":
    sys.exit(main())
