"""Resume certificates: handed in by admins, a few of them kept, and harmless whatever they hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import ProgrammingError

from holdfast_chaos.certificate import Certificate
from holdfast_chaos.publishing import NotPublishedError, publish
from tests.integration.status_api.asking import problem
from tests.integration.status_api.service import Service, running_service
from tests.support.certificates import certificate, deposit
from tests.support.postgres import Database
from tests.unit.chaos.script import EPOCH, clean

pytestmark = pytest.mark.integration

KEPT = 3
LARGEST = 200_000
BROKEN = {"id": "I2", "title": "No more", "holds": False, "violations": ["r1 twice"]}


@pytest.fixture(scope="module")
def keeping(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Give a status API that keeps three certificates of a moderate size."""
    environment = {
        "HOLDFAST_CERTIFICATES_KEPT": str(KEPT),
        "HOLDFAST_LARGEST_CERTIFICATE_BYTES": str(LARGEST),
    }
    with running_service(database, tmp_path_factory.mktemp("keeping"), environment) as service:
        yield service


@pytest.fixture
def admin(keeping: Service) -> Iterator[httpx.Client]:
    """Give a client that finds no certificate and leaves none behind."""
    with keeping.client("admin") as client:
        yield client
        for one in listed(client):
            assert client.delete(f"/certificates/{one['certificate_id']}").status_code == 204
        assert listed(client) == []


def listed(api: httpx.Client) -> list[dict[str, Any]]:
    answer = api.get("/certificates")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["certificates"]
    return found


def test_certificate_of_the_suite_is_kept_as_it_was_written(
    admin: httpx.Client, tmp_path: Path
) -> None:
    written = Certificate(
        clean(), seed=7, target="test", started_at=EPOCH, finished_at=EPOCH
    ).write(tmp_path)
    place = publish(admin, written)

    (kept,) = listed(admin)
    assert place == f"{admin.base_url}/console/certificates/{kept['certificate_id']}"
    assert (kept["verdict"], kept["seed"], kept["stored_by"]) == ("pass", 7, "admin")
    assert kept["runs"] == len(clean().runs)
    assert kept["faults"] == len(clean().faults)
    for name in (kept["certificate_id"], "latest"):
        assert admin.get(f"/certificates/{name}").json() == json.loads(
            written["json"].read_text("utf-8")
        )
        page = admin.get(f"/certificates/{name}/page")
        assert page.text == written["html"].read_text("utf-8")
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"


def test_same_certificate_handed_in_again_is_the_same_one(admin: httpx.Client) -> None:
    first = admin.post("/certificates", json=deposit())
    again = admin.post("/certificates", json=deposit())
    other = admin.post("/certificates", json=deposit(page="another page"))

    assert [answer.status_code for answer in (first, again, other)] == [201, 200, 201]
    assert first.json() == again.json()
    assert first.headers["Location"] == f"/certificates/{first.json()['certificate_id']}"
    assert len(listed(admin)) == 2


def test_only_the_newest_are_kept_however_they_come(admin: httpx.Client) -> None:
    def hand_in(seed: int) -> str:
        answer = admin.post("/certificates", json=deposit(seed=seed))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["certificate_id"])

    names = [hand_in(seed) for seed in range(5)]
    assert [one["seed"] for one in listed(admin)] == [4, 3, 2]
    assert admin.get("/certificates/latest").json()["seed"] == 4
    problem(admin.get(f"/certificates/{names[0]}"), 404)
    problem(admin.get(f"/certificates/{names[0]}/page"), 404)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(hand_in, range(100, 124)))
    assert len(listed(admin)) == KEPT


def test_certificate_that_failed_is_kept_as_well(admin: httpx.Client) -> None:
    answer = admin.post("/certificates", json=deposit(verdict="fail", invariants=[BROKEN]))
    assert answer.status_code == 201
    assert listed(admin)[0]["verdict"] == "fail"


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({}, "/certificate"),
        ({"certificate": certificate()}, "/page"),
        (deposit(page=""), "/page"),
        ({**deposit(), "page": 1}, "/page"),
        ({**deposit(), "more": 1}, "/more"),
        (deposit(schema="other"), "/certificate/schema"),
        (deposit(version=2), "/certificate/version"),
        (deposit(verdict="maybe"), "/certificate/verdict"),
        (deposit(seed="7"), "/certificate/seed"),
        (deposit(seed=2**63), "/certificate/seed"),
        (deposit(target="x" * 201), "/certificate/target"),
        (deposit(finished_at="yesterday"), "/certificate/finished_at"),
        (deposit(finished_at=1_700_000_000), "/certificate/finished_at"),
        (deposit(started_at="0001-01-01T00:00:00+23:59"), "/certificate/started_at"),
        (deposit(faults=[1]), "/certificate/faults/0"),
        (deposit(invariants=[]), "/certificate/invariants"),
        (deposit(invariants=[{"id": "I1", "holds": 1}]), "/certificate/invariants/0/holds"),
        # Its own facts say something else.
        (deposit(invariants=[BROKEN]), "/certificate"),
        (deposit(faults=[]), "/certificate"),
        (deposit(verdict="fail"), "/certificate"),
    ],
)
def test_what_is_no_certificate_is_refused_by_its_pointer(
    admin: httpx.Client, document: dict[str, Any], pointer: str
) -> None:
    body = problem(admin.post("/certificates", json=document), 422)
    assert pointer in {fault["pointer"] for fault in body["errors"]}
    assert listed(admin) == []


