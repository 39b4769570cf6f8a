"""The certificate as one HTML page that needs nothing else: no script, no network."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from holdfast_chaos.catalogue import KINDS
from holdfast_chaos.certificate import Certificate, by_workflow
from holdfast_chaos.statistics import summary
from holdfast_chaos.timeline import chart, close_up
from holdfast_chaos.world import Aim, Deed, FaultRecord
from holdfast_contracts.certificate import PASS

_AIMS = {
    Aim.BEFORE_EFFECT: "right before an effect was committed",
    Aim.BEFORE_RETURN: "after an effect was committed, before its activity returned",
    Aim.AFTER_START: "within 200 ms of an accepted start",
    Aim.AFTER_EVENT: "within 200 ms of an accepted event",
    Aim.AFTER_TIMER: "within 200 ms of a timer",
    Aim.RANDOM: "at a random moment",
}
_DEEDS = {
    Deed.KILL: "SIGKILL",
    Deed.FREEZE: "SIGSTOP, then SIGCONT",
    Deed.DELETE: "pod deleted without grace",
    Deed.SCALE: "scaled to zero and back",
    Deed.ROLL: "rolling update",
    Deed.CUT: "cut off",
    Deed.DRAIN: "node drained",
}
#: Of a deed that lasts: what was seen of a component that was under it.
_WITNESSED = {
    Deed.FREEZE: "every process seen stopped, and going again",
    Deed.CUT: "packets seen dropped",
}
_LABELLED = 2


def render(certificate: Certificate) -> str:
    """Return the page."""
    world = certificate.world
    names = {fault.id: _label(n, fault) for n, fault in enumerate(world.faults, 1)}
    environment = Environment(
        loader=PackageLoader("holdfast_chaos"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("certificate.html.j2").render(
        certificate=certificate,
        data=certificate.as_json(),
        passed=certificate.verdict == PASS,
        chart=chart(world, names),
        faults=[_fault(n, fault, certificate) for n, fault in enumerate(world.faults, 1)],
        kinds=[
            {
                "title": KINDS[name].title if name in KINDS else name,
                "covered": covered,
                "recovery": summary(covered.recoveries),
            }
            for name, covered in certificate.kinds.items()
        ],
        workflows=list(by_workflow(world.runs)),
        facts=sum(result.facts for result in certificate.invariants),
        recovery=summary(certificate.seconds()),
        dots=_dots(certificate),
    )


def _label(number: int, fault: FaultRecord) -> str:
    struck = " + ".join(fault.components)
    if len(fault.components) > _LABELLED:
        struck = f"all {len(fault.components)}"
    return f"{number} {struck}"


def _fault(number: int, fault: FaultRecord, certificate: Certificate) -> dict[str, Any]:
    return {
        "number": number,
        "record": fault,
        "deed": _DEEDS[fault.deed],
        "aim": _AIMS[fault.aim],
        "witnessed": _witnessed(fault),
        "close": close_up(certificate.world, fault),
        "recovery": summary(certificate.seconds(fault.id)),
        "healed": (
            (fault.healed_at - fault.struck_at).total_seconds() if fault.healed_at else None
        ),
    }


def _witnessed(fault: FaultRecord) -> dict[str, str]:
    """Say by component what was seen while the fault lasted; empty if it replaced them instead."""
    if fault.deed not in _WITNESSED:
        return {}
    return {
        component: _WITNESSED[fault.deed] if component in fault.witnessed else "nothing seen"
        for component in fault.components
    }


def _dots(certificate: Certificate) -> dict[str, Any]:
    """Place every recovery on one line, by fault, for the distribution."""
    seconds = certificate.seconds()
    longest = max([*seconds, 1.0])
    return {
        "longest": longest,
        "rows": [
            {
                "number": number,
                "label": _label(number, fault),
                "x": [
                    (round(100 * recovery.seconds / longest, 2), recovery.run, recovery.seconds)
                    for recovery in certificate.recoveries
                    if recovery.fault == fault.id and recovery.seconds is not None
                ],
            }
            for number, fault in enumerate(certificate.world.faults, 1)
        ],
    }
