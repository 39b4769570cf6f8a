"""A drain takes the node that has most to lose."""

from __future__ import annotations

from holdfast_chaos.targets.cluster import Pod
from holdfast_chaos.targets.deeds import fullest_node


def pods(*nodes: str) -> list[Pod]:
    return [
        Pod("n", f"pod-{number}", "u", node, "a", ready=True, container_id="c", restarts=0)
        for number, node in enumerate(nodes)
    ]


def test_node_with_pods_of_most_components_is_drained() -> None:
    assert fullest_node({"a": pods("x", "x"), "b": pods("y", "x")}) == "x"
    # Two pods of one component are less than one of each.
    assert fullest_node({"a": pods("x", "x", "y"), "b": pods("y")}) == "y"
    assert fullest_node({"a": pods("x"), "b": pods("y", "y")}) == "y"
