"""Tasks for Celery, acknowledged when they are done, so that a killed worker's come again."""

from __future__ import annotations

import os

from celery import Celery

app = Celery("bench", broker=os.environ["BENCH_REDIS_URL"], backend=os.environ["BENCH_REDIS_URL"])
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=4,
    broker_connection_retry_on_startup=True,
)


@app.task
def add_one(values: list[int]) -> list[int]:
    """Append the last value plus one."""
    return [*values, values[-1] + 1]


@app.task
def double(values: list[int]) -> list[int]:
    """Append the last value doubled."""
    return [*values, values[-1] * 2]


@app.task
def square(values: list[int]) -> list[int]:
    """Append the last value squared."""
    return [*values, values[-1] ** 2]


@app.task
def square_item(value: int) -> int:
    """Square an item."""
    return value**2


@app.task
def count(results: list[int]) -> int:
    """Count what a fan-out has brought together."""
    return len(results)
