"""Hand the caller's trace on to the engine, which hands it on to every step of the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

from holdfast_orchestrator.engine import CreateInstanceRequest
from holdfast_servicekit import tracing


class TraceStarts(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]  # grpc has no types
    """Names the trace in each start. The SDK leaves that field of the request empty."""

    def intercept_unary_unary(
        self, continuation: Callable[[Any, Any], Any], details: Any, request: Any
    ) -> Any:
        """Add the trace context of the thread that starts the run, if it has one."""
        traceparent = tracing.traceparent()
        if traceparent is not None and isinstance(request, CreateInstanceRequest):
            request.parentTraceContext.traceParent = traceparent
        return continuation(details, request)
