"""Docker's rules in the packet filter: what an engine that was started here leaves is removed."""

from __future__ import annotations

import json
from pathlib import Path

from holdfast_cluster.commands import Runner
from holdfast_cluster.errors import CommandError
from holdfast_cluster.packages import find_program

_TABLES = ("filter", "nat", "raw")


def remember(file: Path, runner: Runner) -> None:
    """Write down which chains there are and what happens to forwarded packets, once."""
    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    was = {table: _rules(table, runner) for table in _TABLES}
    forwarding = Path("/proc/sys/net/ipv4/ip_forward").read_text("utf-8").strip()
    file.write_text(json.dumps({"rules": was, "ip_forward": forwarding}), "utf-8")


def restore(file: Path, runner: Runner) -> None:
    """Remove the rules and chains of Docker's that were not there before, and no others."""
    if not file.exists():
        return
    before = json.loads(file.read_text("utf-8"))
    for table, rules in before["rules"].items():
        for command in leftovers(rules, _rules(table, runner)):
            _change(table, command, runner)
    Path("/proc/sys/net/ipv4/ip_forward").write_text(before["ip_forward"], "utf-8")
    file.unlink()


def leftovers(before: list[str], after: list[str]) -> list[list[str]]:
    """Return the commands that take Docker's rules away, in an order that works.

    Rules of others, made in the meantime, stay: only what names a chain or a network of Docker's
    goes, and the policy for forwarded packets that Docker changes.
    """
    known = set(before)
    new = [rule for rule in after if rule not in known]
    dockers = [rule for rule in new if "DOCKER" in rule or "-o br-" in rule or "-i br-" in rule]
    masked = [rule for rule in new if rule.startswith("-A POSTROUTING") and "MASQUERADE" in rule]
    ours = [*dockers, *(rule for rule in masked if rule not in dockers and "! -o br-" in rule)]
    commands = [["-D", *rule.split()[1:]] for rule in ours if rule.startswith("-A ")]
    chains = [rule.split()[1] for rule in new if rule.startswith("-N ") and "DOCKER" in rule]
    commands += [["-F", chain] for chain in chains]
    commands += [["-X", chain] for chain in chains]
    for rule in before:
        if rule.startswith("-P FORWARD") and rule not in after:
            commands.append(rule.split())
    return commands


def _rules(table: str, runner: Runner) -> list[str]:
    iptables = find_program("iptables")
    if iptables is None:
        return []
    try:
        return runner.run((iptables, "-t", table, "-S")).splitlines()
    except CommandError:
        return []  # a kernel without this table


def _change(table: str, command: list[str], runner: Runner) -> None:
    iptables = find_program("iptables")
    if iptables is None:
        return
    try:
        runner.run((iptables, "-t", table, *command))
    except CommandError:
        return  # gone with the network that it was for
