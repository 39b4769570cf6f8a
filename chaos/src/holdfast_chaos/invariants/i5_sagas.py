"""I5: a trip is all booked or all undone, in reverse, and no unit of inventory is lost."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from holdfast_chaos.facts import CLAIMED, DONE, key
from holdfast_chaos.invariants.result import InvariantResult, Tally
from holdfast_chaos.model.book_trip import ITEM, SAGA, begun, turned_back
from holdfast_contracts.book_trip import BOOK_TRIP

if TYPE_CHECKING:
    from datetime import datetime

    from holdfast_chaos.facts import Attempt, BookingRow, LedgerFacts
    from holdfast_chaos.world import DeclaredRun, World

ID = "I5"
TITLE = "A saga is all done or all undone in reverse, and inventory balances to the unit"

BOOKED = "booked"
CANCELLED = "cancelled"
SOLD_OUT = "SoldOutError"


def check(world: World) -> InvariantResult:
    """Check each trip's bookings and their undoing, then the stock of every item."""
    trips = world.of(BOOK_TRIP.name)
    tally = Tally(due=len(trips))
    for run in trips:
        bookings = world.ledger.bookings_of.get(run.instance, ())
        if turned_back(run.instance, world):
            _check_undone(run, bookings, world, tally)
        else:
            _check_done(run, bookings, tally)
        _check_refusals(run, world, tally)
    if trips:
        _check_stock(world.ledger, tally)
    return tally.result(ID, TITLE)


def _check_done(run: DeclaredRun, bookings: tuple[BookingRow, ...], tally: Tally) -> None:
    for do, _ in SAGA:
        booking_id = key(run.instance, do)
        rows = [row for row in bookings if row.booking_id == booking_id]
        tally.check(
            [(row.state, row.item) for row in rows] == [(BOOKED, run.input[ITEM[do]])],
            f"{run.instance}: ended well, but {do} left {[row.state for row in rows] or 'nothing'}",
        )


def _check_undone(
    run: DeclaredRun, bookings: tuple[BookingRow, ...], world: World, tally: Tally
) -> None:
    ledger = world.ledger
    for row in bookings:
        tally.check(
            row.state == CANCELLED and row.cancelled_at is not None,
            f"{row.booking_id}: the trip turned back, the {row.kind} is still {row.state}",
        )
    booked = {row.booking_id for row in bookings}
    for do, undo in begun(run.instance, world):
        claimed = any(
            e.key == key(run.instance, do) and e.kind == CLAIMED
            for e in ledger.effects_of.get(run.instance, ())
        )
        undone = undo in ledger.steps_seen(run.instance)
        tally.check(
            claimed or undone or key(run.instance, do) in booked,
            f"{run.instance}: {do} was begun and neither undone nor barred",
        )
    seqs = [
        effect.seq
        for _, undo in reversed(SAGA)
        for effect in ledger.effects_of.get(run.instance, ())
        if effect.step == undo and effect.kind == DONE
    ]
    tally.check(seqs == sorted(seqs), f"{run.instance}: compensations ran out of order: {seqs}")


def _check_refusals(run: DeclaredRun, world: World, tally: Tally) -> None:
    """Check that sold out was true: at some time while the step tried, all was taken."""
    steps = {do: ITEM[do] for do, _ in SAGA}
    for attempt in world.ledger.attempts_of.get(run.instance, ()):
        if attempt.error_type == SOLD_OUT and attempt.step in steps:
            kind = steps[attempt.step]
            item = run.input[kind]
            tally.check(
                _was_sold_out(kind, item, attempt, world.ledger),
                f"{attempt.key}: refused as sold out while {kind} {item} was to be had",
            )


def _was_sold_out(kind: str, item: str, attempt: Attempt, ledger: LedgerFacts) -> bool:
    capacity = sum(s.capacity for s in ledger.inventory if (s.kind, s.item) == (kind, item))
    rows = [row for row in ledger.bookings if (row.kind, row.item) == (kind, item)]
    until = attempt.finished_at or attempt.started_at
    moments = [attempt.started_at, *(row.booked_at for row in rows)]
    tried = [moment for moment in moments if attempt.started_at <= moment <= until]
    return any(_taken(rows, moment) >= capacity for moment in tried)


def _taken(rows: list[BookingRow], moment: datetime) -> int:
    return sum(
        row.booked_at <= moment and (row.cancelled_at is None or row.cancelled_at >= moment)
        for row in rows
    )


def _check_stock(ledger: LedgerFacts, tally: Tally) -> None:
    held = Counter((row.kind, row.item) for row in ledger.bookings if row.state == BOOKED)
    for stock in ledger.inventory:
        taken = held[stock.kind, stock.item]
        tally.check(
            stock.available + taken == stock.capacity,
            f"{stock.kind} {stock.item}: {stock.available} left and {taken} booked "
            f"of {stock.capacity}",
        )
