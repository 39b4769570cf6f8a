"""The services' images: what is in them depends on the clone and its locks alone."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from holdfast_cluster.cluster import Wishes
from holdfast_cluster.deploy import base_image
from holdfast_cluster.engine import Engine
from holdfast_cluster.services import SERVICES, build_options
from holdfast_local.build_view import BuildView
from tests.cluster.conftest import Cluster
from tests.support.clone import ROOT

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]


def layers(engine: Engine, reference: str) -> list[str]:
    """Return the digests of an image's layers, the base's first."""
    printed = engine.docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", reference)
    return [str(layer) for layer in json.loads(printed)]


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_that_is_built_anew_has_the_same_layers(cluster: Cluster, service: str) -> None:
    engine = cluster.engine
    base = base_image(Wishes(), engine, BuildView())
    again = f"holdfast/{service}:again-{uuid4().hex[:8]}"
    options = [str(option) for option in build_options(ROOT, service, base)]
    engine.docker("build", "--no-cache", *options, "--tag", again, str(ROOT), seconds=600)
    try:
        deployed, built = layers(engine, cluster.image(service)), layers(engine, again)
    finally:
        engine.docker("image", "rm", again)

    # More than the base's own, or nothing would have been compared.
    assert len(built) > len(layers(engine, base))
    assert built == deployed
