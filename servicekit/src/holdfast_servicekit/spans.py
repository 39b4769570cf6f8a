"""Make spans and export them by OTLP.

Loaded only where that is asked for: it is a tenth of what a service loads before it serves.
"""

from __future__ import annotations

from flask import Flask
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

#: Probes and scrapes come all the time and tell nothing.
_NOT_TRACED = "healthz,readyz,metrics"


def export(service: str, exporter: SpanExporter | None = None) -> TracerProvider:
    """Begin to make spans in this process, and to export them."""
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}))
    provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider


def of_requests(app: Flask) -> None:
    """Make a span of each request of the app, as part of its caller's trace."""
    FlaskInstrumentor().instrument_app(app, excluded_urls=_NOT_TRACED)  # type: ignore[no-untyped-call]
