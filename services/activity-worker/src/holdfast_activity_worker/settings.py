"""What the activity-worker is told from outside."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, HttpUrl, PostgresDsn, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from holdfast_servicekit.settings import ServiceSettings


def _database_url(value: SecretStr) -> SecretStr:
    """Refuse anything but a PostgreSQL URL, without showing the password in the error."""
    try:
        PostgresDsn(value.get_secret_value())
    except ValueError:
        raise ValueError("it must be a URL as in postgresql+psycopg://…") from None
    return value


class WorkerSettings(ServiceSettings):
    """Settings of a serving process; every name has the prefix ``HOLDFAST_``."""

    model_config = SettingsConfigDict(hide_input_in_errors=True)  # there is a password in it

    app_id: str = "activity-worker"
    #: As ``postgresql+psycopg://…``, in the role ``holdfast_worker``.
    database_url: SecretStr
    #: Activities that run at once in this process; each has a thread and a database connection.
    activity_threads: Annotated[int, Field(ge=1, le=512)] = 32
    #: ``host`` or ``host:port`` of HTTP jobs that may be asked; comma-separated, empty for none.
    job_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    #: Where notifications are posted to as CloudEvents; without it they stay in the outbox.
    webhook_url: HttpUrl | None = None

    check_database_url = field_validator("database_url")(_database_url)

    @field_validator("job_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip().lower() for part in value.split(",") if part.strip())
        return value

    @field_validator("webhook_url", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value


class MigrationSettings(BaseSettings):
    """Settings of ``migrate``."""

    model_config = SettingsConfigDict(
        env_prefix="HOLDFAST_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    #: As ``postgresql+psycopg://…``, in the role ``holdfast_owner``.
    migration_database_url: SecretStr
    log_level: str = "INFO"

    check_database_url = field_validator("migration_database_url")(_database_url)
