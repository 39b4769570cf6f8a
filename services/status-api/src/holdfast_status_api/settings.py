"""What the status API is told from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from limits import parse
from pydantic import AfterValidator, BeforeValidator, Field

from holdfast_servicekit.settings import ServiceSettings
from holdfast_status_api.auth.callers import Role


def _rate(text: str) -> str:
    parse(text)  # raises ValueError
    return text


#: As ``limits`` writes it: ``4000/second``, ``100 per 5 minutes``.
Rate = Annotated[str, AfterValidator(_rate)]
#: A variable that is set to nothing is not set: it does not name the current folder.
File = Annotated[Path | None, BeforeValidator(lambda path: path or None)]


class Settings(ServiceSettings):
    """The settings of a serving process; every name has the prefix ``HOLDFAST_``."""

    app_id: str = "status-api"
    database_url: str

    workers: int = Field(default=2, ge=1, le=64)
    #: How many requests one process answers at once.
    threads: int = Field(default=64, ge=1, le=1024)
    #: How many it holds besides, with ``Prefer: wait`` or as a stream of events.
    held_requests: int = Field(default=512, ge=0, le=4096)
    #: Connections to the database, for answering; the threads share them.
    database_connections: int = Field(default=8, ge=1, le=256)

    #: Runs that ended that long ago are purged; without it none is.
    retention_days: float | None = Field(default=None, gt=0)
    #: How long a run whose deadline has passed may take to undo what it did; then it is ended.
    deadline_grace_seconds: float = Field(default=3600.0, ge=0)
    #: How often the engine is asked for runs that did not come through this API.
    reconcile_seconds: float = Field(default=30.0, gt=0)

    #: How long a run may be late before it is taken for frozen: a restart takes some seconds.
    frozen_grace_seconds: float = Field(default=120.0, gt=0)

    #: A workflow's input or an event's data; the engine stalls near 4 MiB a message.
    largest_document_bytes: int = Field(default=1024 * 1024, ge=1)
    #: A CSV of legs: the largest batch has about 1 MB.
    largest_csv_bytes: int = Field(default=10 * 1024 * 1024, ge=1)

    #: A resume certificate with its page, and how many of the newest are kept.
    largest_certificate_bytes: int = Field(default=16 * 1024 * 1024, ge=1)
    certificates_kept: int = Field(default=20, ge=1, le=1000)

    #: How many starts, and how many events, one process has on the way to the orchestrator.
    #: The engine keeps a start waiting for seconds while the activity worker is away.
    dispatch_concurrency: int = Field(default=8, ge=1, le=64)

    #: Static tokens: a JSON list of objects with subject, role and sha256.
    tokens_file: File = None
    #: An OpenID Connect issuer whose tokens for this audience are taken. Its keys come from the
    #: file, else from the URL, else from where its discovery document says.
    oidc_issuer: str = ""
    oidc_audience: str = ""
    oidc_jwks_url: str = ""
    oidc_jwks_file: File = None
    oidc_role_claim: str = "role"
    #: Values of the claim and what role each gives; empty: the roles' own names.
    oidc_roles: dict[str, Role] = Field(default_factory=dict)

    #: What one subject may ask of all processes of this service together.
    read_rate: Rate = "4000/second"
    write_rate: Rate = "1000/second"
    #: How many proxies in front of the service add to X-Forwarded-For; 0: nobody is believed.
    trusted_proxies: int = Field(default=0, ge=0, le=8)

    #: Where a webhook may point besides the public internet.
    webhook_allow_loopback: bool = False
    webhook_allow_private: bool = False
    #: How often a lifecycle event is tried, how long one attempt may take, and the first pause
    #: between two; the pauses double, up to an hour.
    webhook_attempts: int = Field(default=12, ge=1, le=100)
    webhook_timeout_seconds: float = Field(default=10.0, gt=0, le=60)
    webhook_first_retry_seconds: float = Field(default=1.0, gt=0, le=3600)


class MigrationSettings(ServiceSettings):
    """The settings of ``migrate``, which runs as the owner of the schemas."""

    app_id: str = "status-api"
    migration_database_url: str
