"""``holdfast certify``: what a certificate says, and an exit status by its verdict."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Cli
from tests.unit.cli.server import Api

Write = Callable[[str, str], Path]


def certificate(**members: Any) -> str:
    document = {
        "schema": "holdfast.resume-certificate",
        "version": 1,
        "verdict": "pass",
        "seed": 7,
        "target": "processes on one machine",
        "started_at": "2026-11-22T18:13:30Z",
        "finished_at": "2026-11-22T18:14:41Z",
        "faults": [{"id": "fault-1", "void": False}],
        "runs": [{"instance": "r1"}],
        "invariants": [
            {"id": "I1", "title": "One run", "applies": True, "holds": True, "facts": 3},
            {"id": "I2", "title": "No more", "applies": False, "holds": True, "facts": 0},
        ],
        "attempts": {"total": 5, "repeated": 1, "interrupted": 1},
        "effects": {"total": 4, "duplicated": 0, "missing": 0},
        "recovery_seconds": {"count": 1, "p50": 1.5, "p99": 1.5, "max": 1.5},
        **members,
    }
    return json.dumps(document)


def test_certificate_of_the_last_demo_is_found_from_a_folder_below(
    nowhere: Cli, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(".run/demo/certificate.json", certificate())
    write("below/x", "")
    monkeypatch.chdir(nowhere.folder / "below")

    done = nowhere("certify")

    assert done.code == 0
    assert "verdict   pass\n" in done.out
    assert "effects   total 4, missing 0, duplicated 0\n" in done.out
    assert "recovery  p50 1.5 s, p99 1.5 s, max 1.5 s\n" in done.out
    assert "ok  I1" in done.out
    assert json.loads(nowhere("certify", "-o", "json").out)["seed"] == 7


def test_certificate_that_failed_exits_with_1_and_names_what_broke(
    nowhere: Cli, write: Write
) -> None:
    broken = {"id": "I2", "title": "No more", "holds": False, "violations": ["r1 twice"]}
    write("c.json", certificate(verdict="fail", invariants=[broken]))

    done = nowhere("certify", "c.json")

    assert done.code == 1
    assert "BROKEN  I2" in done.out
    assert "I2  r1 twice\n" in done.out


def test_verdict_that_is_not_pass_is_never_0(nowhere: Cli) -> None:
    for verdict in ("fail", "passed", "", None, True):
        assert nowhere("certify", "-", stdin=certificate(verdict=verdict)).code == 1


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "{", certificate(version=2), certificate(schema="x"), "[" * 100_000]
)
def test_file_that_is_no_certificate_is_refused(nowhere: Cli, text: str) -> None:
    done = nowhere("certify", "-", stdin=text)

    assert (done.code, done.out) == (7, "")


def test_certificate_that_is_not_there_is_said_to_be_missing(nowhere: Cli) -> None:
    assert nowhere("certify").code == 4
    assert nowhere("certify", "nowhere.json").code == 7


def test_certificate_is_published_with_the_page_beside_it(cli: Cli, api: Api, write: Write) -> None:
    write("c.json", certificate())
    write("c.html", "<!doctype html><p>it held")
    api.on("POST", "/certificates", {"certificate_id": "ab12"}, 201)

    done = cli("certify", "c.json", "--publish")

    assert done.code == 0
    assert f"published: {api.url}/console/certificates/ab12" in done.err
    assert api.asked[-1].json == {
        "certificate": json.loads(certificate()),
        "page": "<!doctype html><p>it held",
    }


def test_certificate_without_a_page_or_a_name_is_not_published(
    cli: Cli, api: Api, write: Write
) -> None:
    write("c.json", certificate())

    assert cli("certify", "c.json", "--publish").code == 7
    assert cli("certify", "-", "--publish", stdin=certificate()).code == 2
    assert api.asked == []


def test_certificate_that_failed_is_published_too_and_still_exits_with_1(
    cli: Cli, api: Api, write: Write
) -> None:
    write("c.json", certificate(verdict="fail"))
    write("c.html", "page")
    api.on("POST", "/certificates", {"certificate_id": "ab12"}, 201)

    assert cli("certify", "c.json", "--publish").code == 1
    assert len(api.asked) == 1
