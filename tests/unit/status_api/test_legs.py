from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast_contracts.batch_processing import LARGEST_BATCH
from holdfast_servicekit.problems import Problem
from holdfast_status_api import legs
from holdfast_status_api.legs import Leg

_codes = st.sampled_from(sorted(legs.airports()))
_good = st.tuples(_codes, _codes)
_bad_cells = [
    (["JFK"], "columns"),
    (["JFK", "LHR", "CDG"], "columns"),
    (["", "LHR"], "origin is empty"),
    (["JFK", ""], "destination is empty"),
    (["QQQ", "LHR"], "origin: unknown IATA code 'QQQ'"),
    (["jfk", "LHR"], "origin: unknown IATA code 'jfk'"),
    (["JFK", " LHR"], "destination: unknown IATA code ' LHR'"),
    ([], "is empty"),
]
_bad = st.sampled_from(_bad_cells)


def csv_of(rows: list[list[str]], end: str = "\n") -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=end)
    writer.writerow(legs.HEADER)
    for row in rows:
        if row:
            writer.writerow(row)
        else:
            text.write(end)
    return text.getvalue().encode()


@given(st.lists(_good, min_size=1, max_size=50), st.sampled_from(["\n", "\r\n", "\r"]))
def test_good_rows_are_read_in_order_whatever_ends_a_line(
    rows: list[tuple[str, str]], end: str
) -> None:
    assert legs.read_legs(csv_of([list(row) for row in rows], end)) == (
        [Leg(*row) for row in rows],
        [],
    )


@given(st.lists(_good.map(lambda row: (list(row), "")) | _bad, min_size=1, max_size=50))
def test_every_bad_row_and_no_other_is_named_by_its_line(
    rows: list[tuple[list[str], str]],
) -> None:
    _, bad = legs.read_legs(csv_of([cells for cells, _ in rows]))
    expected = [(line, why) for line, (_, why) in enumerate(rows, start=2) if why]
    assert [row.line for row in bad] == [line for line, _ in expected]
    assert all(why in row.detail for row, (_, why) in zip(bad, expected, strict=True))


@pytest.mark.parametrize(
    ("raw", "line", "why"),
    [
        (b"", 1, "the file is empty"),
        (b"origin,destination\n", 2, "no legs"),
        (b"from,to\nJFK,LHR\n", 1, "header"),
        (b"JFK,LHR\n", 1, "header"),
        (b"origin;destination\nJFK;LHR\n", 1, "header"),
        (b"origin, destination\nJFK,LHR\n", 1, "header"),
        (b"origin,destination\nJFK,LHR\n\xff\xfe,LHR\n", 3, "not UTF-8"),
        (b'origin,destination\n"JFK,LHR\n', 2, "quote"),
        (b"origin,destination\nJFK,LHR\n\n", 3, "is empty"),
        (b"\x00", 1, "header"),
    ],
)
def test_a_file_that_is_no_batch_is_refused_with_the_line_that_shows_it(
    raw: bytes, line: int, why: str
) -> None:
    assert [(row.line, why in row.detail) for row in legs.read_legs(raw)[1]] == [(line, True)]


def test_an_open_quote_spoils_its_own_line_only() -> None:
    found, bad = legs.read_legs(b'origin,destination\n"JFK,LHR\nJFK,CDG\nQQQ,CDG\n')
    assert found == [Leg("JFK", "CDG")]
    assert [row.line for row in bad] == [2, 4]


def test_a_spreadsheets_byte_order_mark_is_no_part_of_the_header() -> None:
    assert legs.read_legs(b"\xef\xbb\xbforigin,destination\nJFK,LHR\n")[1] == []


def test_a_sight_seeing_flight_is_a_leg() -> None:
    assert legs.read_legs(b"origin,destination\nJFK,JFK\n") == ([Leg("JFK", "JFK")], [])


def test_a_batch_beyond_the_limit_is_too_large() -> None:
    with pytest.raises(Problem) as refused:
        legs.read_legs(csv_of([["JFK", "LHR"]] * (LARGEST_BATCH + 1)))
    assert refused.value.status == 413


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_but_never_break_the_reader(raw: bytes) -> None:
    found, bad = legs.read_legs(raw)
    assert bool(found) or bool(bad)
