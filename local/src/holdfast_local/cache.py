"""The user's cache, shared by all clones: what is built or downloaded once."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path


def cache_folder() -> Path:
    """Return the cache's folder; ``HOLDFAST_CACHE_DIR`` moves it."""
    chosen = os.environ.get("HOLDFAST_CACHE_DIR")
    return Path(chosen).expanduser().absolute() if chosen else user_cache_path("holdfast")
