from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.cluster.fake_cluster import FakeCluster, running_cluster
from tests.unit.cluster.place import Place


@pytest.fixture(autouse=True)
def _handler() -> Iterator[None]:
    """Leave pytest its own way to end: each command sets one for the process that it has."""
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    """An API server that knows nothing yet."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
def place(cluster: FakeCluster, tmp_path: Path) -> Iterator[Place]:
    """Two nodes with a pod of the orchestrator each; the database's is on the second."""
    with closing(Place(cluster, tmp_path)) as place:
        place.build()
        place.pod("orchestrator", "n1", "10.0.1.1")
        place.pod("orchestrator", "n2", "10.0.2.1")
        place.pod("postgresql", "n2", "10.0.2.9")
        yield place
