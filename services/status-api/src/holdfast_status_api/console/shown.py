"""How values look on a page. What is shown is text; templates escape all of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

#: What stands where there is no value.
NOTHING = "\N{EN DASH}"
#: More of a document than this is not put into a page; the API has all of it.
LONGEST_DOCUMENT = 20_000
_LONGEST_LINE = 300
_SECONDS_OF_A_MINUTE = 60
_SECONDS_OF_AN_HOUR = 3600


def document(value: Any, *, longest: int = LONGEST_DOCUMENT) -> str:
    """Return a JSON value as people read it, cut where it is too long for a page."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    if len(text) <= longest:
        return text
    return f"{text[:longest]}\n… and {len(text) - longest} characters more: ask the API for them"


def line(value: Any) -> str:
    """Return a JSON value in one line, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_LINE else f"{text[:_LONGEST_LINE]}…"


def moment(value: datetime | str | None) -> str:
    """Return a time as people read it, in UTC."""
    if value is None:
        return NOTHING
    if isinstance(value, str):
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            return value
    else:
        parsed = value
    return parsed.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def machine_time(value: datetime | str) -> str:
    """Return a time as programs read it."""
    return value if isinstance(value, str) else value.astimezone(UTC).isoformat()


def duration(begin: datetime | None, end: datetime | None) -> str:
    """Return how long something took, or a dash if it is not over."""
    if begin is None or end is None:
        return NOTHING
    return seconds((end - begin).total_seconds())


def seconds(value: float) -> str:
    """Return a length of time in the unit that suits it."""
    if value < 1:
        return f"{max(value, 0) * 1000:.0f} ms"
    if value < _SECONDS_OF_A_MINUTE:
        return f"{value:.1f} s"
    if value < _SECONDS_OF_AN_HOUR:
        return f"{value // 60:.0f} min {value % 60:.0f} s"
    return f"{value // 3600:.0f} h {value % 3600 // 60:.0f} min"


def words(name: str) -> str:
    """Return a name of the engine as words: TASK_SCHEDULED is Task scheduled."""
    return name.replace("_", " ").capitalize()
