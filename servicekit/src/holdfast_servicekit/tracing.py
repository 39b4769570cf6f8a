"""OpenTelemetry traces: exported by OTLP where that is asked for, free of cost where it is not.

Set ``OTEL_EXPORTER_OTLP_ENDPOINT`` and every service sends its spans there; OpenTelemetry's other
variables (``OTEL_TRACES_SAMPLER``, headers, time-outs) work as its documentation says. Without it
no span is made.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flask import Flask
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:  # see `start`
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
HEADER = "traceparent"

_context = TraceContextTextMapPropagator()
#: What makes this process's spans, once that was asked for.
_provider: TracerProvider | None = None


def enabled() -> bool:
    """Tell whether spans are exported from this process."""
    return bool(os.environ.get(ENDPOINT))


def start(service: str, exporter: SpanExporter | None = None) -> TracerProvider | None:
    """Begin to export this process's spans, if that is asked for. Call it after the fork."""
    global _provider  # noqa: PLW0603 - as OpenTelemetry's own
    if exporter is None and not enabled():
        return None
    from holdfast_servicekit import spans  # noqa: PLC0415 - what nobody asks for is not loaded

    _provider = spans.export(service, exporter)
    return _provider


def stop() -> None:
    """Export what is left, within the exporter's own bound."""
    if _provider is not None:
        _provider.shutdown()


def instrument(app: Flask) -> None:
    """Make a span of each request of the app, as part of its caller's trace."""
    if _provider is not None:
        from holdfast_servicekit import spans  # noqa: PLC0415 - as above

        spans.of_requests(app)


def traceparent() -> str | None:
    """Return the W3C trace context of what this thread does, to be handed on or stored."""
    carrier: dict[str, str] = {}
    _context.inject(carrier)
    return carrier.get(HEADER)


def hand_on(headers: MutableMapping[str, str]) -> None:
    """Add the trace context to the headers of a request that is about to be sent."""
    _context.inject(headers)


@contextmanager
def continued(stored: str | None, name: str, **attributes: str) -> Iterator[None]:
    """Go on with a trace whose context was stored; without one, do the same without a span."""
    if stored is None or _provider is None:
        yield
        return
    parent = _context.extract({HEADER: stored})
    tracer = trace.get_tracer("holdfast")
    with tracer.start_as_current_span(name, context=parent, attributes=attributes):
        yield


def trace_id() -> str | None:
    """Return the ID of the trace that this thread is in."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None
