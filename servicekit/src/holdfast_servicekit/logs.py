"""JSON lines on standard output, the same from our code and from libraries."""

from __future__ import annotations

import logging
import sys

import structlog
from flask import Flask, request

from holdfast_servicekit import tracing


def configure_logging(service: str, level: str) -> logging.Handler:
    """Send every record of this process to standard output as one JSON object per line.

    Returns the handler, for libraries that insist on one of their own.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_service(service),
        _add_trace,
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells of every request
    return handler


def bind(**names: str) -> None:
    """Let every record that this thread makes carry these, and no others, until the next call.

    Threads serve one request, or do one activity, after the other.
    """
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**names)


def bind_requests(app: Flask) -> None:
    """Let every record that is made for a request about a run carry the run's instance ID."""

    @app.before_request
    def name_run() -> None:
        bind()
        instance_id = (request.view_args or {}).get("instance_id")
        if instance_id is not None:
            bind(instance_id=instance_id)


def _add_trace(
    _logger: structlog.typing.WrappedLogger, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    trace_id = tracing.trace_id()
    if trace_id is not None:
        event["trace_id"] = trace_id
    return event


def _add_service(service: str) -> structlog.typing.Processor:
    def add(
        _logger: structlog.typing.WrappedLogger, _method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        event["service"] = service
        return event

    return add
