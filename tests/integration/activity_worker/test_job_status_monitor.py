from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast_activity_worker.jobs import JobSources
from holdfast_activity_worker.jobs.words import UnexpectedAnswerError
from holdfast_contracts.errors import ActivityError, PermanentError, UnavailableError
from holdfast_contracts.job_status_monitor import CHECK_JOB_STATUS, JobReport, JobStatus
from tests.integration.activity_worker.hands import Admin, Hands, outcomes
from tests.support.http_server import Answer, Site
from tests.support.postgres import Database


@pytest.fixture
def sources(site: Site) -> Iterator[JobSources]:
    allowed = JobSources([site.host])
    yield allowed
    allowed.close()


def test_a_poll_has_one_answer_for_ever(
    database: Database, admin: Admin, site: Site, run: str
) -> None:
    site.answers = [Answer(body=b'{"status": "running"}'), Answer(body=b'{"status": "done"}')]
    job_id = f"{site.url}/jobs/7"
    with Hands(database.url("worker"), allowed_hosts=(site.host,)) as hands:
        first = hands.do(CHECK_JOB_STATUS, run, 0, job_id=job_id)
        again = hands.do(CHECK_JOB_STATUS, run, 0, job_id=job_id)
        second = hands.do(CHECK_JOB_STATUS, run, 1, job_id=job_id)
    assert first == again == JobReport(status=JobStatus.RUNNING, detail="running")
    assert second.status is JobStatus.COMPLETED
    assert [request.path for request in site.requests] == ["/jobs/7", "/jobs/7"]
    assert outcomes(admin, run) == ["committed", "repeated", "committed"]


def test_a_source_that_is_away_is_recorded_and_says_nothing_about_the_job(
    hands: Hands, database: Database, admin: Admin, run: str
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and nobody listens
        host = f"127.0.0.1:{unused.getsockname()[1]}"
        with (
            Hands(database.url("worker"), allowed_hosts=(host,)) as asking,
            pytest.raises(UnavailableError),
        ):
            asking.do(CHECK_JOB_STATUS, run, job_id=f"http://{host}/")
    assert outcomes(admin, run) == ["failed"]


def test_the_source_s_own_words_are_kept(site: Site, sources: JobSources) -> None:
    site.answers = [Answer(body=b'{"status": "failed", "detail": "out of memory"}')]
    expected = JobReport(status=JobStatus.FAILED, detail="out of memory")
    assert sources.look(site.url) == expected


@pytest.mark.parametrize("status", [404, 410])
def test_a_job_that_was_deleted_has_failed(site: Site, sources: JobSources, status: int) -> None:
    site.answers = [Answer(status=status)]
    expected = JobReport(status=JobStatus.FAILED, detail="job was deleted")
    assert sources.look(site.url) == expected


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(status=500), UnavailableError),
        (Answer(status=503), UnavailableError),
        (Answer(status=429), UnavailableError),
        (Answer(status=401), PermanentError),
        (Answer(status=302, headers={"location": "http://127.0.0.1:1/"}), PermanentError),
        (Answer(body=b"running"), UnexpectedAnswerError),
        (Answer(body=b'["running"]'), UnexpectedAnswerError),
        (Answer(body=b'{"status": "perhaps"}'), UnexpectedAnswerError),
        (Answer(body=b'{"status": "' + 70_000 * b"x" + b'"}'), UnexpectedAnswerError),
    ],
)
def test_any_other_answer_is_the_failure_that_it_is(
    site: Site, sources: JobSources, answer: Answer, error: type[ActivityError]
) -> None:
    site.answers = [answer]
    with pytest.raises(error) as raised:
        sources.look(site.url)
    assert type(raised.value) is error  # the engine knows a failure by its class's name


@pytest.mark.parametrize(
    "job_id",
    [
        "http://localhost:{port}/",
        "http://127.0.0.1:1/",
        "http://127.0.0.1/",
        "http://someone@127.0.0.1:{port}/",
        "http://[::1]:{port}/",
        "http://127.0.0.1:{port}.example/",
        "ftp://127.0.0.1:{port}/",
    ],
)
def test_a_host_that_is_not_allowed_is_not_asked(
    site: Site, sources: JobSources, job_id: str
) -> None:
    with pytest.raises(PermanentError) as raised:
        sources.look(job_id.format(port=site.port))
    assert type(raised.value) is PermanentError
    assert site.requests == []


def test_a_host_that_is_allowed_without_a_port_is_asked_on_any(site: Site) -> None:
    site.answers = [Answer(body=b'{"status": "active"}')]
    assert JobSources(["127.0.0.1"]).look(site.url).status is JobStatus.RUNNING


@pytest.fixture
def cluster(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Let the site be the API server that the user's configuration names."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "here", "cluster": {"server": site.url}}],
        "users": [{"name": "me", "user": {"token": "t"}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
    }
    file = tmp_path / "config"
    file.write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(file))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(file))
    return site


def job(*conditions: dict[str, str]) -> Answer:
    """Answer with a Job as the API server does."""
    document = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "nightly", "namespace": "batch"},
        "status": {"conditions": list(conditions)},
    }
    return Answer(body=json.dumps(document).encode(), headers={"content-type": "application/json"})


def test_a_kubernetes_job_is_looked_up_until_it_is_gone(cluster: Site) -> None:
    cluster.answers = [
        job(),
        job({"type": "Complete", "status": "True", "reason": "CompletionsReached"}),
        Answer(status=404),
    ]
    sources = JobSources(())
    reports = [sources.look("kubernetes:batch/nightly") for _ in range(3)]
    assert reports == [
        JobReport(status=JobStatus.RUNNING),
        JobReport(status=JobStatus.COMPLETED, detail="CompletionsReached"),
        JobReport(status=JobStatus.FAILED, detail="job was deleted"),
    ]
    assert {request.path for request in cluster.requests} == {
        "/apis/batch/v1/namespaces/batch/jobs/nightly/status"
    }


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, UnavailableError),
        (403, PermanentError),
        (500, UnavailableError),
        (429, UnavailableError),
    ],
)
def test_a_cluster_that_refuses_is_no_news_of_the_job(
    cluster: Site, status: int, error: type[ActivityError]
) -> None:
    cluster.answers = [Answer(status=status)]
    with pytest.raises(error):
        JobSources(()).look("kubernetes:batch/nightly")


def test_without_a_cluster_the_reason_is_clear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none")
    )
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(PermanentError, match="no Kubernetes configuration"):
        JobSources(()).look("kubernetes:batch/nightly")
