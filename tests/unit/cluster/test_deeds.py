"""Each deed does what it says to its victims, to no other, and ends when it is healed."""

from __future__ import annotations

import signal

import psutil
import pytest

from holdfast_chaos.catalogue import WORKER
from holdfast_chaos.targets import TargetNotReadyError, deeds
from holdfast_chaos.targets.deeds import CORDONED, REPLICAS
from holdfast_chaos.world import Deed
from tests.support.waiting import eventually
from tests.unit.cluster.place import FORWARD, Place, status

PODS = "/api/v1/namespaces/team/pods"
CHAIN = "HOLDFAST-CHAOS"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a deed that waits in vain end soon."""
    monkeypatch.setattr(deeds, "GOING_SECONDS", 5.0)
    monkeypatch.setattr(deeds, "ROLLING_SECONDS", 5.0)
    monkeypatch.setattr(deeds, "API_SECONDS", 5.0)


def test_kill_ends_the_containers_processes_and_no_other(place: Place) -> None:
    first, second, database = place.processes

    place.arm(Deed.KILL, "orchestrator").strike()

    assert first.wait(5) == second.wait(5) == -signal.SIGKILL
    assert database.poll() is None


def test_kill_of_what_has_no_process_is_refused_when_it_is_armed(place: Place) -> None:
    (place.folder / "n2" / "tasks" / "postgresql-n2").unlink()

    with pytest.raises(TargetNotReadyError, match="no process of them is on"):
        place.arm(Deed.KILL, "postgresql")


def test_freeze_stops_the_containers_processes_until_it_is_healed(place: Place) -> None:
    first, second, database = place.processes
    deed = place.arm(Deed.FREEZE, "orchestrator")

    deed.strike()
    assert status(first) == status(second) == psutil.STATUS_STOPPED
    assert status(database) == psutil.STATUS_SLEEPING

    assert deed.heal() == ("orchestrator",)
    running = {psutil.STATUS_SLEEPING}
    eventually("both run", lambda: {status(first), status(second)} == running)


def test_freeze_that_stops_nothing_is_no_freeze(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    deed = place.arm(Deed.FREEZE, "postgresql")
    (place.folder / "n2" / "tasks" / "postgresql-n2").unlink()
    monkeypatch.setattr(deeds, "API_SECONDS", 0.2)

    with pytest.raises(TargetNotReadyError, match="not all took SIGSTOP"):
        deed.strike()


def test_delete_takes_the_victims_pods_alone(place: Place) -> None:
    place.arm(Deed.DELETE, "orchestrator").strike()

    assert place.pods() == {"postgresql-n2"}


def test_scale_asks_for_no_pod_and_for_as_many_as_before_once_there_is_none(place: Place) -> None:
    deed = place.arm(Deed.SCALE, "orchestrator")
    orchestrator = place.deployment("orchestrator")
    deed.strike()
    assert orchestrator["spec"]["replicas"] == 0
    assert orchestrator["metadata"]["annotations"] == {REPLICAS: "3"}
    wanted: list[int] = []

    def go_at_the_third_look(_method: str, path: str) -> None:
        if path == PODS:
            wanted.append(orchestrator["spec"]["replicas"])
        if len(wanted) == 3:
            for name in ("n1", "n2"):
                place.api.objects.pop(f"{PODS}/orchestrator-{name}", None)

    place.api.meanwhile = go_at_the_third_look
    deed.heal()

    assert wanted == [0, 0, 0]
    assert orchestrator["spec"]["replicas"] == 3
    assert orchestrator["metadata"]["annotations"] == {}
    assert place.deployment(WORKER)["spec"]["replicas"] == 3


def test_roll_changes_the_template_and_is_over_when_every_pod_is_a_new_one(place: Place) -> None:
    deed = place.arm(Deed.ROLL, "orchestrator")
    orchestrator = place.deployment("orchestrator")
    deed.strike()
    assert orchestrator["spec"]["template"]["metadata"]["annotations"].keys() == {
        "kubectl.kubernetes.io/restartedAt"
    }
    assert place.deployment(WORKER)["spec"]["template"]["metadata"] == {}
    orchestrator["metadata"]["generation"] = 2
    old = {"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}
    under_way = {**old, "observedGeneration": 2, "replicas": 4, "updatedReplicas": 2}
    steps = [old, under_way, {**old, "observedGeneration": 2}]
    shown: list[dict[str, int]] = []

    def go_on(method: str, path: str) -> None:
        if method == "GET" and path.endswith("/orchestrator"):
            shown.append(steps[min(len(shown), 2)])
            orchestrator["status"] = shown[-1]

    place.api.meanwhile = go_on
    deed.heal()

    assert shown == steps


def test_cut_drops_what_goes_between_the_pods_and_nothing_else(place: Place) -> None:
    deed = place.arm(Deed.CUT, "orchestrator", "postgresql")

    deed.strike()

    for node, address in (("n1", "10.0.1.1"), ("n2", "10.0.2.1")):
        assert place.chains(node) == {
            # In front of all others: it concerns connections that are there, too.
            "FORWARD": f"-j {CHAIN}\n{FORWARD}",
            CHAIN: f"-s {address} -d 10.0.2.9 -j DROP\n-s 10.0.2.9 -d {address} -j DROP\n",
        }


@pytest.mark.parametrize(
    ("packets", "seen"), [((0, 0), ()), ((0, 7), ("orchestrator", "postgresql"))]
)
def test_healed_cut_leaves_no_rule_and_tells_whether_packets_were_dropped(
    place: Place, packets: tuple[int, int], seen: tuple[str, ...]
) -> None:
    deed = place.arm(Deed.CUT, "orchestrator", "postgresql")
    deed.strike()
    for node, count in zip(("n1", "n2"), packets, strict=True):
        place.packets(node, count)

    assert deed.heal() == seen

    assert place.chains("n1") == place.chains("n2") == {"FORWARD": FORWARD}


def test_drain_cordons_one_node_and_evicts_the_victims_namespaces_from_it(place: Place) -> None:
    place.pod(WORKER, "n1", "10.0.1.2")
    place.pod(WORKER, "n2", "10.0.2.2")
    deed = place.arm(Deed.DRAIN, "orchestrator", WORKER)
    other = place.node("n2")
    place.api.budgets["orchestrator-n1"] = 1  # allowed at the second try

    deed.strike()

    assert place.node("n1")["spec"] == {"unschedulable": True}
    assert place.node("n1")["metadata"]["annotations"] == {CORDONED: "true"}
    assert (other["spec"], other["metadata"]["annotations"]) == ({}, {})
    assert place.pods() == {"orchestrator-n2", f"{WORKER}-n2", "postgresql-n2"}
    assert place.api.budgets == {"orchestrator-n1": 0}

    deed.heal()
    assert (place.node("n1")["spec"], place.node("n1")["metadata"]["annotations"]) == ({}, {})


def test_drain_leaves_other_namespaces_on_the_node_and_names_who_has_no_pod_there(
    place: Place,
) -> None:
    place.pod(WORKER, "n1", "10.0.1.2")
    deed = place.arm(Deed.DRAIN, WORKER, "postgresql")

    deed.strike()

    # Both nodes have one component's pod; the first of them is taken.
    assert place.node("n1")["spec"] == {"unschedulable": True}
    assert deed.struck == (f"{WORKER}-n1",)
    assert deed.spared == ("postgresql",)
    assert "postgresql-n2" in place.pods()


def test_drain_does_not_ask_a_pod_twice_that_is_on_its_way_out(place: Place) -> None:
    deed = place.arm(Deed.DRAIN, "orchestrator")
    going = f"{PODS}/orchestrator-n1"
    place.api.objects[going]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    looks: list[str] = []

    def end_at_the_third_look(_method: str, path: str) -> None:
        if path == PODS:
            looks.append(path)
        if len(looks) == 3:
            place.api.objects.pop(going, None)

    place.api.meanwhile = end_at_the_third_look
    deed.strike()

    assert len(looks) == 3
    assert ("POST", f"{going}/eviction") not in place.api.asked
