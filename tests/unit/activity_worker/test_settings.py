from __future__ import annotations

import pytest
from pydantic import ValidationError

from holdfast_activity_worker.settings import MigrationSettings, WorkerSettings

URL = "postgresql+psycopg://holdfast_worker:sesame@127.0.0.1:5432/holdfast"


@pytest.fixture(autouse=True)
def _database_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", URL)


def test_job_hosts_are_a_comma_separated_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_JOB_HOSTS", " Jobs.Example ,127.0.0.1:8080,, ")
    assert WorkerSettings().job_hosts == ("jobs.example", "127.0.0.1:8080")


def test_no_job_host_is_allowed_by_default() -> None:
    assert WorkerSettings().job_hosts == ()


def test_an_empty_webhook_is_no_webhook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_WEBHOOK_URL", "")
    assert WorkerSettings().webhook_url is None


def test_a_password_is_not_shown() -> None:
    assert "sesame" not in repr(WorkerSettings())


@pytest.mark.parametrize("url", ["sqlite:///sesame.db", "sesame", ""])
def test_another_database_is_refused_without_showing_the_url(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", url)
    with pytest.raises(ValidationError) as refusal:
        WorkerSettings()
    assert "database_url" in str(refusal.value)
    assert "sesame" not in str(refusal.value)


def test_migrate_names_the_variable_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOLDFAST_MIGRATION_DATABASE_URL", raising=False)
    with pytest.raises(ValidationError, match="migration_database_url"):
        MigrationSettings()
