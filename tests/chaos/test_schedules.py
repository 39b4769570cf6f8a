"""A schedule played on a real stack, start to certificate; and what the shrinker makes of one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from markupsafe import escape

from holdfast_chaos import model
from holdfast_chaos.campaign import Performance, campaign, perform
from holdfast_chaos.catalogue import KINDS, possible
from holdfast_chaos.declaration import load_declaration
from holdfast_chaos.play import Watcher
from holdfast_chaos.schedule import CORE, Schedule, load, make_schedule
from holdfast_chaos.site import Site
from holdfast_cluster.chaos.local_site import local_site
from holdfast_contracts.certificate import PASS
from tests.support.clone import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with local_site() as opened:
        yield opened


def violations(played: Performance) -> list[str]:
    return [wrong for result in played.certificate.invariants for wrong in result.violations]


def test_a_schedule_passes_and_is_written_down(site: Site, tmp_path: Path) -> None:
    names = ("kill-app", "kill-sidecar", "kill-both", "pause-postgresql")
    kinds = possible(site.target, [KINDS[name] for name in names])
    schedule = make_schedule(11, kinds, faults=4, runs=18)
    played = perform(schedule, site, tmp_path, Watcher())
    assert played.certificate.verdict == PASS, violations(played)
    assert load(tmp_path / "schedule.json") == schedule
    written = json.loads((tmp_path / "certificate.json").read_text())
    assert written["verdict"] == PASS
    assert written["kinds"].keys() == set(names)
    for kind in written["kinds"].values():
        assert kind["under_way"].keys() >= set(CORE)
    page = (tmp_path / "certificate.html").read_text()
    assert all(escape(KINDS[name].title) in page for name in names)


def test_only_what_can_be_done_on_one_machine_is_planned_for_it(site: Site) -> None:
    here = {kind.name for kind in possible(site.target)}
    assert here == {
        "freeze",
        "kill-app",
        "kill-both",
        "kill-placement",
        "kill-postgresql",
        "kill-scheduler",
        "kill-schedulers",
        "kill-sidecar",
        "pause-postgresql",
    }


def test_a_campaign_goes_on_where_it_was_interrupted(site: Site, tmp_path: Path) -> None:
    kinds = possible(site.target, [KINDS["kill-app"]])
    schedules = [make_schedule(seed, kinds, faults=1, runs=4) for seed in (1, 2)]
    played: list[int] = []

    def play(schedule: Schedule, place: Path) -> Performance:
        played.append(schedule.seed)
        if played == [1, 2]:
            raise KeyboardInterrupt
        return perform(schedule, site, place, Watcher())

    with pytest.raises(KeyboardInterrupt):
        campaign(schedules, play, tmp_path, Watcher())
    total = campaign(schedules, play, tmp_path, Watcher())
    assert played == [1, 2, 2]
    data = json.loads((tmp_path / "campaign.json").read_text())
    assert data == total.as_json()
    assert (data["seeds"], data["runs"], data["faults"]) == ([1, 2], 8, 2)
    assert data["violations"] == {}


def test_a_fault_that_does_nothing_fails_the_certificate(site: Site, tmp_path: Path) -> None:
    kinds = possible(site.target, [KINDS["kill-app"]])
    schedule = make_schedule(3, kinds, faults=1, runs=4)
    (wave,) = schedule.waves
    assert wave.fault is not None
    # It is aimed at nobody.
    nothing = replace(schedule, waves=(replace(wave, fault=replace(wave.fault, components=())),))
    played = perform(nothing, site, tmp_path, Watcher())
    assert [r.id for r in played.certificate.invariants if not r.holds] == ["F"]


def test_a_declared_workflow_is_played_and_judged(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "MODELS", dict(model.MODELS))
    monkeypatch.setattr(model, "CAUSES", dict(model.CAUSES))
    declared = load_declaration(ROOT / "samples" / "chaos" / "book_trip.py")
    kinds = possible(site.target, [KINDS["kill-app"]])
    schedule = make_schedule(4, kinds, faults=2, runs=10, patterns=(), declared=[declared])
    played = perform(schedule, site, tmp_path, Watcher())
    assert played.certificate.verdict == PASS, violations(played)
    states = {run["state"] for run in played.certificate.as_json()["runs"]}
    assert states == {"COMPLETED", "FAILED"}
