"""What our Docker engine leaves in the packet filter goes; what others put there stays."""

from __future__ import annotations

from holdfast_cluster.firewall import leftovers

BEFORE = ["-P INPUT ACCEPT", "-P FORWARD ACCEPT", "-A INPUT -p tcp --dport 22 -j ACCEPT"]
DOCKERS = [
    "-P INPUT ACCEPT",
    "-P FORWARD DROP",
    "-N DOCKER",
    "-N DOCKER-USER",
    "-A INPUT -p tcp --dport 22 -j ACCEPT",
    "-A FORWARD -j DOCKER-USER",
    "-A FORWARD -o br-0123456789ab -j DOCKER",
    "-A FORWARD -i br-0123456789ab ! -o br-0123456789ab -j ACCEPT",
    "-A DOCKER-USER -j RETURN",
]


def test_dockers_rules_go_before_its_chains_and_the_policy_comes_back() -> None:
    commands = [" ".join(command) for command in leftovers(BEFORE, DOCKERS)]

    assert "-D FORWARD -j DOCKER-USER" in commands
    assert "-D FORWARD -i br-0123456789ab ! -o br-0123456789ab -j ACCEPT" in commands
    assert commands.index("-D FORWARD -j DOCKER-USER") < commands.index("-X DOCKER-USER")
    assert commands.index("-F DOCKER-USER") < commands.index("-X DOCKER-USER")
    assert commands[-1] == "-P FORWARD ACCEPT"


def test_rules_of_others_stay_whenever_they_came() -> None:
    others = ["-N MINE", "-A INPUT -j MINE", "-A POSTROUTING -s 10.0.0.0/8 -o eth0 -j MASQUERADE"]
    commands = [" ".join(command) for command in leftovers(BEFORE, [*DOCKERS, *others])]

    assert not [command for command in commands if "MINE" in command or "eth0" in command]
    assert not [command for command in commands if "dport 22" in command]


def test_nothing_is_done_where_nothing_is_left() -> None:
    assert leftovers(BEFORE, BEFORE) == []
    assert leftovers(DOCKERS, DOCKERS) == []
