"""Each value that a template asks about is set by a case: of helm-unittest's, or of Dapr's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.conftest import SERVICES
from tests.charts.test_dapr import TYPED
from tests.support.clone import ROOT

CHARTS = ROOT / "charts"

_ACTION = re.compile(r"{{-?\s*(.*?)\s*-?}}", re.DOTALL)
_CONDITION = re.compile(r"(?:else )?(?:if|with)\s")
_VALUE = re.compile(r"\.Values((?:\.\w+)+)")
_OF_SERVICE = re.compile(r'\(index \.Values "([\w-]+)"\)((?:\.\w+)+)')
_OF_NAME = re.compile(r"\$(\w+)((?:\.\w+)+)")
#: A name for a part of the values, such as `$holdfast := .Values.global.holdfast`.
_NAMED = re.compile(r"\$(\w+) := .*\.Values((?:\.\w+)+)")
_NAMED_SERVICE = re.compile(r'\$(\w+) := index \.Values "([\w-]+)"')
_NAMED_PART = re.compile(r"\$(\w+) := \$(\w+)((?:\.\w+)+)")


def asked(template: str) -> Iterator[str]:
    """Yield the values that the conditions of a template ask about."""
    names: dict[str, str] = {}
    for action in _ACTION.findall(template):
        if named := _NAMED.fullmatch(action):
            names[named[1]] = named[2].strip(".")
        elif named := _NAMED_SERVICE.fullmatch(action):
            names[named[1]] = named[2]
        elif (named := _NAMED_PART.fullmatch(action)) and named[2] in names:
            names[named[1]] = names[named[2]] + named[3]
        elif _CONDITION.match(action):
            yield from (path.strip(".") for path in _VALUE.findall(action))
            yield from (service + path for service, path in _OF_SERVICE.findall(action))
            yield from (
                names[name] + path for name, path in _OF_NAME.findall(action) if name in names
            )


def flat(values: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Yield the path of each value, whether it is given by dots or by nesting."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}"


def given(chart: str) -> set[str]:
    """Return the values that the cases of a chart's suites set."""
    return {
        path
        for file in (CHARTS / chart / "tests").glob("*_test.yaml")
        for case in yaml.safe_load(file.read_text("utf-8"))["tests"]
        for path in flat(case.get("set", {}))
    }


def templates(chart: str) -> list[Path]:
    return [file for file in (CHARTS / chart / "templates").rglob("*") if file.is_file()]


@pytest.mark.parametrize(
    ("chart", "suites"),
    [
        *((name, (name, "common")) for name in SERVICES),
        ("common", ("common", *SERVICES)),
        ("holdfast", ("holdfast",)),
    ],
)
def test_each_value_that_a_condition_asks_about_is_set_by_a_case(
    chart: str, suites: tuple[str, ...]
) -> None:
    conditions = {path for file in templates(chart) for path in asked(file.read_text("utf-8"))}
    assert conditions

    paths = {path for suite in suites for path in given(suite)}
    # What the sidecar is told by annotations.
    paths |= {path for values, *_ in TYPED for path in flat({"dapr": values})}
    never = {
        path
        for path in conditions
        if not any(one == path or one.startswith(f"{path}.") for one in paths)
    }

    assert sorted(never) == []
