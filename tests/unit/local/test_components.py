"""One source of Dapr resources serves the cluster and the local stack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from holdfast_local import components
from holdfast_local.folders import repository

SOURCE = repository() / "components"
APP_IDS = {name: f"{name}-x" for name in ("orchestrator", "activity-worker", "status-api")}
SECRETS = {("holdfast-dapr-database", "connectionString"): "host=127.0.0.1 password=p"}


@pytest.fixture
def rendered(tmp_path: Path) -> dict[str, Any]:
    configuration = tmp_path / "configuration.yaml"
    target = tmp_path / "components"
    target.mkdir()
    components.render(SOURCE, target, configuration=configuration, app_ids=APP_IDS, secrets=SECRETS)
    files = [configuration, *target.iterdir()]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    resources = [yaml.safe_load(file.read_text()) for file in files]
    return {resource["kind"]: resource for resource in resources}


def test_what_needs_mtls_is_left_out(rendered: dict[str, Any]) -> None:
    assert set(rendered) == {"Component", "Configuration", "Resiliency"}
    assert "accessControl" not in rendered["Configuration"]["spec"]


def test_app_ids_are_the_stacks_own(rendered: dict[str, Any]) -> None:
    assert rendered["Component"]["scopes"] == ["orchestrator-x", "activity-worker-x"]
    assert rendered["Resiliency"]["scopes"] == ["status-api-x"]
    assert list(rendered["Resiliency"]["spec"]["targets"]["apps"]) == ["orchestrator-x"]


def test_secrets_are_filled_in(rendered: dict[str, Any]) -> None:
    values = {item["name"]: item["value"] for item in rendered["Component"]["spec"]["metadata"]}
    assert values["connectionString"] == "host=127.0.0.1 password=p"
    assert values["actorStateStore"] == "true"


def test_the_source_holds_no_secret_and_scopes_all_that_can_be_scoped() -> None:
    for path in SOURCE.glob("*.yaml"):
        for resource in yaml.safe_load_all(path.read_text()):
            assert resource["kind"] == "Configuration" or resource["scopes"], path
            for item in resource["spec"].get("metadata", []):
                assert "password" not in str(item.get("value", "")).lower()
