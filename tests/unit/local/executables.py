"""Tiny real executables that stand for Dapr's and Go's."""

from __future__ import annotations

from pathlib import Path

_MAGIC = b"\xff Go buildinf:"


def script(path: Path, body: str) -> Path:
    """Write a shell script that can be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def go_program(path: Path, package: str, module: str, version: str, *, padding: int = 0) -> Path:
    """Write a file that holds the build information of a Go program, as the linker lays it out."""
    text = f"path\t{package}\nmod\t{module}\t{version}\th1:x=\ndep\tother.invalid/a\tv9.9.9\n"
    marked = b"0" * 16 + text.encode() + b"1" * 16
    header = _MAGIC + bytes([8, 2])
    image = b"\x7fELF" + b"\0" * padding + header.ljust(32, b"\0")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(image + _counted(b"go1.26.6") + _counted(marked) + b"\0" * 64)
    path.chmod(0o755)
    return path


def _counted(data: bytes) -> bytes:
    """Put the length before the data, seven bits a byte, the way Go writes it."""
    length, prefix = len(data), bytearray()
    while length >= 0x80:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    return bytes(prefix) + data
