"""Whoever is woken by an alert finds what to do, in the page that the alert names."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.support.clone import ROOT

_PAGE = "docs/runbook.md"
_SEVERITIES = {"critical", "warning"}
#: What an entry says at least; one that only refers to another section has its link instead.
_PARTS = ("- Look: ", "- Do: ")
_ENTRY = re.compile(r"^### (?P<title>.+)\n(?P<text>(?:(?!^##).*\n?)*)", re.MULTILINE)


def alerts() -> list[dict[str, Any]]:
    document = yaml.safe_load((ROOT / "observability" / "alerts.yaml").read_text("utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def entries() -> dict[str, str]:
    page = (ROOT / _PAGE).read_text("utf-8")
    return {match["title"]: match["text"] for match in _ENTRY.finditer(page)}


def anchor(title: str) -> str:
    """Return what GitHub, and most others, make of a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_alert_names_its_entry_and_the_entry_says_what_to_look_at_and_do(
    alert: dict[str, Any],
) -> None:
    name = alert["alert"]
    entry = entries()[name]

    assert alert["annotations"]["runbook"] == f"{_PAGE}#{anchor(name)}"
    assert all(part in entry for part in _PARTS) or "](#" in entry


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_entry_says_how_bad_it_is_and_for_what_is_critical_when_to_wake_somebody(
    alert: dict[str, Any],
) -> None:
    severity = alert["labels"]["severity"]
    entry = entries()[alert["alert"]].strip()

    assert severity in _SEVERITIES
    assert entry.startswith(f"**{severity.capitalize()}.**")
    assert ("- Wake: " in entry) == (severity == "critical")


def test_no_entry_is_left_of_an_alert_that_is_gone() -> None:
    named = {title for title in entries() if title.startswith("Holdfast")}

    assert named == {alert["alert"] for alert in alerts()}


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_link_into_the_runbook_leads_to_a_heading(page: Any) -> None:
    anchors = {anchor(title) for title in entries()}
    prefix = r"\(" if page.name == "runbook.md" else r"\(runbook\.md"

    assert set(re.findall(prefix + r"#([^)]+)\)", page.read_text("utf-8"))) <= anchors
