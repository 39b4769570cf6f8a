from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from flask import Flask
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from holdfast_servicekit import logs, tracing

_TRACE = "0af7651916cd43dd8448eb211c80319c"
_PARENT = f"00-{_TRACE}-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def exporter() -> Iterator[InMemorySpanExporter]:
    """Trace this process, as a service does that was given an endpoint."""
    memory = InMemorySpanExporter()
    provider = tracing.start("test", memory)
    assert isinstance(provider, TracerProvider)
    yield memory
    tracing.stop()


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Give what the service writes to its standard output."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    handler = logs.configure_logging("test", "INFO")
    stream = io.StringIO()
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def app() -> Flask:
    app = Flask(__name__)
    logs.bind_requests(app)
    tracing.instrument(app)

    @app.get("/runs/<instance_id>")
    def run(instance_id: str) -> str:
        structlog.get_logger().warning("looked at")
        return tracing.traceparent() or "none"

    @app.get("/runs")
    def listed() -> str:
        structlog.get_logger().warning("listed")
        return ""

    @app.get("/healthz")
    def healthz() -> str:
        return ""

    return app


def test_a_request_goes_on_with_its_callers_trace(exporter: InMemorySpanExporter) -> None:
    answer = app().test_client().get("/runs/one", headers={"traceparent": _PARENT})
    assert answer.text.split("-")[1] == _TRACE
    assert answer.text != _PARENT


def test_what_was_stored_is_gone_on_with_later(exporter: InMemorySpanExporter) -> None:
    with tracing.continued(_PARENT, "later", **{"holdfast.instance_id": "one"}):
        headers: dict[str, str] = {}
        tracing.hand_on(headers)
    assert headers["traceparent"].split("-")[1] == _TRACE


def test_without_a_stored_context_there_is_no_span(exporter: InMemorySpanExporter) -> None:
    with tracing.continued(None, "later"):
        assert tracing.traceparent() is None


def test_records_of_a_request_name_its_run_and_its_trace(
    exporter: InMemorySpanExporter, written: io.StringIO
) -> None:
    client = app().test_client()
    client.get("/runs/one", headers={"traceparent": _PARENT})
    client.get("/runs")
    first, second = (json.loads(line) for line in written.getvalue().splitlines())
    assert first["event"] == "looked at"
    assert first["instance_id"] == "one"
    assert first["trace_id"] == _TRACE
    assert "instance_id" not in second


def test_probes_are_not_traced(exporter: InMemorySpanExporter) -> None:
    exporter.clear()
    app().test_client().get("/healthz")
    assert exporter.get_finished_spans() == ()
