"""``python -m holdfast_status_api serve|migrate``."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

USAGE = "usage: python -m holdfast_status_api serve|migrate"


def main(arguments: list[str]) -> int:
    """Run one command; the service is configured by its environment alone."""
    if arguments == ["serve"]:
        # Several processes serve, so they count in files. The metrics library reads this when
        # it is imported: hence the imports below are not at the top.
        folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        if not folder:
            folder = tempfile.mkdtemp(prefix="holdfast-status-api-")
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        Path(folder).mkdir(parents=True, exist_ok=True)
        from holdfast_status_api import server  # noqa: PLC0415

        server.serve()
        return 0
    if arguments == ["migrate"]:
        from holdfast_status_api.migrate import migrate  # noqa: PLC0415

        migrate()
        return 0
    sys.stderr.write(f"{USAGE}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
