from __future__ import annotations

import contextlib
import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from holdfast_contracts.batch_processing import BATCH_PROCESSING
from holdfast_contracts.book_trip import BOOK_TRIP
from holdfast_contracts.job_status_monitor import JOB_STATUS_MONITOR
from holdfast_contracts.request_escalation import REQUEST_ESCALATION
from holdfast_contracts.task_chain import TASK_CHAIN
from holdfast_servicekit.problems import Problem
from holdfast_status_api import documents

_TRIP = {"traveller": "Ada", "flight": "HF100", "hotel": "Grand", "car": "compact"}

_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(string.printable), inner, max_size=4)
    ),
    max_leaves=12,
)


def resolve(document: Any, pointer: str) -> Any:
    """Evaluate a JSON pointer as RFC 6901, section 4, says."""
    value = document
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


def paths_of(document: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    members: list[tuple[str | int, Any]] = []
    if isinstance(document, dict):
        members = list(document.items())
    elif isinstance(document, list):
        members = list(enumerate(document))
    return [path, *(found for key, item in members for found in paths_of(item, (*path, key)))]


def refusal_of(raw: bytes) -> Problem:
    with pytest.raises(Problem) as refused:
        documents.parse(raw)
    return refused.value


def faults_of(model: type[BaseModel], document: Any) -> list[tuple[str, str]]:
    with pytest.raises(Problem) as refused:
        documents.validate(model, document)
    assert refused.value.status == 422
    return [(fault["pointer"], fault["detail"]) for fault in refused.value.body["errors"]]


@given(_json)
def test_a_pointer_leads_to_the_value_that_its_path_leads_to(document: Any) -> None:
    for path in paths_of(document):
        value = document
        for token in path:
            value = value[token]
        assert resolve(document, documents.pointer_to(path)) is value


@given(_json)
def test_every_json_value_is_read_as_it_was_written(document: Any) -> None:
    assert documents.parse(json.dumps(document).encode()) == document


@given(_json, st.sampled_from([float("nan"), float("inf"), float("-inf")]), st.data())
def test_a_number_that_is_none_is_found_wherever_it_hides(
    document: Any, number: float, data: st.DataObject
) -> None:
    holder = {"before": document, "in/it~": [document, number]}
    (fault,) = refusal_of(json.dumps(holder).encode()).body["errors"]
    assert fault["pointer"] == "/in~1it~0/1"


@pytest.mark.parametrize("raw", [b"", b"  \n"])
def test_an_empty_body_is_unprocessable(raw: bytes) -> None:
    assert refusal_of(raw).status == 422


@pytest.mark.parametrize(
    "raw", [b"{", b"nul", b"[1,]", b"{'a': 1}", b"\xff\xfe1\x00", b'"\xe9"', b"1 2"]
)
def test_what_is_not_json_is_malformed(raw: bytes) -> None:
    assert refusal_of(raw).status == 400


@pytest.mark.parametrize(
    "raw",
    [b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b'"\\u0000"', b'"\\ud800"', b'{"\\u0000": 1}'],
)
def test_a_value_that_other_readers_cannot_hold_is_unprocessable(raw: bytes) -> None:
    assert refusal_of(raw).status == 422


@pytest.mark.parametrize("depth", [65, 900, 1_000, 100_000, 500_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_without_end_is_unprocessable(depth: int, opening: str, closing: str) -> None:
    assert refusal_of((opening * depth + "1" + closing * depth).encode()).status == 422


def test_every_fault_of_a_document_is_named() -> None:
    document = {"traveller": "", "flight": 3, "hotel": "Grand", "retry": {"attempts": 0}, "x/y": 1}
    assert {pointer for pointer, _ in faults_of(BOOK_TRIP.input, document)} == {
        "/traveller",
        "/flight",
        "/car",
        "/retry/attempts",
        "/x~1y",
    }


@pytest.mark.parametrize(
    ("model", "document"),
    [
        (TASK_CHAIN.input, "1"),
        (TASK_CHAIN.input, 1.5),
        (TASK_CHAIN.input, True),
        (BATCH_PROCESSING.input, 0),
        (BATCH_PROCESSING.input, "many"),
        (JOB_STATUS_MONITOR.input, "ftp://host/job"),
        (REQUEST_ESCALATION.input, "no json"),
        (REQUEST_ESCALATION.input, '{"amount": "much"}'),
    ],
)
def test_a_fault_of_a_bare_value_points_to_the_document(
    model: type[BaseModel], document: Any
) -> None:
    assert {pointer for pointer, _ in faults_of(model, document)} == {""}


@pytest.mark.parametrize(
    "held", ['{"amount": 1, "note": NaN}', '{"amount": 1, "n": "\\u0000"}', "[" * 100_000]
)
def test_a_string_that_holds_an_order_is_checked_like_an_order(held: str) -> None:
    assert {pointer for pointer, _ in faults_of(REQUEST_ESCALATION.input, held)} == {""}


@given(_json)
def test_any_json_value_is_taken_or_refused_but_never_breaks_the_check(document: Any) -> None:
    for flow in (TASK_CHAIN, BATCH_PROCESSING, JOB_STATUS_MONITOR, REQUEST_ESCALATION, BOOK_TRIP):
        with contextlib.suppress(Problem):
            assert isinstance(documents.validate(flow.input, document), flow.input)


def test_the_same_request_has_the_same_fingerprint_in_any_order_of_its_keys() -> None:
    turned = dict(reversed(_TRIP.items()))
    assert documents.fingerprint("book_trip", None, _TRIP) == documents.fingerprint(
        "book_trip", None, turned
    )


@given(_json, _json)
def test_other_requests_have_other_fingerprints(one: Any, other: Any) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (documents.fingerprint(one) == documents.fingerprint(other)) == same
