"""Dashboards and alerts ask for what is exported, and alerts fire when they should."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client import REGISTRY, CollectorRegistry

from holdfast_activity_worker.metrics import WorkerMetrics
from holdfast_local.stack import Stack
from holdfast_local.toolchain import promtool
from holdfast_status_api.webhooks import courier
from tests.support.clone import ROOT
from tests.support.runs import start, wait_for_end
from tests.support.stacks import client_of
from tests.support.waiting import eventually

_FOLDER = ROOT / "observability"
_RULES = _FOLDER / "alerts.yaml"
_TESTS = _FOLDER / "tests" / "alerts.test.yaml"
_DASHBOARDS = sorted((_FOLDER / "dashboards").glob("*.json"))
_NAME = re.compile(r"\b(?:holdfast|dapr)_[a-z0-9_]+\b")
_SUFFIXES = ("_bucket", "_sum", "_count", "_total", "")


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(_RULES.read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def queries() -> dict[str, str]:
    """Return each query of the dashboards and the alerts, by where it stands."""
    found = {rule["alert"]: rule["expr"] for rule in rules()}
    for path in _DASHBOARDS:
        for panel in json.loads(path.read_text("utf-8"))["panels"]:
            for target in panel["targets"]:
                found[f"{path.stem}: {panel['title']} {target['refId']}"] = target["expr"]
    return found


def run_promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [promtool(), *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture(scope="module")
def exported(stack: Stack) -> set[str]:
    """Return the names of all metrics of a stack that has run something."""
    with client_of(stack) as api:
        wait_for_end(api, start(api, "task_chain", 1))
    pages = [
        f"{url}/metrics"
        for url in (stack.api_url, *(f"http://127.0.0.1:{port}" for port in metrics_ports(stack)))
    ]
    names: set[str] = set()
    for page in pages:
        text = httpx.get(page, timeout=10, trust_env=False).text
        names.update(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
        names.update(re.findall(r"^([a-z_]+)[{ ]", text, re.MULTILINE))
    # Several processes count in files: what nothing has counted yet is in no file.
    worker = CollectorRegistry()
    WorkerMetrics(worker)
    assert courier.Courier is not None  # imported, so it has registered what it counts
    for registry in (REGISTRY, worker):
        for family in registry.collect():
            names.add(family.name)
    return {f"{name}{suffix}" for name in names for suffix in _SUFFIXES} | names


def metrics_ports(stack: Stack) -> Iterator[int]:
    for name, port in stack.ports.items():
        if name.endswith("-metrics") or name in {"orchestrator", "activity-worker"}:
            yield port


def test_every_query_asks_for_a_metric_that_is_exported(exported: set[str]) -> None:
    for place, query in queries().items():
        asked = set(_NAME.findall(re.sub(r'"[^"]*"', "", query)))
        assert asked, place
        assert asked <= exported, f"{place} asks for {sorted(asked - exported)}"


def test_figures_of_the_ledger_follow_what_runs(stack: Stack, exported: set[str]) -> None:
    def counted() -> bool:
        page = httpx.get(f"{stack.api_url}/metrics", timeout=10, trust_env=False).text
        return 'holdfast_runs{state="COMPLETED",workflow="task_chain"}' in page and (
            'holdfast_attempts_per_effect{step="step1"}' in page
        )

    eventually("the run is counted", counted)


def test_promtool_finds_no_fault_in_the_rules() -> None:
    checked = run_promtool("check", "rules", _RULES)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_alerts_fire_when_they_should_and_only_then() -> None:
    tested = run_promtool("test", "rules", _TESTS)
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize("name", [rule["alert"] for rule in rules()])
def test_a_rule_that_never_fires_would_be_found(name: str, tmp_path: Path) -> None:
    """Each alert has a case of its own: without the rule, promtool says so."""
    document = yaml.safe_load(_RULES.read_text("utf-8"))
    for group in document["groups"]:
        group["rules"] = [rule for rule in group["rules"] if rule["alert"] != name]
    (tmp_path / "tests").mkdir()
    (tmp_path / _RULES.name).write_text(yaml.safe_dump(document), "utf-8")
    copy = tmp_path / "tests" / _TESTS.name
    copy.write_text(_TESTS.read_text("utf-8"), "utf-8")
    tested = run_promtool("test", "rules", copy)
    assert tested.returncode != 0
    assert name in tested.stdout + tested.stderr


@pytest.mark.parametrize("path", _DASHBOARDS, ids=lambda path: path.stem)
def test_panels_have_their_own_places(path: Path) -> None:
    dashboard = json.loads(path.read_text("utf-8"))
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    squares = [
        (x, y)
        for place in (panel["gridPos"] for panel in dashboard["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(squares) == len(set(squares))
    assert max(x for x, _ in squares) < 24
