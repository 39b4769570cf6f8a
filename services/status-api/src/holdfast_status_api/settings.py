"""What the status API is told from outside."""

from __future__ import annotations

from pydantic import Field

from holdfast_servicekit.settings import ServiceSettings


class Settings(ServiceSettings):
    """The settings of a serving process; every name has the prefix ``HOLDFAST_``."""

    app_id: str = "status-api"
    database_url: str

    workers: int = Field(default=2, ge=1, le=64)
    threads: int = Field(default=8, ge=1, le=256)

    #: A workflow's input or an event's data; the engine stalls near 4 MiB a message.
    largest_document_bytes: int = Field(default=1024 * 1024, ge=1)
    #: A CSV of legs: the largest batch has about 1 MB.
    largest_csv_bytes: int = Field(default=10 * 1024 * 1024, ge=1)

    #: How many starts, and how many events, one process has on the way to the orchestrator.
    #: The engine keeps a start waiting for seconds while the activity worker is away.
    dispatch_concurrency: int = Field(default=8, ge=1, le=64)


class MigrationSettings(ServiceSettings):
    """The settings of ``migrate``, which runs as the owner of the schemas."""

    app_id: str = "status-api"
    migration_database_url: str
