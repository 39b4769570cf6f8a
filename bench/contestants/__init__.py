"""Whom Holdfast is measured with, each behind the same few verbs."""

from __future__ import annotations

from bench.contestants.base import Contestant
from bench.contestants.celery import Celery
from bench.contestants.dapr import DaprSample, DaprSplit
from bench.contestants.dbos import DbosInProcess, DbosQueued
from bench.contestants.holdfast import Holdfast
from bench.contestants.temporal import TemporalDev, TemporalPostgres
from bench.ground import Ground

__all__ = ["Contestant", "all_contestants"]


def all_contestants(ground: Ground) -> list[Contestant]:
    """Return everybody, Holdfast first."""
    return [
        Holdfast(ground),
        DaprSplit(ground),
        DaprSample(ground),
        TemporalDev(ground),
        TemporalPostgres(ground),
        DbosInProcess(ground),
        DbosQueued(ground),
        Celery(ground),
    ]
