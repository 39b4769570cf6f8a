"""The binaries that everything else runs are the pinned ones."""

from __future__ import annotations

import subprocess
import time

import pytest

from holdfast_local.build_info import read_build_info
from holdfast_local.folders import repository
from holdfast_local.go_build import read_pin
from holdfast_local.toolchain import ensure_dapr
from holdfast_local.toolchain_sources import MODULE, STACK_BINARIES

pytestmark = pytest.mark.integration


def test_stacks_binaries_are_of_the_pinned_version_and_cost_nothing_a_second_time() -> None:
    version = read_pin(repository()).version
    binaries = ensure_dapr()
    began = time.monotonic()

    assert ensure_dapr() == binaries
    assert time.monotonic() - began < 1
    assert set(binaries) == set(STACK_BINARIES)
    answer = subprocess.run(
        [binaries["daprd"], "--version"], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == version
    for name, path in binaries.items():
        info = read_build_info(path)
        assert info is not None
        assert (info.package, info.version) == (f"{MODULE}/cmd/{name}", f"v{version}")
