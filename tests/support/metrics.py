"""What a page of metrics says, in Prometheus' text format."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families


def total(page: str, name: str, **labels: str) -> float:
    """Return the sum of the samples of that name that have these labels; 0 if there is none."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        # The parser gives a counter the suffix that OpenMetrics wants, where the page has none.
        if sample.name in {name, f"{name}_total"} and labels.items() <= sample.labels.items()
    )
