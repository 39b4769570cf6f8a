"""What is written by a tool is what the tool writes, and the charts pass Helm's own checks."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

import chart_readmes
import chart_schemas
from tests.charts.conftest import CHARTS, SERVICES, Helm, everything_on
from tests.support.clone import ROOT


@pytest.mark.parametrize("chart", CHARTS)
def test_lint_finds_nothing(helm: Helm, chart: str) -> None:
    done = helm.run("lint", "--strict", chart)

    assert done.returncode == 0, done.stdout
    assert "[WARNING]" not in done.stdout


def test_lint_finds_nothing_with_everything_on(helm: Helm, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(everything_on()))

    done = helm.run("lint", "--strict", "holdfast", "--values", str(values))

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", sorted(chart_schemas.schemas()))
def test_schema_is_what_the_tool_writes(path: Path) -> None:
    text = chart_schemas.schemas()[path]

    assert path.read_text("utf-8") == text, "run .venv/bin/python tools/chart_schemas.py"


@pytest.mark.parametrize("chart", [*CHARTS, "common"])
def test_readme_is_what_helm_docs_writes(chart: str, tmp_path: Path) -> None:
    copy = tmp_path / "charts"
    shutil.copytree(ROOT / "charts", copy)
    (copy / chart / "README.md").unlink()

    chart_readmes.write(copy)

    written = (copy / chart / "README.md").read_text("utf-8")
    assert (ROOT / "charts" / chart / "README.md").read_text("utf-8") == written, (
        "run make charts-docs"
    )


@pytest.mark.parametrize("chart", CHARTS)
def test_values_that_are_documented_are_those_that_exist(chart: str) -> None:
    readme = (ROOT / "charts" / chart / "README.md").read_text("utf-8")
    documented = {line.split("`")[1] for line in readme.splitlines() if line.startswith("| `")}
    text = (ROOT / "charts" / chart / "values.yaml").read_text("utf-8")
    schema = chart_schemas.schemas()[ROOT / "charts" / chart / "values.schema.json"]

    values = set(leaves(yaml.safe_load(text)))
    assert {one for one in values if not covered(one, documented)} == set()
    assert {one for one in documented if not covered(one, values)} == set()
    assert set(leaves_of_schema(yaml.safe_load(schema))) >= {
        one for one in documented if not one.startswith(("orchestrator", "activity", "status"))
    }


def leaves(value: Any, path: str = "") -> list[str]:
    if isinstance(value, dict) and value:
        return [
            leaf
            for key, inner in value.items()
            for leaf in leaves(inner, f"{path}.{key}" if path else str(key))
        ]
    return [path]


def leaves_of_schema(schema: dict[str, Any], path: str = "") -> list[str]:
    """Give every path that the schema names, objects too: a README names some as a whole."""
    found = [path] if path else []
    for key, inner in schema.get("properties", {}).items():
        found += leaves_of_schema(inner, f"{path}.{key}" if path else key)
    return found


def covered(path: str, by: set[str]) -> bool:
    """Tell whether a path, one above it or one below it is among others."""
    return any(
        path == other or path.startswith(f"{other}.") or other.startswith(f"{path}.")
        for other in by
    )


def test_values_that_the_services_share_are_the_same_in_all_three() -> None:
    values = {
        name: yaml.safe_load((ROOT / "charts" / name / "values.yaml").read_text())
        for name in SERVICES
    }
    umbrella = yaml.safe_load((ROOT / "charts" / "holdfast" / "values.yaml").read_text())

    first = values["orchestrator"]
    for name in SERVICES[1:]:
        for key in ("global", "dapr", "livenessProbe", "readinessProbe", "shutdown", "metrics"):
            assert values[name][key] == first[key], f"{name}: {key}"
    shared, whole = first["global"]["holdfast"], umbrella["global"]["holdfast"]
    assert {key: whole[key] for key in shared if key != "dapr"} == {
        key: shared[key] for key in shared if key != "dapr"
    }
    assert shared["dapr"].items() <= whole["dapr"].items()


@pytest.mark.parametrize("chart", CHARTS)
def test_the_same_values_make_the_same_manifests(helm: Helm, chart: str) -> None:
    first, second = helm.template(chart), helm.template(chart)

    assert first.returncode == 0
    assert first.stdout == second.stdout


def test_templates_neither_look_into_the_cluster_nor_roll_dice() -> None:
    forbidden = (
        *("lookup ", "rand", "genCA", "genSelfSigned", "genSigned", "genPrivateKey"),
        *("uuidv4", "now ", "Capabilities", "htpasswd", "bcrypt"),
    )
    found = [
        f"{path}: {word}"
        for path in (ROOT / "charts").rglob("*.*")
        if path.suffix in {".yaml", ".tpl", ".txt"} and "templates" in path.parts
        for line in path.read_text("utf-8").splitlines()
        if "{{" in line
        for word in forbidden
        if word in line
    ]

    assert found == []


@pytest.mark.parametrize("chart", SERVICES)
def test_chart_runs_alone(helm: Helm, chart: str) -> None:
    kinds = {one["kind"] for one in helm.documents(chart)}

    assert {"Deployment", "Service", "NetworkPolicy", "PodDisruptionBudget"} <= kinds


def test_umbrella_is_built_by_one_command(tmp_path: Path) -> None:
    """As Argo CD and Flux do it: they build the dependencies of the chart that they install."""
    copy = tmp_path / "charts"
    shutil.copytree(ROOT / "charts", copy, ignore=shutil.ignore_patterns("*.tgz", "Chart.lock"))
    helm = Helm(copy)

    assert helm.run("dependency", "build", "holdfast").returncode == 0

    assert len(helm.documents("holdfast")) > 20


@pytest.mark.parametrize("left_out", SERVICES)
def test_service_that_is_switched_off_is_not_there(helm: Helm, left_out: str) -> None:
    documents = helm.documents("holdfast", {left_out: {"enabled": False}})

    deployments = {one["metadata"]["name"] for one in documents if one["kind"] == "Deployment"}
    assert deployments == {*SERVICES} - {left_out}


def test_services_have_the_version_of_their_packages() -> None:
    for name in SERVICES:
        chart = yaml.safe_load((ROOT / "charts" / name / "Chart.yaml").read_text())
        project = (ROOT / "services" / name / "pyproject.toml").read_text()
        assert f'version = "{chart["appVersion"]}"' in project
