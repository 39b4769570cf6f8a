"""``python -m holdfast_cluster``."""

from __future__ import annotations

from holdfast_cluster.cli import app

app(prog_name="holdfast_cluster")
