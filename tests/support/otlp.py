"""A real receiver of OTLP over HTTP, for tests of what services export."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.http_server import Answer, Site, running_site


@dataclass(frozen=True)
class Span:
    """What a service said that it did."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str


@dataclass(frozen=True)
class Receiver:
    """Keeps what it is sent."""

    site: Site

    @property
    def environment(self) -> dict[str, str]:
        """What makes a service, or a sidecar, send its spans here, and soon."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.site.url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }

    def spans(self) -> list[Span]:
        """Return all spans that have arrived."""
        return [
            span
            for request in list(self.site.requests)
            if request.path == "/v1/traces"
            for span in _spans(request.body)
        ]


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    """Receive until the block ends."""
    with running_site() as site:
        site.answers = [Answer(200, b"", {"content-type": "application/x-protobuf"})]
        yield Receiver(site)


def _spans(body: bytes) -> Iterator[Span]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        names = {item.key: item.value.string_value for item in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Span(
                    names.get("service.name", ""),
                    span.name,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                )
