"""Measure requests by route, never by path: a path has no bound."""

from __future__ import annotations

import time

from flask import Flask, Response, g, request
from prometheus_client import Counter, Histogram

_REQUESTS = Counter(
    "holdfast_api_requests_total",
    "Requests by method, route and status.",
    ("method", "route", "code"),
)
_SECONDS = Histogram(
    "holdfast_api_request_seconds",
    "Time to answer, by method and route.",
    ("method", "route"),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
#: A method is the caller's word, too.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def measure(app: Flask) -> None:
    """Count and time every request of the app."""

    @app.before_request
    def begin() -> None:
        g.begun = time.perf_counter()

    @app.after_request
    def end(response: Response) -> Response:
        method = request.method if request.method in _METHODS else "other"
        route = request.url_rule.rule if request.url_rule is not None else "none"
        _REQUESTS.labels(method, route, response.status_code).inc()
        _SECONDS.labels(method, route).observe(time.perf_counter() - g.begun)
        return response
