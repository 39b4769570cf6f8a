"""Fill an image of a service: run by services/Dockerfile, in its build stage.

Needs Python's standard library only, because the base need not have more. What it writes depends
on its input alone: no time, no order of a folder, no name of a builder gets into a file.

    python3 image.py tools                     what builds wheels, in /opt/tools
    python3 image.py dependencies <service>    the locked packages, in /layers/dependencies
    python3 image.py code <service>            our own packages and the SBOM, in /layers/code

Below each of the two lies what goes to the root of the image: a folder that is copied as part of
another keeps its date, and one that others are copied into does not.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import py_compile
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

BUILD = Path("/build")
TOOLS = Path("/opt/tools")
VENV = Path("/opt/holdfast")
#: Two, so that a change of the code is a layer of its own, and a small one.
DEPENDENCIES = Path("/layers/dependencies")
CODE = Path("/layers/code")
OWN = ("contracts", "servicekit")
#: Parts of packages that no service imports, and that weigh more than all the rest of it.
UNUSED = ("kubernetes/aio",)


def layer(root: Path) -> Path:
    """Return where the service's folder lies in a layer."""
    return root / VENV.relative_to("/")


def pip(wheelhouse: Path) -> str:
    """Return what Python runs as pip: the locked wheel, or what the base has."""
    wheels = sorted(wheelhouse.glob("pip-*.whl"))
    if wheels:
        return f"{wheels[-1]}/pip"
    import pip as installed  # noqa: PLC0415 - official bases have it, and no wheelhouse

    return str(Path(installed.__file__).parent)


def install(python: Path, *arguments: str) -> None:
    """Install with that Python, from the wheelhouse alone where there is one."""
    wheelhouse = BUILD / "wheelhouse"
    offline = any(wheelhouse.glob("*.whl"))
    source = ["--no-index", "--find-links", str(wheelhouse)] if offline else []
    command = [str(python), pip(wheelhouse), "install", "--no-compile", *source, *arguments]
    subprocess.run(command, check=True)


def locked(name: str) -> list[str]:
    """Return what makes pip take the wheels of a lock and no others."""
    lock = BUILD / "requirements" / f"{name}.txt"
    return ["--require-hashes", "--only-binary", ":all:", "--requirement", str(lock)]


def make_venv(folder: Path) -> Path:
    """Make an empty virtual environment and return its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder / "bin" / "python"


def compile_all(folder: Path) -> None:
    """Compile once, here; what is compiled does not depend on when."""
    compileall.compile_dir(
        folder,
        quiet=2,
        force=True,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


def settle(folder: Path) -> None:
    """Give every file and folder the one date, and let everybody read it."""
    date = int(os.environ["SOURCE_DATE_EPOCH"])
    for path in sorted(folder.rglob("*"), reverse=True):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)
        os.utime(path, (date, date), follow_symlinks=False)
    os.utime(folder, (date, date))


def python_components(folders: list[Path]) -> Iterator[dict[str, Any]]:
    """Yield the Python packages of these folders as components of an SBOM."""
    for found in distributions(path=[str(folder) for folder in folders]):
        name = re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower()
        component: dict[str, Any] = {
            "type": "library",
            "bom-ref": f"pkg:pypi/{name}@{found.version}",
            "name": name,
            "version": found.version,
            "purl": f"pkg:pypi/{name}@{found.version}",
        }
        licence = found.metadata.json.get("license_expression")
        if licence:
            component["licenses"] = [{"expression": licence}]
        yield component


def debian_components(status: str, release: str) -> Iterator[dict[str, Any]]:
    """Yield the installed Debian packages, from dpkg's own list of them."""
    codename = re.search(r"^VERSION_ID=\"?([^\"\n]+)", release, re.MULTILINE)
    distro = f"debian-{codename[1]}" if codename else "debian"
    for paragraph in status.split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            name, version = fields["Package"], fields["Version"]
            escaped = version.replace("+", "%2B").replace(":", "%3A").replace("~", "~")
            purl = f"pkg:deb/debian/{name}@{escaped}?arch={fields['Architecture']}&distro={distro}"
            yield {
                "type": "library",
                "bom-ref": purl,
                "name": name,
                "version": version,
                "purl": purl,
            }


def sbom(service: str, components: list[dict[str, Any]], date: int) -> dict[str, Any]:
    """Return the image's bill of materials as a CycloneDX document."""
    components = sorted(components, key=lambda one: str(one["bom-ref"]))
    listed = json.dumps(components, sort_keys=True)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        # Made of what is listed: the same content has the same number.
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, service + listed)}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(date, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "container",
                "bom-ref": f"holdfast/{service}",
                "name": f"holdfast/{service}",
            },
        },
        "components": components,
    }


def tools() -> None:
    """Install what builds our own wheels."""
    install(make_venv(TOOLS), *locked("build"))


def dependencies(service: str) -> None:
    """Install the locked dependencies of a service."""
    python = make_venv(VENV)
    install(python, *locked(service))
    for site in VENV.glob("lib/python3*/site-packages"):
        for part in UNUSED:
            shutil.rmtree(site / part, ignore_errors=True)
        (site / "holdfast.pth").write_text(f"{VENV / 'app'}\n", "utf-8")
    compile_all(VENV / "lib")
    # Scripts for shells that nobody has there.
    for script in VENV.glob("bin/[aA]ctivate*"):
        script.unlink()
    layer(DEPENDENCIES).parent.mkdir(parents=True)
    shutil.move(VENV, layer(DEPENDENCIES))
    settle(DEPENDENCIES)


def code(service: str) -> None:
    """Install our own packages beside their dependencies, and list all that the image has."""
    wheels = BUILD / "own"
    packages = [BUILD / name for name in (*OWN, f"services/{service}")]
    for package in packages:
        build = [str(TOOLS / "bin" / "python"), "-m", "hatchling", "build", "-t", "wheel"]
        subprocess.run([*build, "-d", str(wheels)], cwd=package, check=True)
    venv, app = layer(DEPENDENCIES), layer(CODE) / "app"
    built = [str(wheel) for wheel in sorted(wheels.glob("*.whl"))]
    install(venv / "bin" / "python", "--no-deps", "--target", str(app), *built)
    # Where the wheels were is nobody's business.
    for note in app.glob("*.dist-info/direct_url.json"):
        note.unlink()
    compile_all(app)
    components = [
        *python_components([*venv.glob("lib/python3*/site-packages"), app]),
        *debian_components(
            Path("/var/lib/dpkg/status").read_text("utf-8"),
            Path("/etc/os-release").read_text("utf-8"),
        ),
    ]
    document = sbom(service, components, int(os.environ["SOURCE_DATE_EPOCH"]))
    (layer(CODE) / "sbom.cdx.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    settle(CODE)


def main() -> None:
    """Run one step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=["tools", "dependencies", "code"])
    parser.add_argument("service", nargs="?")
    options = parser.parse_args()
    if options.step == "tools":
        tools()
    elif options.step == "dependencies":
        dependencies(options.service)
    else:
        code(options.service)


if __name__ == "__main__":
    main()
