"""Debian's packages that the cluster needs on the machine, installed with apt when we may."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass

from holdfast_cluster.commands import Runner
from holdfast_cluster.errors import ClusterError, CommandError
from holdfast_cluster.machine import is_debian, is_root
from holdfast_local.build_view import BuildView


@dataclass(frozen=True)
class Program:
    """A program, and Debian's package that has it."""

    name: str
    package: str


DOCKERD = Program("dockerd", "docker.io")
DOCKER = Program("docker", "docker.io")
IPTABLES = Program("iptables", "iptables")
BOOTSTRAP = Program("mmdebstrap", "mmdebstrap")
#: What a Docker engine of our own takes.
ENGINE = (DOCKERD, DOCKER, IPTABLES)


def find_program(name: str) -> str | None:
    """Return where a program is; an administrator's folders count, whatever PATH says."""
    path = os.environ.get("PATH", os.defpath)
    return shutil.which(name, path=f"{path}:/usr/local/sbin:/usr/sbin:/sbin")


def ensure_programs(wanted: Iterable[Program], runner: Runner, view: BuildView) -> None:
    """Install the packages of the programs that are missing, or say who has to."""
    missing = sorted({one.package for one in wanted if find_program(one.name) is None})
    if not missing:
        return
    listed = " ".join(missing)
    if not (is_root() and is_debian()):
        raise ClusterError(
            f"{listed} is needed and not installed: install it (as root on Debian, this command "
            f"does so itself) and run it again."
        )
    quiet = Runner(runner.log, {**runner.environment, "DEBIAN_FRONTEND": "noninteractive"})
    command = ("apt-get", "install", "-y", "-q", "--no-install-recommends", *missing)
    with view:
        try:
            quiet.watch(("apt-get", "update", "-q"), view, "Package lists: updating")
            quiet.watch(command, view, f"{listed}: installing")
        except CommandError as error:
            raise ClusterError(
                f"Debian's package {listed} cannot be installed: check that apt works here "
                f"(`apt-get update`) and run this again ({error})"
            ) from error
        view.end(f"{listed} installed")
