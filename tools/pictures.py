"""Draw the README's pictures from the last `make demo`: nothing in them is made up.

Needs Chromium (Debian's package `chromium`, or any on PATH) and a certificate in `.run/demo`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CERTIFICATE = ROOT / ".run" / "demo" / "certificate.html"
PICTURE = ROOT / "docs" / "images" / "certificate.png"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
#: Banner, figures and the kill timeline; the tables below them are for the page itself.
SIZE = (1300, 1250)
SECONDS = 60


def main() -> int:
    """Write the picture; say in one line what is missing if it cannot be drawn."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        return _fail("no Chromium was found: install the package chromium")
    if not CERTIFICATE.exists():
        return _fail("there is no certificate yet: run `make demo` first")
    verdict = json.loads(CERTIFICATE.with_suffix(".json").read_text())["verdict"]
    if verdict != "pass":
        return _fail(f"the last certificate says {verdict}: run `make demo` again")
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                browser,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--no-first-run",
                "--hide-scrollbars",
                f"--user-data-dir={profile}",
                f"--window-size={SIZE[0]},{SIZE[1]}",
                f"--screenshot={PICTURE}",
                CERTIFICATE.as_uri(),
            ],
            check=True,
            timeout=SECONDS,
            stderr=subprocess.DEVNULL,
        )
    print(f"drawn: {PICTURE.relative_to(ROOT)}")
    return 0


def _fail(reason: str) -> int:
    print(f"holdfast: {reason}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
