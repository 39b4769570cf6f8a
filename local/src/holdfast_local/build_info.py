"""Read what a Go executable says about itself, without Go and without running it."""

from __future__ import annotations

import mmap
import re
from dataclasses import dataclass
from pathlib import Path

_MAGIC = b"\xff Go buildinf:"
_HEADER_SIZE = 32
#: Bit of the header's flags: the two strings follow in place (Go 1.18 and later).
_INLINE_STRINGS = 2
#: The linker puts 16 bytes before and after the module text, so that it can be found in a dump.
_MARKER_SIZE = 16


@dataclass(frozen=True)
class BuildInfo:
    """The package that an executable was built from, and the version of the package's module."""

    package: str
    module: str
    version: str


def read_build_info(path: Path) -> BuildInfo | None:
    """Return what the executable holds, or None where it is no Go program of a known form."""
    try:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as image,
        ):
            at = image.find(_MAGIC)
            while at >= 0:
                found = _parse_at(image, at)
                if found is not None:
                    return found
                at = image.find(_MAGIC, at + 1)
    except (OSError, ValueError, IndexError):
        pass  # Unreadable, empty and so not to be mapped, or cut short: no Go program.
    return None


def _parse_at(image: mmap.mmap, at: int) -> BuildInfo | None:
    header = image[at : at + _HEADER_SIZE]
    if len(header) < _HEADER_SIZE or not header[15] & _INLINE_STRINGS:
        return None
    _, position = _string_at(image, at + _HEADER_SIZE)
    text, _ = _string_at(image, position)
    return _parse_module_text(text[_MARKER_SIZE:-_MARKER_SIZE].decode("utf-8", "replace"))


def _string_at(image: mmap.mmap, at: int) -> tuple[bytes, int]:
    """Return the string at a place, as Go writes it after its length, and the place behind it."""
    length = shift = 0
    while True:
        byte = image[at]
        at += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:  # noqa: PLR2004 - the last byte of a varint has no high bit
            break
    return image[at : at + length], at + length


def _parse_module_text(text: str) -> BuildInfo | None:
    package = re.search(r"^path\t(.+)$", text, re.MULTILINE)
    module = re.search(r"^mod\t([^\t\n]+)\t([^\t\n]+)", text, re.MULTILINE)
    if package is None or module is None:
        return None
    return BuildInfo(package[1], module[1], module[2])
