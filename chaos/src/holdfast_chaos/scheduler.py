"""Read which jobs the scheduler still holds, from its etcd."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable

import httpx

#: The job by which the engine forgets a run that has ended, after a configured time.
RETENTION = "retention"
_PREFIX = b"dapr/jobs/"
_AFTER = b"dapr/jobs0"  # the first key that does not begin with the prefix


def scheduler_jobs(etcd_url: str) -> tuple[str, ...]:
    """Return the names of all jobs, through etcd's JSON gateway on its client port."""
    answer = httpx.post(
        f"{etcd_url}/v3/kv/range",
        json={
            "key": b64encode(_PREFIX).decode(),
            "range_end": b64encode(_AFTER).decode(),
            "keys_only": True,
        },
        timeout=10,
    ).raise_for_status()
    rows = answer.json().get("kvs", [])
    return tuple(b64decode(row["key"]).decode().removeprefix(_PREFIX.decode()) for row in rows)


def etcd_bytes(etcd_url: str) -> float:
    """Return the size of the scheduler's database, free pages included."""
    answer = httpx.post(f"{etcd_url}/v3/maintenance/status", json={}, timeout=10)
    return float(answer.raise_for_status().json()["dbSize"])


def waits(job: str) -> bool:
    """Tell whether a job is a timer's.

    One that lost a race may outlive its run by a crash; it fires once, into nothing.
    """
    return "||timer-" in job


def busy(jobs: Iterable[str]) -> list[str]:
    """Return the jobs that are on their way, and not due at some later time."""
    return [job for job in jobs if not waits(job) and not job.endswith(f"||{RETENTION}")]
