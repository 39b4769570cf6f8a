"""docs/scaling.md is what was measured: page and command's costs are made of the same file."""

from __future__ import annotations

import pytest

from bench.scaling.coefficients import as_text, off
from bench.scaling.commands import COEFFICIENTS, page_of
from bench.scaling.model import full_load, throughput_errors
from bench.scaling.plan import PLAN
from bench.scaling.services import services
from bench.scaling.windows import Measured
from tests.support.clone import ROOT

DOCS = ROOT / "docs"
AGAIN = "run .venv/bin/python -m bench scaling-report"


@pytest.fixture(scope="module")
def measured() -> Measured:
    return Measured.read(DOCS / "scaling.json")


def test_page_is_made_of_what_was_measured(measured: Measured) -> None:
    assert (DOCS / "scaling.md").read_text("utf-8") == page_of(measured), AGAIN


def test_command_plans_with_what_was_measured(measured: Measured) -> None:
    assert COEFFICIENTS.read_text("utf-8") == as_text(measured), AGAIN


def test_charts_are_what_they_were_when_it_was_measured(measured: Measured) -> None:
    assert measured.services == services(), "measure again: make bench-scaling"


def test_every_deployment_was_measured_more_than_once_or_the_page_says_why_not(
    measured: Measured,
) -> None:
    full = full_load(measured)
    page = (DOCS / "scaling.md").read_text("utf-8")

    assert full == PLAN.full
    for deployment in PLAN.deployments:
        assert len(measured.at(deployment, full)) > 1 or f"- {deployment} under {full}:" in page


def test_page_says_how_far_the_model_is_off(measured: Measured) -> None:
    average, most = off(throughput_errors(measured, full_load(measured)))
    page = (DOCS / "scaling.md").read_text("utf-8")

    assert f"off by **{average:.1%}**" in page
    assert f"**{most:.1%}** at most" in page
