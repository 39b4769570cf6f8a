"""The door alone, in front of a small app."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from flask import Flask, Response, jsonify
from flask.testing import FlaskClient
from sqlalchemy import create_engine

from holdfast_servicekit import problems
from holdfast_status_api.auth import guard
from holdfast_status_api.auth.authenticator import make
from holdfast_status_api.auth.callers import Role, caller
from holdfast_status_api.auth.sessions import Sessions
from holdfast_status_api.settings import Settings

MINUTE = {"read_rate": "4/minute", "write_rate": "2/minute", "workers": 1}


def client(folder: Path, **settings: object) -> FlaskClient:
    tokens = folder / "tokens.json"
    hashes = [
        {"subject": who, "role": role, "sha256": hashlib.sha256(who.encode()).hexdigest()}
        for who, role in (("ada", "admin"), ("bo", "operator"), ("cy", "viewer"))
    ]
    tokens.write_text(json.dumps(hashes))
    url = "postgresql+psycopg://nobody@127.0.0.1:1/nothing?connect_timeout=1"
    values = {"database_url": url, "tokens_file": tokens} | settings
    made = Settings.model_validate(values)
    app = Flask(__name__)
    problems.register(app)
    engine = create_engine(made.database_url)
    guard.install(app, made, engine, make(made), Sessions(engine, 1024))

    @app.get("/whoami")
    def whoami() -> Response:
        return jsonify(caller().subject)

    @app.route("/new", methods=["GET", "POST"])
    def new() -> Response:
        return jsonify("never seen")

    @app.post("/batches")
    def batches() -> Response:
        return jsonify("done")

    return app.test_client()


def bearer(who: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {who}"}


@pytest.mark.parametrize("who", ["ada", "bo", "cy"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_route_without_a_rule_is_denied_to_everybody(
    tmp_path: Path, who: str, method: str
) -> None:
    answer = client(tmp_path).open("/new", method=method, headers=bearer(who))
    assert answer.status_code == 403
    assert "never seen" not in answer.text


@pytest.mark.parametrize("path", ["/whoami", "/new", "/nowhere", "/", "/whoami/", "//whoami"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "TRACE", "X"])
def test_without_a_token_everything_is_the_same_401(tmp_path: Path, path: str, method: str) -> None:
    answer = client(tmp_path).open(path, method=method)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="holdfast"'
    if method != "HEAD":
        assert answer.json is not None
        assert answer.json["title"] == "A token is needed"


@pytest.mark.parametrize(
    ("header", "status", "error"),
    [
        ("", 401, None),
        ("Basic YWRhOmFkYQ==", 401, None),
        ("ada", 401, None),
        ("Token ada", 401, None),
        ("Bearer", 400, "invalid_request"),
        ("Bearer ", 400, "invalid_request"),
        ("Bearer ada bo", 400, "invalid_request"),
        ("Bearer ada,Bearer ada", 400, "invalid_request"),
        ("Bearer ada, Bearer cy", 400, "invalid_request"),
        ("Bearer\tada", 400, "invalid_request"),
        ("Bearer:ada", 400, "invalid_request"),
        ("Bearer äda", 400, "invalid_request"),
        ('Bearer a"da', 400, "invalid_request"),
        ("Bearer Ada", 401, "invalid_token"),
        ("Bearer ada=", 401, "invalid_token"),
        ("Bearer " + "a" * 9000, 401, "invalid_token"),
    ],
)
def test_what_is_no_token_is_refused_as_the_rfc_says(
    tmp_path: Path, header: str, status: int, error: str | None
) -> None:
    answer = client(tmp_path).get("/whoami", headers={"Authorization": header})
    assert answer.status_code == status
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="holdfast"')
    assert (f'error="{error}"' in challenge) is (error is not None)
    assert "äda" not in answer.text


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_read_without_regard_to_case(tmp_path: Path, scheme: str) -> None:
    answer = client(tmp_path).get("/whoami", headers={"Authorization": f"{scheme} ada"})
    assert answer.json == "ada"


def test_a_token_in_the_query_or_in_a_form_or_in_a_cookie_is_not_one(tmp_path: Path) -> None:
    door = client(tmp_path)
    door.set_cookie("access_token", "ada")
    assert door.get("/whoami?access_token=ada").status_code == 401
    assert door.post("/batches", data={"access_token": "ada"}).status_code == 401


def test_a_403_names_the_roles_that_would_do(tmp_path: Path) -> None:
    answer = client(tmp_path).post("/batches", headers=bearer("cy"))
    assert answer.status_code == 403
    assert answer.json is not None
    assert answer.json["roles_needed"] == [Role.ADMIN, Role.OPERATOR]
    assert "admin or operator" in answer.json["detail"]
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def test_each_subject_has_a_budget_for_reads_and_one_for_writes(tmp_path: Path) -> None:
    door = client(tmp_path, **MINUTE)
    reads = [door.get("/whoami", headers=bearer("bo")).status_code for _ in range(6)]
    assert reads == [200, 200, 200, 200, 429, 429]
    refused = door.get("/whoami", headers=bearer("bo"))
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["RateLimit-Policy"] == '"reads";q=4;w=60'
    assert refused.headers["RateLimit"].startswith('"reads";r=0;t=')
    assert refused.content_type == "application/problem+json"

    writes = [door.post("/batches", headers=bearer("bo")).status_code for _ in range(3)]
    assert writes == [200, 200, 429]
    other = door.get("/whoami", headers=bearer("ada"))
    assert other.status_code == 200
    assert other.headers["RateLimit"].startswith('"reads";r=3;')


def test_refused_requests_count_and_requests_without_a_caller_do_not(tmp_path: Path) -> None:
    door = client(tmp_path, **MINUTE)
    for _ in range(10):
        assert door.post("/batches", headers=bearer("nobody")).status_code == 401
    codes = [door.post("/batches", headers=bearer("cy")).status_code for _ in range(3)]
    assert codes == [403, 403, 429]


def test_several_processes_share_a_budget(tmp_path: Path) -> None:
    door = client(tmp_path, **(MINUTE | {"workers": 2}))
    codes = [door.get("/whoami", headers=bearer("bo")).status_code for _ in range(3)]
    assert codes == [200, 200, 429]


@pytest.mark.parametrize("rate", ["", "many", "0", "10", "10/fortnight"])
def test_a_rate_that_is_none_is_refused_at_the_start(tmp_path: Path, rate: str) -> None:
    with pytest.raises(ValueError, match="read_rate"):
        client(tmp_path, read_rate=rate)
