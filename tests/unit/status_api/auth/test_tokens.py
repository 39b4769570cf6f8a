from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from holdfast_status_api.auth.authenticator import NoAuthenticationError, make
from holdfast_status_api.auth.callers import Caller, Role
from holdfast_status_api.auth.refusals import InvalidTokenError
from holdfast_status_api.auth.tokens import TokenFile, TokenFileError
from holdfast_status_api.settings import Settings


def entry(token: str, subject: str = "ada", role: str = "viewer") -> dict[str, str]:
    return {
        "subject": subject,
        "role": role,
        "sha256": hashlib.sha256(token.encode()).hexdigest(),
    }


def write(path: Path, *entries: object) -> Path:
    path.write_text(json.dumps(entries))
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


def settings(**values: object) -> Settings:
    return Settings.model_validate(
        {"database_url": "postgresql+psycopg://nobody@/nothing"} | values
    )


def test_a_token_names_its_caller_and_its_hash_does_not(file: Path) -> None:
    tokens = TokenFile(write(file, entry("sesame"), entry("open", "bo", "admin")))
    assert tokens.find("open") == Caller("bo", frozenset({Role.ADMIN}))
    for wrong in ("", "Sesame", "sesame ", entry("sesame")["sha256"], "other"):
        assert tokens.find(wrong) is None


def test_a_changed_file_counts_at_once(file: Path) -> None:
    tokens = TokenFile(write(file, entry("sesame")))
    write(file, entry("sesame-2", role="operator"))
    assert tokens.find("sesame") is None
    found = tokens.find("sesame-2")
    assert found is not None
    assert found.role == "operator"


@pytest.mark.parametrize("bad", ["", "[]", "{", '[{"subject": "ada"}]'])
def test_a_file_that_was_spoiled_changes_nothing(file: Path, bad: str) -> None:
    tokens = TokenFile(write(file, entry("sesame")))
    file.write_text(bad)
    assert tokens.find("sesame") is not None
    file.unlink()
    assert tokens.find("sesame") is not None
    write(file, entry("new"))
    assert tokens.find("sesame") is None
    assert tokens.find("new") is not None


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [{**entry("x"), "role": "root"}],
        [{**entry("x"), "role": ""}],
        [{**entry("x"), "sha256": "sesame"}],
        [{**entry("x"), "sha256": entry("x")["sha256"].upper()}],
        [{**entry("x"), "subject": ""}],
        [{**entry("x"), "subject": "a" * 201}],
        [{**entry("x"), "subject": "ada\nevil"}],
        [{**entry("x"), "token": "x"}],
        [entry("x"), entry("x", "bo")],
        {"ada": "x"},
        ["x"],
    ],
)
def test_a_bad_file_is_said_so_in_one_line_without_what_it_holds(
    file: Path, entries: object
) -> None:
    file.write_text(json.dumps(entries))
    with pytest.raises(TokenFileError) as failure:
        make(settings(tokens_file=file))
    assert "\n" not in str(failure.value)
    assert str(file) in str(failure.value)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"oidc_issuer": "https://issuer.example"},
        {"oidc_audience": "holdfast"},
        {"oidc_issuer": "http://issuer.example", "oidc_audience": "holdfast"},
        {
            "oidc_issuer": "https://issuer.example",
            "oidc_audience": "holdfast",
            "oidc_jwks_url": "http://issuer.example/keys",
        },
    ],
)
def test_without_a_way_to_know_callers_there_is_no_service(values: dict[str, str]) -> None:
    with pytest.raises(NoAuthenticationError) as failure:
        make(settings(**values))
    assert "\n" not in str(failure.value)


def test_a_missing_file_is_an_error_and_not_an_open_door(file: Path) -> None:
    with pytest.raises(TokenFileError, match="cannot be read"):
        make(settings(tokens_file=file))


def test_nothing_but_a_known_token_is_taken(file: Path) -> None:
    authenticator = make(settings(tokens_file=write(file, entry("sesame"))))
    assert authenticator.identify("sesame").subject == "ada"
    for wrong in ("", "a.b.c", "x" * 100_000):
        with pytest.raises(InvalidTokenError):
            authenticator.identify(wrong)
