"""What is wrong with a path, query or header is said of where it is."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import isclass
from typing import get_args

import pytest
from pydantic import BaseModel, ValidationError

from holdfast_status_api import bulk, parameters
from holdfast_status_api.parameters import (
    PLACES,
    ActionPath,
    FilterQuery,
    IdempotencyHeader,
    RecordingQuery,
    refuse,
)


def models() -> Iterator[str]:
    for name, kind in vars(parameters).items():
        if isclass(kind) and kind.__module__ == parameters.__name__ and not name.startswith("_"):
            yield name


def test_every_model_of_a_query_or_header_says_which_it_is() -> None:
    assert set(PLACES) == {name for name in models() if not name.endswith("Path")}
    for name, place in PLACES.items():
        assert name.endswith("Header" if place == "header" else "Query")


@pytest.mark.parametrize(
    ("model", "values", "place", "name"),
    [
        (RecordingQuery, {"child": "x" * 301}, "parameter", "child"),
        (FilterQuery, {"colour": "red"}, "parameter", "colour"),
        (IdempotencyHeader, {"Idempotency-Key": "a b"}, "header", "Idempotency-Key"),
        (ActionPath, {"action": "explode"}, "path", "action"),
    ],
)
def test_a_fault_names_its_place(
    model: type[BaseModel], values: dict[str, str], place: str, name: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(values)
    answer = refuse(caught.value)

    assert answer.status_code == 422
    (fault,) = answer.get_json()["errors"]
    assert fault[place] == name
    assert set(fault) == {place, "detail"}


def test_the_path_takes_every_bulk_action_and_no_other() -> None:
    assert get_args(ActionPath.model_fields["action"].annotation) == bulk.ACTIONS
