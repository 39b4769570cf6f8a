"""``python -m holdfast_cli`` is ``holdfast``."""

from __future__ import annotations

from holdfast_cli.main import main

main()
