"""A cluster is whole, stopped, half made or not there; what makes it one is written down last."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from holdfast_cluster.errors import ClusterError
from holdfast_cluster.folders import ClusterFolder, manifests
from holdfast_cluster.loopback import LoopbackMirror
from holdfast_cluster.network import Node, conflist, nodes_of, route_script, setup_script
from holdfast_cluster.nodes import (
    Condition,
    Made,
    condition,
    kind_configuration,
    read_made,
    wanted_nodes,
)

NAMES = ("x-control-plane", "x-worker", "x-worker2")
MADE = Made("holdfast/node:v1", 8480, NAMES, built=True)


@pytest.mark.parametrize(
    ("made", "containers", "running", "expected"),
    [
        (None, [], [], Condition.NONE),
        (None, [*NAMES], [*NAMES], Condition.HALF),
        (None, ["x-worker"], [], Condition.HALF),
        (MADE, [*NAMES], [*NAMES], Condition.WHOLE),
        (MADE, [*NAMES], ["x-worker"], Condition.STOPPED),
        (MADE, ["x-worker"], ["x-worker"], Condition.HALF),
        (MADE, [], [], Condition.NONE),
    ],
)
def test_condition_follows_from_the_record_and_the_containers(
    made: Made | None, containers: list[str], running: list[str], expected: Condition
) -> None:
    assert condition(made, containers, running) is expected


def test_record_is_read_as_it_was_written_and_a_broken_one_counts_as_none(tmp_path: Path) -> None:
    file = tmp_path / "made.json"

    assert read_made(file) is None
    for made in (MADE, replace(MADE, near=LoopbackMirror("127.0.0.1:5001", "mirror", 5000))):
        made.write(file)
        assert read_made(file) == made
    # As it was written before there were mirrors.
    file.write_text('{"image": "holdfast/node:v1", "port": 1, "nodes": ["x"], "built": true}')
    assert read_made(file) == Made("holdfast/node:v1", 1, ("x",), built=True)
    for broken in ("", "{", "{}", "[]", '{"image": "x"}'):
        file.write_text(broken)
        assert read_made(file) is None


def test_names_of_nodes_are_those_that_kind_gives() -> None:
    configuration = kind_configuration((manifests() / "kind.yaml").read_text(), 8480, built=True)

    assert wanted_nodes("x", configuration) == NAMES


def test_port_is_mapped_on_loopback_and_nowhere_else() -> None:
    text = (manifests() / "kind.yaml").read_text()
    configuration = kind_configuration(text, 9999, built=False)
    nodes = configuration["nodes"]
    assert isinstance(nodes, list)
    mappings = [one for node in nodes for one in node.get("extraPortMappings", ())]

    assert mappings == [{"containerPort": 30080, "hostPort": 9999, "listenAddress": "127.0.0.1"}]


def test_own_network_takes_the_place_of_kinds_only_where_images_are_built() -> None:
    text = (manifests() / "kind.yaml").read_text()
    built = kind_configuration(text, 1, built=True)["networking"]
    pulled = kind_configuration(text, 1, built=False)["networking"]

    assert isinstance(built, dict)
    assert isinstance(pulled, dict)
    assert built["disableDefaultCNI"] is True
    assert "disableDefaultCNI" not in pulled


A = Node("a", "172.18.0.2", "10.244.0.0/24")
B = Node("b", "172.18.0.3", "10.244.1.0/24")


def test_node_routes_to_the_others_and_not_to_itself() -> None:
    script = route_script(A, [A, B])

    assert "ip route replace 10.244.1.0/24 via 172.18.0.3" in script
    assert "10.244.0.0/24" not in script
    assert script.count("MASQUERADE") == 2  # asked for, and added where it is missing


def test_address_of_a_service_that_is_not_there_never_leaves_the_node() -> None:
    script = route_script(A, [A, B])

    for chain in ("OUTPUT", "FORWARD"):
        assert f"iptables -A {chain} -d 10.96.0.0/16 -j REJECT" in script


def test_pods_of_a_node_are_of_its_own_range() -> None:
    plugins = yaml.safe_load(conflist(B))["plugins"]

    assert plugins[0]["ipam"]["ranges"] == [[{"subnet": "10.244.1.0/24"}]]
    assert conflist(B) in setup_script(B, [A, B])


def test_nodes_are_read_with_their_internal_address() -> None:
    addresses = (
        '[{"type": "Hostname", "address": "a"}, {"type": "InternalIP", "address": "1.2.3.4"}]'
    )
    listed = (
        '{"items": [{"metadata": {"name": "a"}, "spec": {"podCIDR": "10.244.0.0/24"}, '
        f'"status": {{"addresses": {addresses}}}}}]}}'
    )

    assert nodes_of(listed) == [Node("a", "1.2.3.4", "10.244.0.0/24")]


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a/b", "a" * 31, "../x"])
def test_name_that_is_no_name_for_nodes_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="is no name for a cluster"):
        ClusterFolder(tmp_path, name)
