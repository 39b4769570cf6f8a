"""Jobs behind an HTTP endpoint that answers ``{"status": …}``."""

from __future__ import annotations

import time
from collections.abc import Iterable
from http import HTTPStatus

import httpx

from holdfast_activity_worker.jobs.words import UnexpectedAnswerError, status_of
from holdfast_contracts.errors import PermanentError, UnavailableError
from holdfast_contracts.job_status_monitor import JobReport, JobStatus

_TIMEOUT = httpx.Timeout(5.0, connect=3.0)
#: A source that trickles is cut off here; the time-out above is for each read alone.
_TOTAL_SECONDS = 10.0
_LARGEST_ANSWER = 64 * 1024
_LONGEST_DETAIL = 500
_GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_LATER = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)


class HttpJobs:
    """Asks HTTP endpoints, and only those of hosts that the installation allows."""

    def __init__(self, allowed_hosts: Iterable[str]) -> None:
        self._allowed = frozenset(host.lower() for host in allowed_hosts)
        # A transport of its own: proxies of the environment would see every host, allowed or not.
        self._client = httpx.Client(
            timeout=_TIMEOUT,
            follow_redirects=False,
            transport=httpx.HTTPTransport(retries=0),
            headers={"accept": "application/json"},
        )

    def look(self, job_id: str) -> JobReport:
        """Return what the endpoint says; a job that it does not know any more has failed."""
        url = self._allowed_url(job_id)
        try:
            with self._client.stream("GET", url) as answer:
                if answer.is_success:
                    return _report(answer, _read(answer))
                return _failure(answer)
        except httpx.TransportError as error:
            raise UnavailableError(f"{url.host} cannot be asked: {error}") from error

    def close(self) -> None:
        """Close the connections that are kept."""
        self._client.close()

    def _allowed_url(self, job_id: str) -> httpx.URL:
        try:
            url = httpx.URL(job_id)
        except httpx.InvalidURL as error:
            raise PermanentError(f"{job_id} is no URL: {error}") from error
        port = url.port or {"http": 80, "https": 443}.get(url.scheme)
        host = f"[{url.host}]" if ":" in url.host else url.host
        if url.userinfo or not self._allowed & {host.lower(), f"{host}:{port}".lower()}:
            raise PermanentError(
                f"jobs of {host}:{port} may not be asked for; see HOLDFAST_JOB_HOSTS"
            )
        return url


def _read(answer: httpx.Response) -> bytes:
    deadline = time.monotonic() + _TOTAL_SECONDS
    body = bytearray()
    for part in answer.iter_bytes():
        body += part
        if len(body) > _LARGEST_ANSWER:
            raise UnexpectedAnswerError(f"the answer is longer than {_LARGEST_ANSWER} bytes")
        if time.monotonic() > deadline:
            raise UnavailableError(f"the answer took longer than {_TOTAL_SECONDS:.0f} s")
    return bytes(body)


def _report(answer: httpx.Response, body: bytes) -> JobReport:
    try:
        content = httpx.Response(answer.status_code, content=body).json()
    except ValueError as error:
        raise UnexpectedAnswerError("the answer is no JSON") from error
    if not isinstance(content, dict) or "status" not in content:
        raise UnexpectedAnswerError('the answer is no JSON object with a "status"')
    detail = content.get("detail", content["status"])
    return JobReport(
        status=status_of(content["status"]),
        detail=str(detail).replace("\0", "")[:_LONGEST_DETAIL],
    )


def _failure(answer: httpx.Response) -> JobReport:
    code = answer.status_code
    if code in _GONE:
        return JobReport(status=JobStatus.FAILED, detail="job was deleted")
    if answer.is_server_error or code in _LATER:
        raise UnavailableError(f"the job's source answers {code}")
    if answer.is_redirect:
        raise PermanentError(f"the job's source answers {code}; redirects are not followed")
    raise PermanentError(f"the job's source answers {code}")
