"""What the services of a stack have logged."""

from __future__ import annotations

import json
from typing import Any

import pytest

from holdfast_local.stack import Stack


def records(stack: Stack, service: str) -> list[dict[str, Any]]:
    """Return all that a service has logged; fail at a line that is no JSON object."""
    text = stack.folder.log(service).read_text("utf-8")
    found = []
    # What comes after the last line's end is still being written.
    for line in text.split("\n")[:-1]:
        try:
            record = json.loads(line)
        except ValueError:
            pytest.fail(f"{service} logged what is no JSON: {line}")
        assert isinstance(record, dict), line
        found.append(record)
    return found


def records_of(stack: Stack, service: str, run: str) -> list[dict[str, Any]]:
    """Return what a service has logged about a run."""
    return [record for record in records(stack, service) if record.get("instance_id") == run]
