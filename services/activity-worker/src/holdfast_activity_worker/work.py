"""How an activity is written here: one command in, one model out, and no word about the ledger.

An `effect` works in the ledger's transaction: what it writes commits together with its row in the
ledger, or not at all. An `observation` only looks at something outside, and does it before the
transaction, so that no lock is held while the outside takes its time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pydantic import BaseModel
from sqlalchemy import Connection

from holdfast_contracts.core import Activity, Command

C = TypeVar("C", bound=Command)
R = TypeVar("R", bound=BaseModel)


@dataclass
class Work:
    """The transaction that an effect works in, and what it can ask the ledger to add to it."""

    connection: Connection
    #: Events that the effect consumes.
    consumes: set[str] = field(default_factory=set)
    #: Keys of steps that must not happen any more.
    forbids: list[str] = field(default_factory=list)


#: Other effect keys that must not move while a command is carried out.
Touches = Callable[[C], tuple[str, ...]]


def _touches_nothing(_command: Command) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True)
class Effect(Generic[C, R]):
    """An activity of the contract, and the function that does it in the ledger's transaction."""

    activity: Activity[C, R]
    perform: Callable[[Work, C], R]
    touches: Touches[C] = _touches_nothing


@dataclass(frozen=True)
class Observation(Generic[C, R]):
    """An activity of the contract, and the function that looks at the outside for it."""

    activity: Activity[C, R]
    observe: Callable[[C], R]


Implementation = Effect[C, R] | Observation[C, R]


def effect(
    activity: Activity[C, R], *, touches: Touches[C] = _touches_nothing
) -> Callable[[Callable[[Work, C], R]], Effect[C, R]]:
    """Implement an activity by a function that works in the ledger's transaction."""

    def implement(function: Callable[[Work, C], R]) -> Effect[C, R]:
        return Effect(activity, function, touches)

    return implement
