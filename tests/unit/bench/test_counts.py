"""Statements and transactions, counted in the server's log."""

from __future__ import annotations

import pytest

from bench.counts import statements

ROLES = {7: "holdfast_worker", 8: "holdfast_dapr"}


def line(pid: int, text: str) -> str:
    return f"2026-11-23 00:01:02.345 UTC [{pid}] activity-worker/x LOG:  {text}"


@pytest.mark.parametrize("space", [" ", " \n\t"])
def test_a_statement_outside_a_transaction_is_one(space: str) -> None:
    log = line(7, f"execute _pg3_0:{space}INSERT INTO work.attempts …")

    found = statements(log, ROLES)

    assert (found["ledger_statements"], found["ledger_commits"]) == (1, 1)


def test_statements_between_begin_and_commit_are_one_transaction() -> None:
    log = "\n".join(
        line(7, f"execute <unnamed>: {text}")
        for text in ("BEGIN", "SELECT 1", "INSERT INTO work.effects …", "COMMIT")
    )

    found = statements(log, ROLES)

    assert (found["ledger_statements"], found["ledger_commits"]) == (2, 1)


def test_what_was_rolled_back_is_no_commit() -> None:
    log = "\n".join(line(8, f"statement: {text}") for text in ("begin", "select 1", "rollback"))

    found = statements(log, ROLES)

    assert (found["store_statements"], found["store_commits"]) == (1, 0)


def test_sessions_do_not_mix_and_others_do_not_count() -> None:
    log = "\n".join(
        [
            line(7, "statement: BEGIN"),
            line(8, "statement: UPDATE dapr.state …"),
            line(9, "statement: SELECT 1"),
            line(7, "statement: COMMIT"),
        ]
    )

    found = statements(log, ROLES)

    assert (found["ledger_commits"], found["store_commits"], found["api_commits"]) == (1, 1, 0)
