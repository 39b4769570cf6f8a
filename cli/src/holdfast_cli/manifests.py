"""The Secrets that Holdfast's charts refer to, with fresh values or those of a database that is."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from secrets import token_urlsafe
from typing import Any
from urllib.parse import quote, urlencode

import yaml

#: Roles of the status API; each gets a token whose subject has the role's name.
API_ROLES = ("viewer", "operator", "approver", "admin")
#: Roles of the database, as components/postgresql/roles.sql makes them: `holdfast_<role>`.
DATABASE_ROLES = ("owner", "worker", "status", "dapr")
#: Where the charts mount the certificate of the database's authority, in services and sidecars.
CA_FILE = "/etc/holdfast/database-ca/ca.crt"
#: Whose token `helm test` has. It is no person, so nobody's own orders are decided by it.
TESTER = "helm-test"
_RANDOM_BYTES = 32


class TlsMode(StrEnum):
    """What a connection to the database asks for; the names are PostgreSQL's own."""

    DISABLE = "disable"
    REQUIRE = "require"
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"

    @property
    def verifies(self) -> bool:
        """Tell whether the server must prove who it is."""
        return self in {TlsMode.VERIFY_CA, TlsMode.VERIFY_FULL}


@dataclass(frozen=True)
class Database:
    """Where the database is and how its roles come in."""

    host: str
    port: int
    name: str
    tls: TlsMode
    passwords: Mapping[str, str]

    def url(self, role: str) -> str:
        """Return the URL by which a service connects in that role."""
        user = f"holdfast_{role}:{quote(self.passwords[role], safe='')}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        query = urlencode(self._tls(), safe="/")
        return f"postgresql+psycopg://{user}@{host}:{self.port}/{quote(self.name)}?{query}"

    def connection_string(self, role: str) -> str:
        """Return the same for a sidecar, in the form of keywords.

        Raises ``ValueError`` for a blank in a value: Dapr takes the string apart there, quoted or
        not. The message shows no value.
        """
        keywords = {
            "host": self.host,
            "port": str(self.port),
            "user": f"holdfast_{role}",
            "password": self.passwords[role],
            "database": self.name,
            "connect_timeout": "5",
            **self._tls(),
        }
        for name, value in keywords.items():
            if any(map(str.isspace, value)):
                of = f" of holdfast_{role}" if name == "password" else ""
                raise ValueError(
                    f"The {name}{of} has a blank in it, where Dapr's sidecars take their"
                    " connection string apart: give it another one."
                )
        return " ".join(f"{name}={_quoted(value)}" for name, value in keywords.items())

    def _tls(self) -> dict[str, str]:
        mode = {"sslmode": str(self.tls)}
        return {**mode, "sslrootcert": CA_FILE} if self.tls.verifies else mode


def fresh_passwords() -> dict[str, str]:
    """Make a password for each role of the database."""
    return {role: token_urlsafe(_RANDOM_BYTES) for role in DATABASE_ROLES}


def fresh_tokens() -> dict[str, str]:
    """Make a token of the status API for each of its roles, and one for `helm test`."""
    return {role: f"holdfast_{role}_{token_urlsafe(_RANDOM_BYTES)}" for role in API_ROLES}


def database_secrets(namespace: str, database: Database) -> list[dict[str, Any]]:
    """Return what the services and the sidecars connect to the database with."""
    urls = {f"{role}-url": database.url(role) for role in ("owner", "worker", "status")}
    connection = {"connectionString": database.connection_string("dapr")}
    return [
        _secret(namespace, "holdfast-database", urls),
        _secret(namespace, "holdfast-dapr-database", connection),
    ]


def server_secret(namespace: str, passwords: Mapping[str, str]) -> dict[str, Any]:
    """Return what the development database gives its roles their passwords from."""
    return _secret(namespace, "postgresql-passwords", passwords)


def authority_secret(namespace: str, certificate: str) -> dict[str, Any]:
    """Return the certificate of the database's authority: no secret, but mounted like one."""
    return _secret(namespace, "holdfast-database-ca", {"ca.crt": certificate})


def token_secrets(namespace: str, tokens: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return what the status API knows of its tokens, and a token of `helm test`'s own."""
    tester = f"holdfast_{TESTER}_{token_urlsafe(_RANDOM_BYTES)}"
    known = [_known(role, role, token) for role, token in tokens.items()]
    known.append(_known(TESTER, "operator", tester))
    return [
        _secret(namespace, "holdfast-api-tokens", {"tokens.json": json.dumps(known, indent=1)}),
        _secret(namespace, "holdfast-test-token", {"token": tester}),
    ]


def sidecar_secrets(namespace: str) -> list[dict[str, Any]]:
    """Return the tokens by which a sidecar knows its service, and a service its sidecar."""
    return [
        _secret(namespace, name, {"token": token_urlsafe(_RANDOM_BYTES)})
        for name in ("holdfast-dapr-api-token", "holdfast-app-token")
    ]


def passwords_in(text: str) -> dict[str, str]:
    """Read the roles' passwords: a mapping of them, or the Secret that holds them.

    Raises ``ValueError`` that says what is wrong, and shows no password.
    """
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        raise ValueError("it is neither JSON nor YAML") from None
    found: dict[str, Any] = document if isinstance(document, dict) else {}
    if found.get("kind") == "Secret":
        encoded = found.get("data") or {}
        try:
            decoded = {name: base64.b64decode(value).decode() for name, value in encoded.items()}
        except (ValueError, TypeError, AttributeError):
            raise ValueError("the Secret's data are not base64") from None
        found = {**decoded, **(found.get("stringData") or {})}
    missing = [
        role for role in DATABASE_ROLES if not (isinstance(found.get(role), str) and found[role])
    ]
    if missing:
        raise ValueError(f"it has no password of {', '.join(missing)}")
    return {role: found[role] for role in DATABASE_ROLES}


def environment(passwords: Mapping[str, str]) -> str:
    """Return the lines of a shell that components/postgresql/roles.sql takes passwords from."""
    return "".join(
        f"export HOLDFAST_{role.upper()}_PASSWORD='{password}'\n"
        for role, password in passwords.items()
    )


def _known(subject: str, role: str, token: str) -> dict[str, str]:
    digest = hashlib.sha256(token.encode()).hexdigest()
    return {"subject": subject, "role": role, "sha256": digest}


def _secret(namespace: str, name: str, values: Mapping[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/part-of": "holdfast"},
        },
        "type": "Opaque",
        "stringData": dict(values),
    }


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
