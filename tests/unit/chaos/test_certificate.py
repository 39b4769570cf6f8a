"""The certificate says what the checker found, and blames each fault for what it did."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from junitparser import Failure, JUnitXml

from holdfast_chaos.certificate import Certificate
from holdfast_chaos.facts import Attempt
from holdfast_chaos.invariants import ALL, check_all
from holdfast_chaos.invariants.i10_recovery import recoveries
from holdfast_chaos.page import render
from holdfast_chaos.timeline import close_up
from holdfast_chaos.world import Deed, World
from tests.unit.chaos.breaking import Break, both, drop, fault, seen, twice
from tests.unit.chaos.script import EPOCH, clean

#: Between them they turn several invariants red.
BROKEN: dict[str, Break] = {
    "effect lost": drop("effects", key="chain-1|0|step2|0"),
    "request lost": drop("requests", instance="chain-1"),
    "not closed, not seen": both(
        drop("closed_runs", instance="small"), seen("polls", lambda _: ())
    ),
    "void fault": fault(moment_at=None),
}
#: An effect that no model has.
AGAIN = twice("effects", {"key": "chain-1|0|step2|1", "index": 1}, key="chain-1|0|step2|0")


def certificate(world: World) -> Certificate:
    return Certificate(world, seed=7, target="test", started_at=EPOCH, finished_at=EPOCH)


@cache
def struck() -> World:
    """Return a clean world with two faults; each struck just when an attempt began."""
    world = clean()
    first = replace(
        world.faults[0],
        id="first",
        struck_at=attempt_of(world, "process_results").started_at,
        healed_at=attempt_of(world, "auto_approve_activity").started_at,
        in_flight=("small", "large"),
    )
    (cut,) = [attempt for attempt in world.ledger.attempts if attempt.interrupted]
    second = replace(
        first,
        id="second",
        struck_at=cut.started_at,
        healed_at=world.ledger.attempts_at[cut.key][-1].started_at,
        in_flight=("after-kill",),
    )
    return replace(world, faults=(first, second))


def attempt_of(world: World, step: str) -> Attempt:
    return next(attempt for attempt in world.ledger.attempts if attempt.step == step)


def figure(page: str, kind: str) -> ET.Element:
    """Return one picture of a page."""
    found = re.search(rf'<svg class="{kind}".*?</svg>', page, re.DOTALL)
    assert found, f"the page has no {kind}"
    return ET.fromstring(found[0])  # noqa: S314 - our own page


def titled(picture: ET.Element, shape: str) -> Iterator[tuple[str, ET.Element]]:
    """Yield the shapes of a kind that say what they are."""
    for one in picture.iter(shape):
        title = one.findtext("title")
        if title is not None:
            yield title, one


def bar_of(picture: ET.Element, attempt: Attempt) -> ET.Element:
    [bar] = [bar for title, bar in titled(picture, "rect") if f"attempt {attempt.id} by" in title]
    return bar


def at(shape: ET.Element, name: str = "x") -> float:
    return float(shape.attrib[name])


def test_a_clean_world_passes_and_is_written_in_three_forms(tmp_path: Path) -> None:
    passed = certificate(clean())
    assert passed.verdict == "pass"
    files = passed.write(tmp_path)
    assert json.loads(files["json"].read_text("utf-8")) == passed.as_json()
    page = files["html"].read_text("utf-8")
    assert "Pass: every run resumed, every effect happened once" in page
    assert "<script" not in page
    [suite] = JUnitXml.fromfile(str(files["junit"]))
    assert [case.name for case in suite] == [f"{one.id}: {one.title}" for one in passed.invariants]
    assert len(list(suite)) == len(ALL)
    assert not any(case.result for case in suite)


@pytest.mark.parametrize("breaking", [*BROKEN.values(), AGAIN], ids=[*BROKEN, "effect again"])
def test_each_red_invariant_is_a_failure_with_its_violations(
    tmp_path: Path, breaking: Break
) -> None:
    world = breaking(clean())
    red = {
        f"{result.id}: {result.title}": "\n".join(result.violations)
        for result in check_all(world)
        if not result.holds
    }
    assert red
    files = certificate(world).write(tmp_path)
    [suite] = JUnitXml.fromfile(str(files["junit"]))
    failures = {
        case.name: result.message
        for case in suite
        for result in case.result
        if isinstance(result, Failure)
    }
    assert failures == red
    page = files["html"].read_text("utf-8")
    names = ", ".join(name.partition(":")[0] for name in red)
    assert f"<strong>Fail: {names}</strong>" in page


def test_a_missing_effect_a_void_oneand_no_oneat_all_each_fail() -> None:
    world = clean()
    missing = certificate(drop("effects", key="chain-1|0|step2|0")(world))
    assert (missing.verdict, missing.effects["missing"]) == ("fail", 1)
    assert certificate(fault(after=world.faults[0].before)(world)).verdict == "fail"
    assert certificate(replace(world, faults=())).verdict == "fail"


def test_an_effect_that_the_model_does_not_have_is_counted_as_a_duplicate() -> None:
    found = certificate(AGAIN(clean()))
    assert (found.verdict, found.effects["duplicated"], found.effects["missing"]) == ("fail", 1, 0)
    assert "effects, 1 duplicated, 0 missing" in render(found)


def test_bars_are_coloured_by_the_process_that_made_the_attempt() -> None:
    world = struck()
    picture = figure(render(certificate(world)), "chart")
    colours: dict[str, set[str]] = defaultdict(set)
    for run in ("chain-1", "trip", "after-kill"):
        for attempt in world.ledger.attempts_of[run]:
            colours[attempt.pod].add(bar_of(picture, attempt).attrib["class"])
    first, second = sorted(colours)
    assert colours[first].isdisjoint(colours[second])
    # The one that was cut off is hatched.
    assert len(colours[first] - {"cut"}) == 1
    assert len(colours[second]) == 1
    (cut,) = [attempt for attempt in world.ledger.attempts if attempt.interrupted]
    assert bar_of(picture, cut).attrib["class"] == "cut"


def test_kills_stand_where_they_struck_and_their_shade_ends_where_all_served_again() -> None:
    world = struck()
    picture = figure(render(certificate(world)), "chart")
    lines = [at(one, "x1") for one in picture.iter("line") if one.attrib["class"] == "kill"]
    shades = [one for one in picture.iter("rect") if one.attrib.get("class") == "down"]
    begun = {attempt.started_at: attempt for attempt in world.ledger.attempts}
    for line, shade, one in zip(lines, shades, world.faults, strict=True):
        assert line == at(shade) == at(bar_of(picture, begun[one.struck_at]))
        assert one.healed_at is not None
        healed = at(bar_of(picture, begun[one.healed_at]))
        assert at(shade) + at(shade, "width") == pytest.approx(max(healed, line + 1), abs=0.01)


def test_every_recovery_is_a_dot_at_its_seconds_in_the_row_of_its_fault() -> None:
    world = struck()
    picture = figure(render(certificate(world)), "dots")
    expected = {
        (f"{one.run}: {one.seconds:.2f} s", one.fault): one.seconds
        for one in recoveries(world)
        if one.seconds is not None
    }
    assert len(expected) == 3
    longest = max([*expected.values(), 1.0])
    lines = list(picture.iter("line"))
    rows = {at(row, "y1"): one.id for row, one in zip(lines, world.faults, strict=True)}
    found = {
        (title, rows[at(dot, "cy")]): at(dot, "cx") for title, dot in titled(picture, "circle")
    }
    assert found.keys() == expected.keys()
    for name, seconds in expected.items():
        assert found[name] == pytest.approx(250 + 930 * seconds / longest, abs=0.1)


def test_the_page_says_how_many_facts_each_invariant_compared() -> None:
    world = clean()
    page = render(certificate(world))
    found = re.search(r'<h2 id="invariants">.*?(<tbody>.*?</tbody>)', page, re.DOTALL)
    assert found
    table = ET.fromstring(found[1])  # noqa: S314 - our own page
    rows = [["".join(cell.itertext()) for cell in row] for row in table]
    assert rows == [
        [result.id, result.title, f"{result.facts:,}", "✓ holds"] for result in check_all(world)
    ]


@pytest.mark.parametrize(
    ("deed", "says"),
    [
        (Deed.FREEZE, "every process seen stopped, and going again"),
        (Deed.CUT, "packets seen dropped"),
    ],
)
def test_what_was_seen_while_a_onelasted_is_in_the_certificate(deed: Deed, says: str) -> None:
    both_there = {"activity-worker": "1", "other": "2"}
    lasting = fault(
        deed=deed,
        components=tuple(both_there),
        before=both_there,
        after=both_there,
        witnessed=("other",),
    )
    one = certificate(lasting(clean()))
    assert [told["witnessed"] for told in one.as_json()["faults"]] == [["other"]]
    page = render(one)
    assert f'<th scope="row">other</th><td>{says}</td>' in page
    assert '<th scope="row">activity-worker</th><td>nothing seen</td>' in page


def test_a_onethat_replaced_its_victims_needs_no_such_witness() -> None:
    one = certificate(clean())
    assert one.as_json()["faults"][0]["witnessed"] == []
    assert "while it lasted" not in render(one)


def test_an_interrupted_attempt_is_blamed_on_the_kill_that_cut_it_and_no_later_one() -> None:
    world = clean()
    (cut,) = [attempt for attempt in world.ledger.attempts if attempt.interrupted]
    first = replace(world.faults[0], id="first", struck_at=cut.started_at)
    later = replace(first, id="later", struck_at=world.ledger.effects[-1].committed_at)
    both = replace(world, faults=(first, later))
    found = close_up(both, first)
    assert found is not None
    assert (found.key, found.attempts) == (cut.key, 2)
    assert close_up(both, later) is None
