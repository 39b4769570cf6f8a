"""Take what the user gives: JSON in three ways, times, durations."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import typer

from holdfast_cli.errors import CliError, ExitCode

#: The server's own limit is lower; this one keeps a mistyped path from filling the memory.
LARGEST_BYTES = 64 * 1024 * 1024
_DURATION = re.compile(
    r"(?:(?P<days>\d{1,6})d)?(?:(?P<hours>\d{1,6})h)?(?:(?P<minutes>\d{1,6})m(?!s))?"
    r"(?:(?P<seconds>\d{1,9}(?:\.\d+)?)s?)?"
)


def json_text(argument: str, option: str) -> bytes:
    """Return the JSON that an option names: itself, ``@file``, or ``-`` for stdin.

    It is sent as it is, so no number is rounded on the way.
    """
    raw = _named(argument, option)
    try:
        text = raw.decode("utf-8-sig")
        # Only the syntax is looked at; numbers stay text, however long they are.
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_no_constant)
    except RecursionError:
        raise CliError(ExitCode.INVALID, f"{option} is nested too deeply") from None
    except ValueError as error:
        hint = "; a string needs quotes of its own" if argument[:1] not in {"@", "-"} else ""
        raise CliError(ExitCode.INVALID, f"{option} is no JSON", f"{error}{hint}") from None
    return text.encode()


def file_bytes(path: str, what: str) -> bytes:
    """Return what is in a file, or in stdin for ``-``."""
    try:
        if path == "-":
            raw = sys.stdin.buffer.read(LARGEST_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                raw = file.read(LARGEST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CliError(ExitCode.INVALID, f"{what} cannot be read", f"{path}: {reason}") from None
    if len(raw) > LARGEST_BYTES:
        raise CliError(ExitCode.INVALID, f"{what} is larger than {LARGEST_BYTES // 2**20} MiB")
    return raw


def seconds(text: str) -> float:
    """Return a duration such as ``90``, ``90s``, ``5m``, ``1h30m`` or ``7d``, in seconds."""
    return _duration(text).total_seconds()


def later(text: str) -> str:
    """Return a time: RFC 3339 with an offset, or a duration from now."""
    return _time(text, +1)


def earlier(text: str) -> str:
    """Return a time: RFC 3339 with an offset, or a duration that has passed since."""
    return _time(text, -1)


def _named(argument: str, option: str) -> bytes:
    if argument == "-":
        return file_bytes("-", option)
    if argument.startswith("@"):
        return file_bytes(argument[1:], option)
    return argument.encode("utf-8", "surrogateescape")


def _no_constant(name: str) -> NoReturn:
    message = f"{name} is no JSON value"
    raise ValueError(message)


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text.strip())
    parts: dict[str, Any] = match.groupdict() if match else {}
    found = {unit: float(number) for unit, number in parts.items() if number is not None}
    if not found:
        raise typer.BadParameter(f"{text!r} is no duration; write it like 90s, 5m, 1h30m or 7d")
    return timedelta(**found)


def _time(text: str, sign: int) -> str:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        try:
            parsed = datetime.now(UTC) + sign * _duration(text)
        except (typer.BadParameter, OverflowError):
            raise typer.BadParameter(
                f"{text!r} is no time; write it like 2030-01-31T08:00:00Z, or a duration like 2h"
            ) from None
    if parsed.tzinfo is None:
        raise typer.BadParameter(f"{text!r} has no offset; add Z for UTC, or one like +02:00")
    return parsed.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
