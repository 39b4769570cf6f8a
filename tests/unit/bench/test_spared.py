"""What a contestant is not asked for is said in the report."""

from __future__ import annotations

from dataclasses import replace

from bench.contestants.dapr import DaprSample
from bench.contestants.holdfast import Holdfast
from bench.ground import Ground
from bench.measuring import not_asked
from bench.plan import FULL, QUICK


def test_only_what_is_beyond_a_contestant_is_left_out_and_named() -> None:
    ground = Ground()
    [line] = not_asked(DaprSample(ground), FULL)

    assert line == "dapr-sample: fan-out of 10,000: it is asked for 1,000 at most"
    assert not_asked(DaprSample(ground), QUICK) == []
    assert not_asked(DaprSample(ground), replace(FULL, fan_outs=(1_000,))) == []
    assert not_asked(Holdfast(ground), FULL) == []
