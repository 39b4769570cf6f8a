"""The tables that the status API reads and writes, as SQLAlchemy knows them.

Schema ``status`` is its own; ``migrations/`` makes it. Of ``work`` it may insert batches, and of
the ``ledger`` it may read the views.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSON, JSONB

metadata = MetaData()
_Time = DateTime(timezone=True)


def _attempted() -> tuple[Column[Any], ...]:
    """Return what every outbox notes of its attempts."""
    return (
        Column("attempts", Integer, nullable=False),
        Column("next_attempt_at", _Time, nullable=False),
        Column("claimed_by", Text),
        Column("last_error", Text),
    )


#: One row for each accepted run, for ever: it is what stops a second start of an id.
requests = Table(
    "requests",
    metadata,
    Column("instance_id", Text, primary_key=True),
    Column("workflow", Text, nullable=False),
    # ``json``, not ``jsonb``: the input is kept as it was sent.
    Column("input", JSON, nullable=False),
    Column("idempotency_key", Text, unique=True),
    Column("payload_hash", Text, nullable=False),
    Column("accepted_at", _Time, nullable=False),
    Column("requested_by", Text),
    Column("start_at", _Time),
    Column("deadline", _Time),
    Column("deadline_met_at", _Time),
    #: When it had also ended, or was made to.
    Column("deadline_settled_at", _Time),
    Column("rerun_of", Text),
    Column("rerun_event", BigInteger),
    Column("origin", Text, nullable=False),
    Column("dispatched_at", _Time),
    *_attempted(),
    #: The W3C trace context of whoever asked.
    Column("traceparent", Text),
    schema="status",
)

#: The run index: the last that is known of each run. A row whose run has ended never changes.
runs = Table(
    "runs",
    metadata,
    Column("instance_id", Text, primary_key=True),
    Column("workflow", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("terminal", Boolean, Computed("state in (terminal states)")),
    Column("output", JSON),
    Column("custom_status", JSON),
    Column("failure", JSON),
    Column("accepted_at", _Time, nullable=False),
    Column("started_at", _Time),
    Column("updated_at", _Time, nullable=False),
    Column("finished_at", _Time),
    #: When the engine last gave an answer, and when it should be asked again.
    Column("observed_at", _Time),
    Column("next_look_at", _Time, nullable=False),
    #: Since when a process is asking, if one is.
    Column("asked_at", _Time),
    Column("wakes_at", _Time),
    Column("purged_at", _Time),
    #: What was said with the last suspension, resumption, cancellation or termination.
    Column("reason", Text),
    schema="status",
)

#: The outbox of events. The worker's deciding activity reads it, too.
events = Table(
    "events",
    metadata,
    Column("seq", BigInteger, Identity(always=True), unique=True),
    Column("event_id", Text, primary_key=True),
    Column("instance_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("data", JSONB, nullable=False),
    Column("idempotency_key", Text),
    Column("payload_hash", Text, nullable=False),
    Column("accepted_at", _Time, nullable=False),
    Column("delivered_at", _Time),
    Column("expired_at", _Time),
    *_attempted(),
    Column("traceparent", Text),
    schema="status",
)

#: Who did what, from where, and what came of it. The service may insert, and never change.
audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("at", _Time, nullable=False),
    Column("subject", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("address", Text, nullable=False),
    Column("reason", Text, nullable=False),
    schema="status",
)

#: What the engine has yet to be told: to terminate a run, or to forget it.
commands = Table(
    "commands",
    metadata,
    Column("seq", BigInteger, Identity(always=True), unique=True),
    Column("command_id", Text, primary_key=True),
    Column("instance_id", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("accepted_at", _Time, nullable=False),
    Column("delivered_at", _Time),
    *_attempted(),
    Column("traceparent", Text),
    schema="status",
)

#: The word that the scheduler was given to keep, and when it was found to have forgotten it.
scheduler_memory = Table(
    "scheduler_memory",
    metadata,
    Column("single", Boolean, primary_key=True, server_default=true()),
    Column("number", BigInteger, nullable=False),
    Column("word", Text, nullable=False),
    #: What it certainly had before; it may not have heard the new word.
    Column("word_before", Text),
    Column("told_at", _Time),
    Column("forgot_at", _Time),
    Column("loss", Text),
    schema="status",
)

#: Permissions to do something to many runs, given by a dry run. Of the token only a digest.
bulk_tokens = Table(
    "bulk_tokens",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("filters", Text, nullable=False),
    Column("as_of", _Time, nullable=False),
    Column("expires_at", _Time, nullable=False),
    Column("used_at", _Time),
    schema="status",
)

#: Secrets that the console's users have: of each only a digest, and the token that it seals.
console_keys = Table(
    "console_keys",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("expires_at", _Time, nullable=False),
    schema="status",
)

#: Who is told of lifecycle events.
webhooks = Table(
    "webhooks",
    metadata,
    Column("webhook_id", Text, primary_key=True),
    Column("url", Text, nullable=False),
    Column("types", ARRAY(Text), nullable=False),
    Column("secret", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", _Time, nullable=False),
    schema="status",
)

#: What became of runs: triggers of the index write it, one row for a run and a transition.
lifecycle = Table(
    "lifecycle",
    metadata,
    Column("seq", BigInteger, Identity(always=True), unique=True),
    Column("event_id", Text, primary_key=True),
    Column("instance_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("data", JSONB, nullable=False),
    Column("occurred_at", _Time, nullable=False),
    Column("recorded_at", _Time, nullable=False),
    schema="status",
)

#: One row for each event and each webhook that is told of it.
deliveries = Table(
    "deliveries",
    metadata,
    Column("webhook_id", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("instance_id", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("created_at", _Time, nullable=False),
    Column("delivered_at", _Time),
    Column("dead_at", _Time),
    *_attempted(),
    schema="status",
)

#: Certificates of the chaos suite, the newest few.
certificates = Table(
    "certificates",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("certificate_id", Text, unique=True, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("target", Text, nullable=False),
    Column("started_at", _Time, nullable=False),
    Column("finished_at", _Time, nullable=False),
    Column("faults", Integer, nullable=False),
    Column("runs", Integer, nullable=False),
    Column("document", Text, nullable=False),
    Column("page", Text, nullable=False),
    Column("stored_at", _Time, nullable=False),
    Column("stored_by", Text, nullable=False),
    schema="status",
)

batches = Table(
    "batches",
    metadata,
    Column("batch_id", Text, primary_key=True),
    Column("legs", Integer, nullable=False),
    schema="work",
)

decisions = Table(
    "decisions", metadata, Column("instance", Text), Column("verdict", Text), schema="ledger"
)
closed_runs = Table(
    "closed_runs",
    metadata,
    Column("instance", Text),
    Column("key", Text),
    Column("closed_at", _Time),
    schema="ledger",
)
consumed_events = Table(
    "consumed_events",
    metadata,
    Column("event_id", Text),
    Column("consumed_at", _Time),
    schema="ledger",
)
attempts = Table(
    "attempts",
    metadata,
    Column("id", BigInteger),
    Column("key", Text),
    Column("instance", Text),
    Column("runner", Text),
    Column("step", Text),
    Column("pod", Text),
    Column("started_at", _Time),
    Column("outcome", Text),
    Column("error_type", Text),
    Column("error", Text),
    Column("finished_at", _Time),
    schema="ledger",
)
effects = Table(
    "effects",
    metadata,
    Column("seq", BigInteger),
    Column("key", Text),
    Column("instance", Text),
    Column("runner", Text),
    Column("epoch", Integer),
    Column("step", Text),
    Column("idx", Integer),
    Column("kind", Text),
    Column("pod", Text),
    Column("committed_at", _Time),
    schema="ledger",
)
workers = Table(
    "workers",
    metadata,
    Column("pod", Text),
    Column("connected", Boolean),
    Column("seen_at", _Time),
    schema="ledger",
)
