"""What an interrupted suite leaves is put back when the next one begins, and nothing else is."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any, NoReturn

import httpx
import psutil
import pytest

from holdfast_chaos.catalogue import WORKER
from holdfast_chaos.targets.deeds import CORDONED, restore
from holdfast_chaos.world import Deed
from holdfast_cluster.chaos import ways
from holdfast_cluster.kube import Kube
from tests.support.waiting import eventually
from tests.unit.cluster.place import NODES, Place, status

DEEDS = {
    Deed.CUT: ("orchestrator", "postgresql"),
    Deed.FREEZE: ("orchestrator",),
    Deed.SCALE: ("orchestrator", WORKER),
    Deed.DRAIN: ("orchestrator",),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_what_was_struck_and_never_healed_is_put_back(place: Place, deed: Deed) -> None:
    before = place.state()
    place.arm(deed, *DEEDS[deed]).strike()
    assert place.state() != before

    restore(place.cluster(), NODES)

    eventually("all is as it was", lambda: place.state() == before)


def test_all_of_it_at_once_and_a_second_time(place: Place) -> None:
    before = place.state()
    for deed in (Deed.CUT, Deed.FREEZE, Deed.SCALE):
        place.arm(deed, *DEEDS[deed]).strike()

    for _ in range(2):
        restore(place.cluster(), NODES)
        eventually("all is as it was", lambda: place.state() == before)


def test_partition_on_a_node_without_pods_of_ours_goes_where_the_node_is_named(
    place: Place,
) -> None:
    before = place.state()
    place.arm(Deed.CUT, "orchestrator", "postgresql").strike()
    for path in [path for path in place.api.objects if "/pods/" in path]:
        del place.api.objects[path]

    restore(place.cluster(), ())
    assert place.state() != before
    restore(place.cluster(), NODES)
    assert place.state() == before


def test_what_others_have_done_stays(place: Place) -> None:
    place.node("n1")["spec"]["unschedulable"] = True
    place.deployment(WORKER)["spec"]["replicas"] = 0
    other = place.process()
    psutil.Process(other.pid).suspend()
    eventually("it is stopped", lambda: status(other) == psutil.STATUS_STOPPED)
    before = place.state()

    restore(place.cluster(), ())

    assert place.state() == before
    assert {method for method, _ in place.api.asked} == {"GET"}


def test_node_that_is_not_named_and_has_no_pod_of_ours_is_not_entered(place: Place) -> None:
    del place.api.objects["/api/v1/namespaces/team/pods/orchestrator-n1"]

    restore(place.cluster(), ())

    assert place.entered == ["n2"]


def test_without_a_shell_on_the_nodes_scales_and_cordons_are_put_back(place: Place) -> None:
    before = place.state()
    for deed in (Deed.SCALE, Deed.DRAIN):
        place.arm(deed, "orchestrator").strike()

    restore(place.cluster(shells=False), NODES)

    assert place.state() == before
    assert place.entered == []


def test_suite_puts_back_before_it_begins_and_when_it_is_cut_off(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = place.state()
    place.arm(Deed.SCALE, "orchestrator").strike()
    began: list[dict[str, Any]] = []

    def interrupted(*_arguments: object) -> NoReturn:
        began.append(place.state())
        place.node("n1")["metadata"]["annotations"] = {CORDONED: "true"}
        place.node("n1")["spec"]["unschedulable"] = True
        raise KeyboardInterrupt

    monkeypatch.setattr(ways, "forwarded", interrupted)
    entered = ways.kubernetes_site(
        ways.Ways(
            client=place.api.client,
            kube=Kube(Path("/bin/false"), Path("/none"), place.folder / "log"),
            cluster=place.cluster(),
            name="pods",
            namespace="team",
            dapr_namespace="dapr-system",
            app_token=("app", "token"),
            database=nullcontext(""),
            api=nullcontext(httpx.Client()),
        )
    )

    with pytest.raises(KeyboardInterrupt), entered:
        raise AssertionError("the suite was not interrupted")

    assert began == [before]
    assert place.state() == before