def test_size_has_a_limit_with_and_without_a_declared_length(admin: httpx.Client) -> None:
    page = "x" * LARGEST
    problem(admin.post("/certificates", json=deposit(page=page)), 413)
    chunks = iter([json.dumps(deposit(page=page)).encode()])
    chunked = admin.post(
        "/certificates", content=chunks, headers={"Content-Type": "application/json"}
    )
    problem(chunked, 413)
    problem(admin.post("/certificates", content=b"{}", headers={"Content-Type": "text/plain"}), 415)
    assert listed(admin) == []


@pytest.mark.parametrize("role", ["viewer", "operator", "approver"])
def test_others_read_certificates_and_change_none(
    keeping: Service, admin: httpx.Client, role: str
) -> None:
    kept = admin.post("/certificates", json=deposit()).json()
    with keeping.client(role) as client:
        assert listed(client)[0] == kept
        assert client.get(kept["links"]["page"]).text == deposit()["page"]
        problem(client.post("/certificates", json=deposit(seed=8)), 403)
        problem(client.delete(kept["links"]["self"]), 403)
    assert [one["seed"] for one in listed(admin)] == [7]


@pytest.mark.parametrize("name", ["never-seen", "0" * 32, "..", "%00", "x" * 3000, "latest"])
def test_what_was_never_handed_in_is_a_404(admin: httpx.Client, name: str) -> None:
    for answer in (
        admin.get(f"/certificates/{name}"),
        admin.get(f"/certificates/{name}/page"),
        admin.delete(f"/certificates/{name}"),
    ):
        assert answer.status_code in {404, 405, 414}, answer.text


def test_page_comes_with_a_policy_under_which_nothing_in_it_runs(admin: httpx.Client) -> None:
    evil = "<script>alert(1)</script>"
    kept = admin.post("/certificates", json=deposit(page=evil)).json()
    answer = admin.get(kept["links"]["page"])

    assert answer.text == evil
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert policy[0] == "sandbox"
    assert "default-src 'none'" in policy
    assert not [part for part in policy if part.startswith(("sandbox ", "script-src"))]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"


def test_every_change_is_in_the_audit_log(admin: httpx.Client, keeping: Service) -> None:
    kept = admin.post("/certificates", json=deposit(seed=99)).json()["certificate_id"]
    with keeping.client("viewer") as viewer:
        viewer.post("/certificates", json=deposit())
    admin.delete(f"/certificates/{kept}")

    entries = admin.get("/audit", params={"limit": 3}).json()["entries"]
    assert [(e["action"], e["target"], e["status"], e["subject"]) for e in entries] == [
        ("certificate.delete", kept, 204, "admin"),
        ("certificate.store", "", 403, "viewer"),
        ("certificate.store", kept, 201, "admin"),
    ]


def test_service_cannot_rewrite_a_certificate(database: Database, admin: httpx.Client) -> None:
    admin.post("/certificates", json=deposit())
    engine = create_engine(database.url("status"))
    forged = text("UPDATE status.certificates SET verdict = 'pass'")
    with pytest.raises(ProgrammingError, match="permission denied"), engine.begin() as connection:
        connection.execute(forged)
    engine.dispose()


def test_suite_says_why_a_certificate_was_not_taken(
    keeping: Service, admin: httpx.Client, tmp_path: Path
) -> None:
    files = {"json": tmp_path / "c.json", "html": tmp_path / "c.html"}
    files["json"].write_text(json.dumps(certificate(verdict="fail")), "utf-8")
    files["html"].write_text("page", "utf-8")
    with pytest.raises(NotPublishedError, match="422"):
        publish(admin, files)
    with keeping.client("viewer") as viewer, pytest.raises(NotPublishedError, match="403"):
        publish(viewer, files)
