"""What makes a cluster's Dapr too old: its version, and what its definitions lack."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast_cluster.dapr import older_definitions, parse_version


def definition(name: str, *fields: str, version: str = "v1") -> dict[str, Any]:
    spec = {"type": "object", "properties": {field: {"type": "string"} for field in fields}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    return {
        "metadata": {"name": name},
        "spec": {"versions": [{"name": version, "schema": schema}]},
    }


def test_definition_that_is_missing_or_lacks_a_field_or_a_version_is_older() -> None:
    ours = [definition("a", "x"), definition("b", "x", "y"), definition("c", "x")]
    theirs = {
        "b": definition("b", "x"),
        "c": definition("c", "x", version="v1alpha1"),
    }

    assert older_definitions(ours, theirs) == ["a", "b", "c"]


def test_definition_with_more_than_ours_is_not_older() -> None:
    assert older_definitions([definition("a", "x")], {"a": definition("a", "x", "new")}) == []


def test_fields_of_list_items_count() -> None:
    ours, theirs = definition("a", "x"), definition("a", "x")
    for one, fields in ((ours, ("p", "q")), (theirs, ("p",))):
        spec = one["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
        items = {"type": "object", "properties": {field: {} for field in fields}}
        spec["properties"]["x"] = {"type": "array", "items": items}

    assert older_definitions([ours], {"a": theirs}) == ["a"]


@pytest.mark.parametrize(
    ("text", "version"),
    [("1.18.2", (1, 18, 2)), ("v1.17.0-rc.1", (1, 17, 0)), ("edge", None), ("", None)],
)
def test_version_is_read_from_a_tag(text: str, version: tuple[int, ...] | None) -> None:
    assert parse_version(text) == version
