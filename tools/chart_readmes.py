"""Write the charts' READMEs: what their values.yaml says, by helm-docs.

Run it after a change: `make charts-docs`.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from chart_schemas import CHARTS
from holdfast_local.toolchain import ensure_tools


def write(charts: Path) -> None:
    """Write the README of every chart in the folder."""
    helm_docs = ensure_tools(["helm-docs"])["helm-docs"]
    subprocess.run(
        [
            *(str(helm_docs), "--chart-search-root", str(charts), "--log-level", "error"),
            *("--template-files", "./_docs.gotmpl", "--template-files", "README.md.gotmpl"),
        ],
        cwd=charts,
        check=True,
    )


if __name__ == "__main__":
    write(CHARTS)
