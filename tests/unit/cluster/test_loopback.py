"""A mirror on loopback is known by its name, and found by the port that its container publishes."""

from __future__ import annotations

import pytest
import yaml

from holdfast_cluster.folders import manifests
from holdfast_cluster.loopback import CONTAINERD_PATCH, LoopbackMirror, inner_port, is_on_loopback
from holdfast_cluster.nodes import kind_configuration


@pytest.mark.parametrize(
    ("mirror", "expected"),
    [
        ("127.0.0.1:5001", True),
        ("localhost:5001/hub", True),
        ("localhost", True),
        ("mirror.example:5001", False),
        ("127.0.0.1.example", False),
        ("10.0.0.1:5000", False),
        ("", False),
    ],
)
def test_loopback_is_known_by_name(mirror: str, *, expected: bool) -> None:
    assert is_on_loopback(mirror) is expected


def test_port_inside_is_that_of_the_port_outside() -> None:
    listed = "5000/udp -> 127.0.0.1:5001\n8080/tcp -> 0.0.0.0:5002\n5000/tcp -> 127.0.0.1:5001\n"

    assert inner_port(listed, "5001") == 5000
    assert inner_port(listed, "5002") == 8080
    assert inner_port("8080/tcp -> [::]:5002\n", "5002") == 8080
    assert inner_port(listed, "501") is None
    assert inner_port("", "5001") is None


def test_node_is_told_the_containers_name_in_place_of_its_own_loopback() -> None:
    mirror = LoopbackMirror("127.0.0.1:5001", "kind-registry", 5000)

    assert mirror.explanation == '[host."http://kind-registry:5000"]\n'


def test_containerd_is_told_where_names_are_explained_only_where_one_is() -> None:
    text = (manifests() / "kind.yaml").read_text("utf-8")

    near = kind_configuration(text, 8480, built=False, near=True)
    assert near["containerdConfigPatches"] == [CONTAINERD_PATCH]
    assert yaml.safe_load(yaml.safe_dump(near)) == near
    assert "containerdConfigPatches" not in kind_configuration(text, 8480, built=False)
