"""``python -m holdfast_local``."""

from __future__ import annotations

from holdfast_local.cli import app

app(prog_name="holdfast_local")
