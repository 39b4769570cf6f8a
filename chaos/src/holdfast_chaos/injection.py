"""Strike: bring a moment about, do the fault in it, heal, and write down what really happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from holdfast_chaos.aiming import Gate, end_sessions, session_names
from holdfast_chaos.targets import Armed, Target
from holdfast_chaos.waiting import eventually, pause_until
from holdfast_chaos.world import GATED, LASTING, Aim, Deed, FaultRecord

#: How long a chosen run may take to come to the moment.
AIM_SECONDS = 30.0
#: How long a struck component may take to serve again.
HEAL_SECONDS = 60.0


@dataclass(frozen=True)
class FaultPlan:
    """A fault to come: what to strike, and at which moment."""

    id: str
    components: tuple[str, ...]
    aim: Aim
    #: Its name in the catalogue of faults.
    kind: str = "kill"
    deed: Deed = Deed.KILL
    #: Strike one pod of each component, and not all.
    one: bool = False
    #: How long the deed lasts until it is healed.
    hold_seconds: float = 0.0


@dataclass(frozen=True)
class Moment:
    """The moment has come: when it was, in which run, at which effects."""

    at: datetime
    run: str | None = None
    keys: tuple[str, ...] = ()


@dataclass
class Injector:
    """Carry out planned faults on a target, one at a time."""

    target: Target
    database_url: str
    #: Which runs are under way now.
    in_flight: Callable[[], Sequence[str]]
    on_struck: Callable[[FaultPlan, Moment], None] = field(default=lambda _plan, _moment: None)
    heal_seconds: float = HEAL_SECONDS

    def strike_at_gate(
        self, plan: FaultPlan, gate: Gate, then: Callable[[], None] = lambda: None
    ) -> FaultRecord:
        """Strike while a run stands right before a commit, or between commit and return.

        The gate must have been entered. ``then`` is called when the run stands there, before the
        strike. The victims' sessions are ended before the gate opens, so that nothing that a dead
        process had sent still commits.
        """
        held = gate.wait(AIM_SECONDS)
        if held is None:
            gate.open()
            return self._missed(plan, gate.run)
        then()
        aimed = self._aimed(plan, held.pods)
        return self._strike(aimed, Moment(held.at, held.run, held.keys), gate.open)

    def strike_behind(
        self,
        plan: FaultPlan,
        happen: Callable[[], Moment | None],
        let_go: Callable[[], None] = lambda: None,
    ) -> FaultRecord:
        """Strike as soon as something has happened: an accepted start or event, a due timer.

        ``let_go`` is called right after the strike.
        """
        aimed = self._aimed(plan)
        moment = happen()
        if moment is None:
            let_go()
            return self._missed(plan, None)
        return self._strike(aimed, moment, let_go)

    def strike_now(self, plan: FaultPlan) -> FaultRecord:
        """Strike without aiming."""
        aimed = self._aimed(plan)
        return self._strike(aimed, Moment(datetime.now(UTC)))

    def _aimed(self, plan: FaultPlan, pods: Sequence[str] = ()) -> _Aimed:
        """Look up all that the strike needs: it must follow its moment at once."""
        armed = self.target.arm(plan.deed, plan.components, one=plan.one, prefer=pods)
        hit = tuple(name for name in plan.components if name not in armed.spared)
        plan = replace(plan, components=hit)
        # A frozen worker's statement may well commit: that is what a freeze is about.
        ending = plan.aim in GATED and plan.deed in {Deed.KILL, Deed.DELETE}
        return _Aimed(
            plan,
            armed,
            self._identities(plan.components),
            self._session_names(plan, armed.struck) if ending else (),
        )

    def _strike(
        self, aimed: _Aimed, moment: Moment, let_go: Callable[[], None] = lambda: None
    ) -> FaultRecord:
        plan, armed, before = aimed.plan, aimed.armed, aimed.before
        in_flight = tuple(self.in_flight())
        struck_at = datetime.now(UTC)
        with ExitStack() as healing:
            healing.callback(let_go)
            armed.strike()
            witnessed: list[str] = []
            healing.callback(lambda: witnessed.extend(armed.heal()))
            self.on_struck(plan, moment)
            ended = end_sessions(self.database_url, aimed.sessions) if aimed.sessions else 0
            let_go()
            pause_until(struck_at + timedelta(seconds=plan.hold_seconds))
        after = self._healed(plan, before)
        return FaultRecord(
            id=plan.id,
            kind=plan.kind,
            deed=plan.deed,
            components=plan.components,
            aim=plan.aim,
            run=moment.run,
            keys=moment.keys,
            moment_at=moment.at,
            struck_at=struck_at,
            healed_at=datetime.now(UTC),
            before=before,
            after=after,
            in_flight=in_flight,
            witnessed=tuple(witnessed),
            sessions_ended=ended,
        )

    def _healed(self, plan: FaultPlan, before: Mapping[str, str | None]) -> dict[str, str | None]:
        """Wait until the victims were replaced and serve; return who they are now."""
        if plan.deed not in LASTING:
            replaced = eventually(lambda: self._replaced(plan, before), self.heal_seconds)
            if not replaced:
                return self._identities(plan.components)
        self.target.wait_ready(plan.components, self.heal_seconds)
        return self._identities(plan.components)

    def _replaced(self, plan: FaultPlan, before: Mapping[str, str | None]) -> bool:
        return all(
            self.target.identity(name) not in {None, before[name]} for name in plan.components
        )

    def _missed(self, plan: FaultPlan, run: str | None) -> FaultRecord:
        """Write down a fault whose moment never came. It strikes nothing, and is void."""
        now = datetime.now(UTC)
        known = self._identities(plan.components)
        return FaultRecord(
            id=plan.id,
            kind=plan.kind,
            deed=plan.deed,
            components=plan.components,
            aim=plan.aim,
            run=run,
            keys=(),
            moment_at=None,
            struck_at=now,
            healed_at=now,
            before=known,
            after=known,
        )

    def _identities(self, components: Sequence[str]) -> dict[str, str | None]:
        return {component: self.target.identity(component) for component in components}

    def _session_names(self, plan: FaultPlan, struck: Sequence[str]) -> tuple[str, ...]:
        prefixes = [self.target.sessions(component) for component in plan.components]
        return tuple(
            name
            for prefix in prefixes
            if prefix is not None
            for name in session_names(self.database_url, prefix)
            if not struck or name.removeprefix(prefix).partition("/")[0] in struck
        )


@dataclass(frozen=True)
class _Aimed:
    """A plan with all that was looked up for it."""

    plan: FaultPlan
    armed: Armed
    before: Mapping[str, str | None]
    #: The victims' database sessions.
    sessions: tuple[str, ...]
