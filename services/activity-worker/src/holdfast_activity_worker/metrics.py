"""What the worker counts."""

from __future__ import annotations

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class WorkerMetrics:
    """The worker's metrics, registered once in each process."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.attempts = Counter(
            "holdfast_attempts",
            "Attempts of activities that ended, by outcome.",
            ["activity", "outcome"],
            registry=registry,
        )
        self.effects = Counter(
            "holdfast_effects",
            "Effects that this process committed.",
            ["activity"],
            registry=registry,
        )
        self.repeated_attempts = Counter(
            "holdfast_repeated_attempts",
            "Attempts that found their effect done and handed back its result.",
            ["activity"],
            registry=registry,
        )
        self.divergences = Counter(
            "holdfast_divergences",
            "Attempts that offered another payload under a key that was taken: each is a defect.",
            ["activity"],
            registry=registry,
        )
        self.seconds = Histogram(
            "holdfast_activity_seconds",
            "How long an attempt took, the ledger included.",
            ["activity"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self.outbox_depth = Gauge(
            "holdfast_outbox_depth",
            "What waits to be delivered, by outbox.",
            ["outbox"],
            registry=registry,
            multiprocess_mode="mostrecent",
        ).labels("notifications")
        self.outbox_oldest_seconds = Gauge(
            "holdfast_outbox_oldest_seconds",
            "Age of the oldest that waits to be delivered, by outbox.",
            ["outbox"],
            registry=registry,
            multiprocess_mode="mostrecent",
        ).labels("notifications")
        self.deliveries = Counter(
            "holdfast_outbox_deliveries",
            "Attempts to deliver a notification, by outcome.",
            ["outcome"],
            registry=registry,
        )
