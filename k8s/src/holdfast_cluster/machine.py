"""What this machine is and may do: facts that the cluster depends on."""

from __future__ import annotations

import os
import platform
import shutil
import socket
from pathlib import Path

import psutil

#: The number of CAP_SYS_RESOURCE, as in linux/capability.h.
_SYS_RESOURCE = 24


def is_root() -> bool:
    """Tell whether this process may do what only root may."""
    return os.geteuid() == 0


def is_debian(os_release: Path = Path("/etc/os-release")) -> bool:
    """Tell whether packages of Debian can be installed with apt."""
    try:
        text = os_release.read_text("utf-8")
    except OSError:
        return False
    return "ID=debian" in text.split() and shutil.which("apt-get") is not None


def machine_name() -> str:
    """Return the processor's name as Debian writes it."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def has_sys_resource(status: Path = Path("/proc/self/status")) -> bool:
    """Tell whether containers can be given CAP_SYS_RESOURCE."""
    for line in status.read_text("utf-8").splitlines():
        name, _, value = line.partition(":")
        if name == "CapBnd":
            return bool(int(value, 16) >> _SYS_RESOURCE & 1)
    return True


def free_memory() -> int:
    """Return how many bytes a program could still take."""
    return psutil.virtual_memory().available


def free_disk(folder: Path) -> int:
    """Return how many bytes are free where a folder is, or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def port_is_taken(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether something listens on a port of loopback already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False
