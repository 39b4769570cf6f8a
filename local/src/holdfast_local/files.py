"""Write files so that a reader never sees half of one."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write(path: Path, text: str, *, mode: int = 0o600) -> bool:
    """Put the text into the file at once, for the owner only; say whether it changed.

    A file that holds the text already is not touched: Dapr reloads what changes.
    """
    if path.exists() and path.read_text() == text:
        return False
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return True


def write_json(path: Path, value: object) -> bool:
    """Write the value as JSON for people; say whether the file changed."""
    return write(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON, or give ``None`` where there is no file."""
    return json.loads(path.read_text()) if path.exists() else None
