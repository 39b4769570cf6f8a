"""``holdfast secrets``: every Secret that the charts refer to, and each value in one place only."""

from __future__ import annotations

import base64
import hashlib
import json
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import PostgresDsn
from sqlalchemy import make_url

from holdfast_cli import manifests
from tests.unit.cli.conftest import Cli

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
NASTY = {role: f"p'w\\{role}@:/%?" for role in ("owner", "worker", "status", "dapr")}


def printed(cli: Cli, *arguments: str, stdin: str = "") -> dict[str, dict[str, str]]:
    tokens = cli.folder / "tokens.json"
    done = cli("secrets", "--tokens-file", str(tokens), "--force", *arguments, stdin=stdin)
    assert done.code == 0, done.err
    documents = list(yaml.safe_load_all(done.out))
    assert {one["kind"] for one in documents} == {"Secret"}
    return {
        f"{one['metadata']['namespace']}/{one['metadata']['name']}": one["stringData"]
        for one in documents
    }


def test_all_that_the_charts_refer_to_is_made(nowhere: Cli) -> None:
    found = printed(nowhere)

    assert {name: set(values) for name, values in found.items()} == {
        "holdfast/holdfast-database": {"owner-url", "worker-url", "status-url"},
        "holdfast/holdfast-dapr-database": {"connectionString"},
        "holdfast/holdfast-api-tokens": {"tokens.json"},
        "holdfast/holdfast-test-token": {"token"},
        "holdfast/holdfast-dapr-api-token": {"token"},
        "holdfast/holdfast-app-token": {"token"},
        "holdfast-data/postgresql-passwords": {"owner", "worker", "status", "dapr"},
    }


def test_no_two_values_are_equal_and_none_comes_again(nowhere: Cli) -> None:
    first, second = printed(nowhere), printed(nowhere)

    def values(found: dict[str, dict[str, str]]) -> list[str]:
        return [value for secret in found.values() for value in secret.values()]

    assert len(set(values(first)) | set(values(second))) == len(values(first)) * 2


def test_tokens_are_in_the_file_and_only_their_hashes_go_to_the_cluster(nowhere: Cli) -> None:
    found = printed(nowhere)

    file = nowhere.folder / "tokens.json"
    tokens = json.loads(file.read_text())
    assert set(tokens) == {"viewer", "operator", "approver", "admin"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    known = json.loads(found["holdfast/holdfast-api-tokens"]["tokens.json"])
    assert {(one["subject"], one["role"]) for one in known} == {
        *((role, role) for role in tokens),
        ("helm-test", "operator"),
    }
    hashes = {one["subject"]: one["sha256"] for one in known}
    every = {**tokens, "helm-test": found["holdfast/holdfast-test-token"]["token"]}
    assert hashes == {
        name: hashlib.sha256(token.encode()).hexdigest() for name, token in every.items()
    }
    assert not any(token in str(found) for token in tokens.values())


def test_file_that_is_there_is_not_replaced(nowhere: Cli) -> None:
    file = nowhere.folder / "tokens.json"
    file.write_text("in use")

    done = nowhere("secrets", "--tokens-file", str(file))

    assert (done.code, done.out) == (5, "")
    assert f"{file} is there" in done.err
    assert file.read_text() == "in use"


def test_only_tokens_are_made_if_only_they_are_asked_for(nowhere: Cli) -> None:
    assert set(printed(nowhere, "--tokens-only")) == {
        "holdfast/holdfast-api-tokens",
        "holdfast/holdfast-test-token",
    }


def test_passwords_that_the_roles_have_are_used_and_no_server_is_told_others(
    nowhere: Cli,
) -> None:
    found = printed(nowhere, "--passwords", "-", stdin=json.dumps(NASTY))

    assert "holdfast-data/postgresql-passwords" not in found
    for role in ("owner", "worker", "status"):
        url = found["holdfast/holdfast-database"][f"{role}-url"]
        PostgresDsn(url)
        assert make_url(url).password == NASTY[role]
        assert make_url(url).username == f"holdfast_{role}"


def test_passwords_are_read_from_the_secret_that_holds_them(nowhere: Cli) -> None:
    data = {role: base64.b64encode(text.encode()).decode() for role, text in NASTY.items()}
    secret = json.dumps({"kind": "Secret", "data": data})

    found = printed(nowhere, "--passwords", "-", stdin=secret)

    assert make_url(found["holdfast/holdfast-database"]["worker-url"]).password == NASTY["worker"]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"owner": "s3cret"}',
        '{"owner": "s3cret", "worker": "", "status": "s", "dapr": "d"}',
        '{"kind": "Secret", "data": {"owner": "s3cret!"}}',
    ],
)
def test_file_without_the_passwords_is_refused_and_not_shown(nowhere: Cli, text: str) -> None:
    done = nowhere("secrets", "--passwords", "-", stdin=text)

    assert (done.code, done.out) == (7, "")
    assert "s3cret" not in done.err
    assert not (nowhere.folder / "holdfast-tokens.json").exists()


