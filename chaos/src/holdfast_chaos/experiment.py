"""A schedule as an experiment of the Chaos Toolkit: its open format, with our checker as probe.

Each wave is an action that carries the wave itself, so an experiment can be read, cut down and
mixed with the actions of other extensions. What the actions and probes do is in a Python module
that the toolkit imports where the experiment runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast_chaos.catalogue import KINDS
from holdfast_chaos.schedule import Schedule, Wave, wave_as_json

VERSION = "1.0.0"


def make_experiment(
    schedule: Schedule, provider: str, variables: Mapping[str, tuple[str, str]]
) -> dict[str, Any]:
    """Return the experiment of a schedule, as JSON has it.

    ``provider`` names the module; ``variables`` are what it is told, each with the environment
    variable that says it and what it is if nobody does.
    """
    titles = [_title(wave) for wave in schedule.waves]
    return {
        "version": VERSION,
        "title": f"Holdfast resumes after {len(schedule.faults)} faults (seed {schedule.seed})",
        "description": (
            f"{len(schedule.runs)} workflow runs are started in {len(schedule.waves)} waves, and a "
            "fault strikes each. Ledger, engine and clients must agree afterwards that every run "
            "ended and that no effect was lost or done twice."
        ),
        "tags": ["holdfast", "dapr-workflow", *sorted({fault.kind for fault in schedule.faults})],
        "configuration": {
            name: {"type": "env", "key": key, "default": default}
            for name, (key, default) in variables.items()
        },
        "controls": [
            {"name": "holdfast", "provider": {"type": "python", "module": provider}},
        ],
        "steady-state-hypothesis": {
            "title": "Every run that was promised has ended, and every effect happened once",
            "probes": [
                _probe("the status API is ready", provider, "api_is_ready", tolerance=True),
                _probe("runs still under way", provider, "runs_under_way", tolerance=0),
                _probe("violations of the invariants", provider, "violations", tolerance=0),
            ],
        },
        "method": [
            _activity("action", title, provider, "play_wave", {"wave": wave_as_json(wave)})
            for title, wave in zip(titles, schedule.waves, strict=True)
        ],
        "rollbacks": [_activity("action", "heal what a fault left", provider, "put_back")],
    }


def _title(wave: Wave) -> str:
    fault = wave.fault
    if fault is None:
        return f"start {len(wave.runs)} runs"
    kind = KINDS[fault.kind].title if fault.kind in KINDS else fault.kind
    return f"{fault.id}: {kind} ({', '.join(fault.components)}), {fault.aim.value}"


def _probe(name: str, provider: str, func: str, *, tolerance: Any) -> dict[str, Any]:
    return {**_activity("probe", name, provider, func), "tolerance": tolerance}


def _activity(
    kind: str, name: str, provider: str, func: str, arguments: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    more = {"arguments": dict(arguments)} if arguments else {}
    return {
        "type": kind,
        "name": name,
        "provider": {"type": "python", "module": provider, "func": func, **more},
    }
