"""Read which jobs the scheduler still holds, from its etcd."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from typing import Any

import httpx
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

#: The job by which the engine forgets a run that has ended, after a configured time.
RETENTION = "retention"
#: The jobs of the orchestrator's app by which a loss of the scheduler's is noticed begin so.
MEMORY = "holdfast-memory"
_PREFIX = b"dapr/jobs/"
_PATIENCE_SECONDS = 60.0
_AFTER = b"dapr/jobs0"  # the first key that does not begin with the prefix


def scheduler_jobs(etcd_url: str) -> tuple[str, ...]:
    """Return the names of all jobs, through etcd's JSON gateway on its client port."""
    wanted = {
        "key": b64encode(_PREFIX).decode(),
        "range_end": b64encode(_AFTER).decode(),
        "keys_only": True,
    }
    rows = _ask(f"{etcd_url}/v3/kv/range", wanted).get("kvs", [])
    return tuple(b64decode(row["key"]).decode().removeprefix(_PREFIX.decode()) for row in rows)


def etcd_bytes(etcd_url: str) -> float:
    """Return the size of the scheduler's database, free pages included."""
    return float(_ask(f"{etcd_url}/v3/maintenance/status", {})["dbSize"])


@retry(
    retry=retry_if_exception_type(httpx.TransportError),
    stop=stop_after_delay(_PATIENCE_SECONDS),
    wait=wait_fixed(0.5),
    reraise=True,
)
def _ask(url: str, question: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer; the way to a scheduler that was just replaced is opened again first."""
    answer: dict[str, Any] = httpx.post(url, json=question, timeout=10).raise_for_status().json()
    return answer


def is_timer(job: str) -> bool:
    """Tell whether a job is a run's timer."""
    return "||timer-" in job


def is_memory(job: str) -> bool:
    """Tell whether a job is a word that the scheduler keeps, of no run, and is never due."""
    return job.startswith("app||") and f"||{MEMORY}" in job


def busy(jobs: Iterable[str]) -> list[str]:
    """Return the jobs that are on their way, and not due at some later time."""
    return [job for job in jobs if not _rests(job)]


def _rests(job: str) -> bool:
    return is_timer(job) or is_memory(job) or job.endswith(f"||{RETENTION}")