def words(connection: str) -> dict[str, str]:
    """Read keywords and values as libpq and pgx do."""
    found: dict[str, str] = {}
    rest = connection
    while rest:
        name, _, rest = rest.partition("='")
        value = ""
        while not rest.startswith("'"):
            rest = rest.removeprefix("\\")
            value, rest = value + rest[0], rest[1:]
        found[name.strip()], rest = value, rest[1:]
    return found


def test_sidecars_get_the_same_database_as_services(nowhere: Cli) -> None:
    found = printed(nowhere, "--passwords", "-", stdin=json.dumps(NASTY))

    connection = words(found["holdfast/holdfast-dapr-database"]["connectionString"])
    assert connection == {
        "host": "postgresql.holdfast-data.svc",
        "port": "5432",
        "user": "holdfast_dapr",
        "password": NASTY["dapr"],
        "database": "holdfast",
        "connect_timeout": "5",
        "sslmode": "disable",
    }


def test_managed_database_is_verified_and_its_roles_passwords_go_to_a_file(
    nowhere: Cli,
) -> None:
    authority, roles = nowhere.folder / "ca.pem", nowhere.folder / "roles.env"
    authority.write_text(CERTIFICATE)

    found = printed(
        nowhere,
        *("--database-host", "db.example", "--database-port", "6432", "--database-name", "hf"),
        *("--ca-file", str(authority), "--passwords-file", str(roles)),
    )

    assert "holdfast-data/postgresql-passwords" not in found
    assert found["holdfast/holdfast-database-ca"] == {"ca.crt": CERTIFICATE}
    url = make_url(found["holdfast/holdfast-database"]["status-url"])
    assert (url.host, url.port, url.database) == ("db.example", 6432, "hf")
    assert dict(url.query) == {"sslmode": "verify-full", "sslrootcert": manifests.CA_FILE}
    connection = words(found["holdfast/holdfast-dapr-database"]["connectionString"])
    assert connection["sslmode"] == "verify-full"
    assert connection["sslrootcert"] == manifests.CA_FILE
    assert f"HOLDFAST_DAPR_PASSWORD='{connection['password']}'" in roles.read_text()
    assert stat.S_IMODE(roles.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--database-host", "db.example"], "--passwords"),
        (["--tls-mode", "verify-full"], "--ca-file"),
        (["--tls-mode", "require", "--ca-file", "ca.pem"], "verifies nothing"),
        (["--passwords", "x", "--passwords-file", "y"], "exclude"),
        (["--tls-mode", "sometimes"], "tls-mode"),
        (["--database-port", "0"], "database-port"),
    ],
)
def test_what_contradicts_itself_is_refused_before_anything_is_made(
    nowhere: Cli, arguments: list[str], word: str
) -> None:
    done = nowhere("secrets", *arguments)

    assert (done.code, done.out) == (2, "")
    assert word in done.err
    assert not Path("holdfast-tokens.json").exists()


def test_file_that_is_no_certificate_is_refused(nowhere: Cli) -> None:
    file = nowhere.folder / "key.pem"
    file.write_text("-----BEGIN PRIVATE KEY-----")

    done = nowhere("secrets", "--ca-file", str(file))

    assert done.code == 7
    assert "holds no certificate" in done.err


@pytest.mark.parametrize("blank", [" ", "\t", "\n"])
def test_password_that_a_sidecar_would_take_apart_is_refused_and_not_shown(
    nowhere: Cli, blank: str
) -> None:
    given = json.dumps({**NASTY, "dapr": f"two{blank}words"})

    done = nowhere("secrets", "--passwords", "-", stdin=given)

    assert (done.code, done.out) == (7, "")
    assert "The password of holdfast_dapr has a blank in it" in " ".join(done.err.split())
    assert "words" not in done.err
    assert not Path("holdfast-tokens.json").exists()


def test_database_whose_name_a_sidecar_would_take_apart_is_refused(nowhere: Cli) -> None:
    done = nowhere("secrets", "--database-name", "hold fast")

    assert done.code == 7
    assert "The database has a blank in it" in " ".join(done.err.split())


def test_ipv6_address_is_a_host(nowhere: Cli) -> None:
    found = printed(
        nowhere, "--database-host", "fd00::5", "--passwords", "-", stdin=json.dumps(NASTY)
    )

    url: Any = make_url(found["holdfast/holdfast-database"]["owner-url"])
    assert url.host == "fd00::5"
