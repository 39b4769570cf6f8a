"""What an exported experiment calls while the Chaos Toolkit runs it: actions, probes, a control.

The toolkit runs all of an experiment in one process, and knows nothing of a play that goes on
between two activities. So there is one session, opened by whatever is asked first.
"""

from __future__ import annotations

import atexit
import logging
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from holdfast_chaos.campaign import certified, tag
from holdfast_chaos.certificate import Certificate
from holdfast_chaos.declaration import load_declaration
from holdfast_chaos.experiment import make_experiment
from holdfast_chaos.play import Play, Watcher
from holdfast_chaos.publishing import NotPublishedError, publish
from holdfast_chaos.schedule import Schedule, read_wave
from holdfast_cluster.chaos.places import On, Place, open_site
from holdfast_local.folders import repository

_FOLDER = Path(".run") / "chaos" / "toolkit"
#: The toolkit's own logger: what is said there is in its log, with all else.
_log = logging.getLogger("chaostoolkit")


def exported(schedule: Schedule, place: Place, declared: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Return the experiment of a schedule, run on a place unless the environment says else."""
    files = ",".join(str(file.resolve()) for file in declared)
    variables = {
        "holdfast_on": ("HOLDFAST_CHAOS_ON", place.on.value),
        "holdfast_cluster": ("HOLDFAST_CHAOS_CLUSTER", place.cluster),
        "holdfast_stack": ("HOLDFAST_CHAOS_STACK", place.stack),
        "holdfast_site": (
            "HOLDFAST_CHAOS_SITE",
            "" if place.site is None else str(place.site.resolve()),
        ),
        "holdfast_seed": ("HOLDFAST_CHAOS_SEED", str(schedule.seed)),
        "holdfast_declare": ("HOLDFAST_CHAOS_DECLARE", files),
        "holdfast_folder": ("HOLDFAST_CHAOS_FOLDER", str(_FOLDER)),
    }
    return make_experiment(schedule, __name__, variables)


def api_is_ready(configuration: Mapping[str, Any]) -> bool:
    """Tell whether the status API can do its work."""
    try:
        answer = _session(configuration).site.api.get("/readyz")
    except httpx.TransportError:
        return False
    return answer.status_code == HTTPStatus.OK


def runs_under_way(configuration: Mapping[str, Any]) -> int:
    """Return how many runs have not ended although they had the time to."""
    return _session(configuration).runs_under_way()


def violations(configuration: Mapping[str, Any]) -> int:
    """Return how many claims of the invariants do not hold; the certificate names each."""
    return _session(configuration).violations()


def play_wave(wave: Mapping[str, Any], configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Start a wave's runs, strike, heal; return what was struck, before and after."""
    return _session(configuration).play_wave(wave)


def put_back(configuration: Mapping[str, Any]) -> None:
    """Put back what a fault may have left behind."""
    _session(configuration).site.put_back()


def after_experiment_control(context: Mapping[str, Any]) -> None:
    """Leave the place when the experiment is over."""
    del context
    _close()


class _Session:
    """A place that was entered, and what was played there so far."""

    def __init__(self, configuration: Mapping[str, Any]) -> None:
        self._folder = repository() / configuration["holdfast_folder"]
        self._seed = int(configuration["holdfast_seed"])
        for file in filter(None, configuration["holdfast_declare"].split(",")):
            load_declaration(Path(file))
        place = Place(
            On(configuration["holdfast_on"]),
            configuration["holdfast_cluster"],
            configuration["holdfast_stack"],
            Path(configuration["holdfast_site"]) if configuration["holdfast_site"] else None,
        )
        self._opened = ExitStack()
        self._started_at = datetime.now(UTC)
        self.site = self._opened.enter_context(open_site(place))
        try:
            watcher = Watcher(_log.info)
            self._play = Play(Schedule(self._seed, ()), self.site, tag(self._started_at), watcher)
            self._watching = ExitStack()
            self._opened.push(self._watching)
            self._watching.enter_context(self._play.watching())
        except BaseException:
            self._opened.close()
            raise
        self._waves = 0
        self._broken = 0

    def play_wave(self, plain: Mapping[str, Any]) -> dict[str, Any]:
        """Play one; one that could not be played counts against the experiment."""
        self._waves += 1
        try:
            record = self._play.play_wave(read_wave(plain))
        except BaseException:
            self._broken += 1
            raise
        if record is None:
            return {"runs": len(plain["runs"])}
        return {
            "fault": record.id,
            "kind": record.kind,
            "void": record.void,
            "before": dict(record.before),
            "after": dict(record.after),
        }

    def runs_under_way(self) -> int:
        """Wait for the ends of all runs; count those that did not come."""
        if self._waves:
            self._play.wait_for_ends()
        return len(self._play.in_flight())

    def violations(self) -> int:
        """Count what the certificate holds against the play, and the waves that were none."""
        if not self._waves:
            return 0  # nothing was promised yet
        found = [wrong for one in self._certificate.invariants for wrong in one.violations]
        for wrong in found:
            _log.error(wrong)
        return len(found) + self._broken

    def close(self) -> None:
        """Leave the place."""
        self._opened.close()

    @cached_property
    def _certificate(self) -> Certificate:
        """What the play has come to; no wave can follow."""
        self._watching.close()
        world = self._play.facts()
        certificate = certified(world, self._seed, self.site, self._started_at)
        files = certificate.write(self._folder)
        _log.info("certificate: %s", files["html"])
        if self.site.lasts:
            try:
                _log.info(publish(self.site.api, files))
            except NotPublishedError as error:
                _log.warning("the console does not show this certificate: %s", error)
        return certificate


_sessions: list[_Session] = []


def _session(configuration: Mapping[str, Any]) -> _Session:
    if not _sessions:
        _sessions.append(_Session(configuration))
        # Whatever ends the toolkit, nothing is left behind; to close twice does nothing.
        atexit.register(_close)
    return _sessions[0]


def _close() -> None:
    while _sessions:
        _sessions.pop().close()
