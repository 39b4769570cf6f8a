"""The ledger's statements."""

from __future__ import annotations

from typing import Final

# A lost row of attempts or outcomes is worth less than the wait for the disk. The setting ends
# with the statement's own transaction.
_NO_WAIT: Final = "FROM set_config('synchronous_commit', 'off', true)"

BEGIN: Final = "BEGIN"
COMMIT: Final = "COMMIT"
ROLLBACK: Final = "ROLLBACK"

START_ATTEMPT: Final = f"""
INSERT INTO work.attempts (key, instance, runner, step, pod)
SELECT %(key)s, %(root)s, %(runner)s, %(step)s, %(pod)s {_NO_WAIT}
RETURNING id
"""

END_ATTEMPT: Final = f"""
INSERT INTO work.outcomes (attempt_id, outcome, error_type, error)
SELECT %(attempt)s, %(outcome)s, %(error_type)s, %(error)s {_NO_WAIT}
"""

#: Takes the named locks in the order given; ``alone`` tells which of them are exclusive.
LOCK: Final = """
SELECT CASE WHEN alone THEN pg_advisory_xact_lock(hashtextextended(name, 0))
            ELSE pg_advisory_xact_lock_shared(hashtextextended(name, 0)) END
FROM unnest(%(names)s::text[], %(alone)s::boolean[]) AS lock (name, alone)
"""

#: What is known about a key, in one row: the effect, if there is one, and whether the run is over.
LOOK: Final = """
SELECT effect.kind, effect.payload_hash, effect.result::text,
       EXISTS (SELECT FROM work.closed_runs WHERE instance IN (%(root)s, %(runner)s))
FROM (SELECT) AS always LEFT JOIN work.effects AS effect ON effect.key = %(key)s
"""

CONSUME_EVENT: Final = """
INSERT INTO work.consumed_events (event_id, instance, key)
VALUES (%(event_id)s, %(root)s, %(key)s) ON CONFLICT DO NOTHING
"""

CLOSE_RUN: Final = """
INSERT INTO work.closed_runs (instance, key) VALUES (%(runner)s, %(key)s)
"""

FORBID: Final = """
INSERT INTO work.effects
    (key, instance, runner, epoch, step, idx, kind, payload_hash, attempt_id, pod)
VALUES
    (%(key)s, %(root)s, %(runner)s, %(epoch)s, %(step)s, %(idx)s, 'cancelled', %(hash)s,
     %(attempt)s, %(pod)s)
"""

COMMIT_EFFECT: Final = """
INSERT INTO work.effects
    (key, instance, runner, epoch, step, idx, payload_hash, result, attempt_id, pod)
VALUES
    (%(key)s, %(root)s, %(runner)s, %(epoch)s, %(step)s, %(idx)s, %(hash)s, %(result)s::jsonb,
     %(attempt)s, %(pod)s)
"""

RECORD_DIVERGENCE: Final = """
INSERT INTO work.divergences (key, stored_hash, offered_hash, offered, pod)
VALUES (%(key)s, %(stored_hash)s, %(hash)s, %(offered)s::jsonb, %(pod)s)
"""
