"""Make small real wheels, for installers that must not reach for a network."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path


def make_wheel(folder: Path, name: str, version: str, files: Mapping[str, str]) -> str:
    """Make a wheel of the given files in a folder, and return its SHA-256."""
    folder.mkdir(exist_ok=True)
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    contents = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*contents, f"{info}/RECORD"])
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for inside, text in {**contents, f"{info}/RECORD": record}.items():
            wheel.writestr(inside, text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def lock_line(name: str, version: str, checksum: str) -> str:
    """Return the entry of a lock for one wheel."""
    return f"{name}=={version} \\\n    --hash=sha256:{checksum}\n"
