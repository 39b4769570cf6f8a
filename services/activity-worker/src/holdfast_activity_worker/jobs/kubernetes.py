"""Kubernetes Jobs, asked from inside a cluster or by the user's configuration."""

from __future__ import annotations

import threading
from http import HTTPStatus
from typing import Any

from holdfast_contracts.errors import PermanentError, UnavailableError
from holdfast_contracts.job_status_monitor import JobReport, JobStatus

_TIMEOUT_SECONDS = (3.0, 10.0)  # connect, read


class KubernetesJobs:
    """Asks the API server for Jobs; the client is made at the first question."""

    def __init__(self) -> None:
        self._making = threading.Lock()
        self._api: Any = None

    def look(self, namespace: str, name: str) -> JobReport:
        """Return what the Job's conditions say; a Job that is not there has failed."""
        # The package is some 50 MB in memory: a worker that sees no such job does without.
        from kubernetes.client import ApiException  # noqa: PLC0415
        from urllib3.exceptions import HTTPError  # noqa: PLC0415

        try:
            job = self._batch_api().read_namespaced_job_status(
                name, namespace, _request_timeout=_TIMEOUT_SECONDS
            )
        except ApiException as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return JobReport(status=JobStatus.FAILED, detail="job was deleted")
            # Not so 401: a pod that was deleted by force runs on for seconds, and its token is
            # worth nothing any more. Another worker's is.
            if error.status == HTTPStatus.FORBIDDEN:
                raise PermanentError(
                    f"the worker may not read jobs in namespace {namespace}: {error.reason}"
                ) from error
            raise UnavailableError(
                f"the Kubernetes API answers {error.status}: {error.reason}"
            ) from error
        except (HTTPError, OSError) as error:
            raise UnavailableError(f"the Kubernetes API cannot be asked: {error}") from error
        return report(job.status.conditions or [])

    def _batch_api(self) -> Any:
        with self._making:
            if self._api is None:
                self._api = _make_batch_api()
            return self._api


def report(conditions: list[Any]) -> JobReport:
    """Read a Job's conditions; until one of the two final ones is true, it runs."""
    final = {"Complete": JobStatus.COMPLETED, "Failed": JobStatus.FAILED}
    for condition in conditions:
        if condition.type in final and condition.status == "True":
            detail = ": ".join(part for part in (condition.reason, condition.message) if part)
            return JobReport(status=final[condition.type], detail=detail or condition.type)
    return JobReport(status=JobStatus.RUNNING)


def _make_batch_api() -> Any:
    from kubernetes import client, config  # noqa: PLC0415 - see above

    settings = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=settings)
    except config.ConfigException:
        try:
            config.load_kube_config(client_configuration=settings)
        except (config.ConfigException, OSError) as error:
            raise PermanentError(
                f"no Kubernetes configuration: not in a cluster, and no usable kubeconfig ({error})"
            ) from error
    settings.retries = False  # the run's own retries are durable
    return client.BatchV1Api(client.ApiClient(settings))
