"""Skaffold's file: every profile is accepted, and deploys what it says; no network, no cluster."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.charts.conftest import SERVICES, Document, find, tool
from tests.support.clone import ROOT

PROFILES = ("", "kind", "closed-network", "live", "ci", "live,kind,closed-network")
BASE = "holdfast/python:3.11-of-the-test"
#: What of this repository is in the images.
CODE = tuple(
    ROOT / name / "src"
    for name in ("contracts", "servicekit", *(f"services/{service}" for service in SERVICES))
)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what Skaffold reads: it builds the charts' dependencies where they are."""
    folder = tmp_path_factory.mktemp("skaffold")
    shutil.copytree(ROOT / "charts", folder / "charts", ignore=shutil.ignore_patterns("*.tgz"))
    (folder / "k8s").mkdir()
    for name in ("k8s/holdfast-values.yaml", "k8s/skaffold-dev-values.yaml", "skaffold.yaml"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def skaffold(clone: Path, command: str, profiles: str, *arguments: str) -> list[Document]:
    places = {str(Path(tool(name)).parent) for name in ("helm", "kubectl")}
    done = subprocess.run(
        [
            *(tool("skaffold"), command, "--profile", profiles),
            *("--profile-auto-activation=false", *arguments),
        ],
        cwd=clone,
        env={
            **os.environ,
            "BASE": BASE,
            "HELM_CACHE_HOME": str(clone / ".cache"),
            "HOME": str(clone),
            "KUBECONFIG": os.devnull,
            "PATH": os.pathsep.join([*places, os.environ["PATH"]]),
            "SKAFFOLD_UPDATE_CHECK": "false",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


@pytest.mark.parametrize("profiles", PROFILES)
def test_a_profile_is_accepted(clone: Path, profiles: str) -> None:
    [config] = skaffold(clone, "diagnose", profiles, "--yaml-only")
    closed = "closed-network" in profiles
    for artifact in config["build"]["artifacts"]:
        assert (artifact["docker"].get("network") == "none") is closed
        assert (artifact["docker"].get("buildArgs") == {"BASE": "{{.BASE}}"}) is closed
    assert bool(config["build"]["local"].get("push")) is (profiles == "ci")
    # No profile loses the check of the runs in flight.
    [hook] = config["deploy"]["helm"]["hooks"]["before"]
    assert "replay --absent-ok" in hook["host"]["command"][-1]


def test_what_is_synced_comes_from_a_folder_that_is_there(clone: Path) -> None:
    [config] = skaffold(clone, "diagnose", "live", "--yaml-only")
    for artifact in config["build"]["artifacts"]:
        rules = artifact["sync"]["manual"]
        for rule in rules:
            folder = ROOT / rule["strip"]
            # A prefix that is none would put the file below the whole path of its source.
            assert rule["src"].startswith(rule["strip"])
            assert any(folder.rglob("*.py")), rule["strip"]
        # To Skaffold each image depends on the code of all: what no rule names is built anew.
        folders = {str(one.relative_to(ROOT)) for one in CODE}
        assert {rule["strip"].rstrip("/") for rule in rules} == folders
        assert len(rules) == len(folders)


def test_what_is_synced_goes_where_the_service_looks_for_its_code(clone: Path) -> None:
    [config] = skaffold(clone, "diagnose", "live", "--yaml-only")
    [live] = {
        rule["dest"]
        for artifact in config["build"]["artifacts"]
        for rule in artifact["sync"]["manual"]
    }
    documents = skaffold(clone, "render", "live", "--offline=true", "--digest-source=tag")
    for name in SERVICES:
        pod = find(documents, "Deployment", name)["spec"]["template"]["spec"]
        [container] = pod["containers"]
        assert {"name": "PYTHONPATH", "value": live} in container["env"]
        [mount] = [one for one in container["volumeMounts"] if one["mountPath"] == live]
        [volume] = [one for one in pod["volumes"] if one["name"] == mount["name"]]
        assert "emptyDir" in volume
        assert not mount.get("readOnly")


@pytest.mark.parametrize("profiles", PROFILES)
def test_a_profile_renders_the_release(clone: Path, profiles: str) -> None:
    # Nothing is built: the images are named, no more.
    offline = ("--offline=true", "--digest-source=tag")
    documents = skaffold(clone, "render", profiles, *offline)
    for name in SERVICES:
        deployment = find(documents, "Deployment", name)
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        assert container["image"].startswith(f"holdfast/{name}:")
        live = "live" in profiles
        assert ("command" in container) is live
        # Live development, too, leaves the image's files as they are.
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert deployment["spec"]["replicas"] == (1 if live else 2)
    service = find(documents, "Service", "status-api")
    assert (service["spec"]["type"] == "NodePort") is ("kind" in profiles)
