"""Strike: bring a moment about, do the fault in it, heal, and write down what really happened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tenacity import RetryError, Retrying, retry_if_not_result, stop_after_delay, wait_fixed

from holdfast_chaos.aiming import Gate, end_sessions, session_names
from holdfast_chaos.targets import Target
from holdfast_chaos.world import FREEZE, KILL, Aim, FaultRecord

#: How long a chosen run may take to come to the moment.
AIM_SECONDS = 30.0
#: How long a struck component may take to serve again.
HEAL_SECONDS = 60.0
GATED = frozenset({Aim.BEFORE_EFFECT, Aim.BEFORE_RETURN})


@dataclass(frozen=True)
class FaultPlan:
    """A fault to come: what to strike, and at which moment."""

    id: str
    components: tuple[str, ...]
    aim: Aim
    kind: str = KILL
    #: For a freeze.
    frozen_seconds: float = 30.0


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
        return self._strike(plan, Moment(held.at, held.run, held.keys), gate.open)

    def strike_behind(self, plan: FaultPlan, happen: Callable[[], Moment | None]) -> FaultRecord:
        """Strike as soon as something has happened: an accepted start or event, a due timer."""
        moment = happen()
        if moment is None:
            return self._missed(plan, None)
        return self._strike(plan, moment)

    def strike_now(self, plan: FaultPlan) -> FaultRecord:
        """Strike without aiming."""
        return self._strike(plan, Moment(datetime.now(UTC)))

    def _strike(
        self, plan: FaultPlan, moment: Moment, let_go: Callable[[], None] = lambda: None
    ) -> FaultRecord:
        names = self._session_names(plan) if plan.aim in GATED else ()
        before = self._identities(plan.components)
        in_flight = tuple(self.in_flight())
        struck_at = datetime.now(UTC)
        thawed: tuple[str, ...] = ()
        ended = 0
        with ExitStack() as healing:
            healing.callback(let_go)
            if plan.kind == FREEZE:
                self.target.freeze(plan.components)
                healing.callback(lambda: self.target.thaw(plan.components))
                self.on_struck(plan, moment)
                let_go()
                _until(struck_at + timedelta(seconds=plan.frozen_seconds))
                thawed = plan.components
            else:
                self.target.kill(plan.components)
                self.on_struck(plan, moment)
                ended = end_sessions(self.database_url, names) if names else 0
        after = self._healed(plan, before)
        return FaultRecord(
            id=plan.id,
            kind=plan.kind,
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
            thawed=thawed,
            sessions_ended=ended,
        )

    def _healed(self, plan: FaultPlan, before: dict[str, str | None]) -> dict[str, str | None]:
        """Wait until the victims were replaced and serve; return who they are now."""
        if plan.kind == KILL:
            replaced = Retrying(
                retry=retry_if_not_result(bool),
                stop=stop_after_delay(self.heal_seconds),
                wait=wait_fixed(0.05),
            )
            try:
                replaced(
                    lambda: all(
                        self.target.identity(name) not in {None, before[name]}
                        for name in plan.components
                    )
                )
            except RetryError:
                return self._identities(plan.components)
        self.target.wait_ready(plan.components, self.heal_seconds)
        return self._identities(plan.components)

    def _missed(self, plan: FaultPlan, run: str | None) -> FaultRecord:
        """Write down a fault whose moment never came. It strikes nothing, and is void."""
        now = datetime.now(UTC)
        known = self._identities(plan.components)
        return FaultRecord(
            id=plan.id,
            kind=plan.kind,
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

    def _session_names(self, plan: FaultPlan) -> tuple[str, ...]:
        prefixes = [self.target.sessions(component) for component in plan.components]
        return tuple(
            name
            for prefix in prefixes
            if prefix is not None
            for name in session_names(self.database_url, prefix)
        )


def _until(moment: datetime) -> None:
    """Return at a moment of the clock: how long a freeze lasts is what it is about."""
    waiting = Retrying(
        retry=retry_if_not_result(bool),
        stop=stop_after_delay(max(0.0, (moment - datetime.now(UTC)).total_seconds()) + 5),
        wait=wait_fixed(0.02),
    )
    waiting(lambda: datetime.now(UTC) >= moment)
