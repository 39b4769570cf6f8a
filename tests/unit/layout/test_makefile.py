"""`make` explains itself."""

from __future__ import annotations

import re
import subprocess

from tests.support.clone import ROOT

MAKEFILE = (ROOT / "Makefile").read_text("utf-8")


def make(*arguments: str) -> str:
    done = subprocess.run(
        ["make", "-C", str(ROOT), "--no-print-directory", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_make_help_explains_every_target() -> None:
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", MAKEFILE, re.MULTILINE))
    explained = dict(re.findall(r"^  ([a-z-]+) {2,}(\S.*)$", make("help"), re.MULTILINE))

    assert {"setup", "lock", "lint", "types", "unit", "integration", "test"} <= targets
    assert {"demo", "up", "down", "status", "clean"} <= targets
    assert targets <= explained.keys()


def test_make_alone_is_make_help() -> None:
    assert make() == make("help")


def test_make_help_explains_every_variable_that_a_caller_may_set() -> None:
    settable = set(re.findall(r"^([A-Z]+) \?=", MAKEFILE, re.MULTILINE))

    assert settable
    assert [
        name for name in settable if not re.search(rf"^  {name}=", make("help"), re.MULTILINE)
    ] == []


def test_every_target_is_phony() -> None:
    phony = set(re.findall(r"^\.PHONY: (\S+)$", MAKEFILE, re.MULTILINE))

    assert phony == set(re.findall(r"^([a-z][a-z0-9-]*):", MAKEFILE, re.MULTILINE))
