"""Where jobs are that a monitor can look at."""

from __future__ import annotations

from collections.abc import Iterable

from holdfast_activity_worker.jobs.http import HttpJobs
from holdfast_activity_worker.jobs.kubernetes import KubernetesJobs
from holdfast_contracts.errors import PermanentError
from holdfast_contracts.job_status_monitor import JobReport

_KUBERNETES = "kubernetes:"


class JobSources:
    """Finds the source of a job by its id and asks it."""

    def __init__(self, allowed_hosts: Iterable[str]) -> None:
        self._http = HttpJobs(allowed_hosts)
        self._kubernetes = KubernetesJobs()

    def look(self, job_id: str) -> JobReport:
        """Return the job's status; every question is bounded in time."""
        if job_id.startswith(_KUBERNETES):
            namespace, _, name = job_id.removeprefix(_KUBERNETES).partition("/")
            return self._kubernetes.look(namespace, name)
        if job_id.startswith(("http://", "https://")):
            return self._http.look(job_id)
        raise PermanentError(f"{job_id} names neither a Kubernetes Job nor an HTTP endpoint")

    def close(self) -> None:
        """Close the connections that are kept."""
        self._http.close()
