"""Who may import whom, and what workflow code may not touch."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.clone import ROOT
from tests.unit.layout.imports import belongs_to, calls, imports, sources

SERVICES = {
    "holdfast_orchestrator": ROOT / "services" / "orchestrator",
    "holdfast_activity_worker": ROOT / "services" / "activity-worker",
    "holdfast_status_api": ROOT / "services" / "status-api",
}
#: All that contracts are made of: values, and the library that checks them.
PURE = {
    "__future__",
    "collections",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "functools",
    "hashlib",
    "holdfast_contracts",
    "importlib",
    "itertools",
    "json",
    "math",
    "pkgutil",
    "pydantic",
    "pydantic_core",
    "re",
    "typing",
}
WORKFLOW_MAY_IMPORT = PURE | {
    "holdfast_orchestrator.durable",
    "holdfast_orchestrator.engine",
    "holdfast_orchestrator.workflows",
}
#: Calls whose answer differs from one replay to the next.
NOT_REPEATABLE = {
    "now",
    "utcnow",
    "today",
    "time",
    "monotonic",
    "uuid1",
    "uuid4",
    "getenv",
    "open",
    "input",
    "id",
    "hash",
}


def workflow_modules() -> list[Path]:
    return sorted((SERVICES["holdfast_orchestrator"] / "src").rglob("workflows/*.py"))


@pytest.mark.parametrize("service", SERVICES)
def test_service_never_imports_another_service(service: str) -> None:
    files = sources(SERVICES[service])
    others = set(SERVICES) - {service}

    assert files, f"{service} has no sources"
    assert [
        str(use) for file in files for use in imports(file) if belongs_to(use.name, others)
    ] == []


@pytest.mark.parametrize("library", ["contracts", "servicekit", "chaos"])
def test_library_imports_no_service(library: str) -> None:
    files = sources(ROOT / library)

    assert files, f"{library} has no sources"
    services = set(SERVICES)
    assert [str(use) for f in files for use in imports(f) if belongs_to(use.name, services)] == []


def test_contracts_import_neither_the_engine_nor_anything_that_does_io() -> None:
    files = sources(ROOT / "contracts")

    assert files
    assert [str(use) for f in files for use in imports(f) if not belongs_to(use.name, PURE)] == []


def test_workflow_code_imports_nothing_that_a_replay_could_answer_differently() -> None:
    files = workflow_modules()

    assert {"task_chain.py", "batch_processing.py", "book_trip.py"} <= {f.name for f in files}
    bad = [u for f in files for u in imports(f) if not belongs_to(u.name, WORKFLOW_MAY_IMPORT)]
    assert [str(use) for use in bad] == []


def test_workflow_code_calls_nothing_that_a_replay_could_answer_differently() -> None:
    durable = SERVICES["holdfast_orchestrator"] / "src/holdfast_orchestrator/durable.py"

    bad = [u for f in [*workflow_modules(), durable] for u in calls(f) if u.name in NOT_REPEATABLE]
    assert [str(use) for use in bad] == []


def test_reader_of_imports_sees_every_form_of_import(tmp_path: Path) -> None:
    file = tmp_path / "planted.py"
    file.write_text(
        "import holdfast_status_api\n"
        "def late():\n"
        "    from holdfast_activity_worker.ledger import effects\n"
        "    import importlib\n"
        "    importlib.import_module('holdfast_orchestrator.app')\n"
        "if TYPE_CHECKING:\n"
        "    import random as r\n"
        "x = datetime.datetime.now()\n"
    )

    assert {use.name for use in imports(file)} == {
        "holdfast_status_api",
        "holdfast_activity_worker.ledger",
        "importlib",
        "holdfast_orchestrator.app",
        "random",
    }
    assert "now" in {use.name for use in calls(file)}
    assert belongs_to("holdfast_orchestrator.app", set(SERVICES))
    assert not belongs_to("holdfast_orchestrators", set(SERVICES))
