"""The lock's sources: what packages state, without the repository's own names."""

from __future__ import annotations

from pathlib import Path

import pytest

import lock


@pytest.mark.parametrize(
    ("requirement", "name"),
    [("Flask>=3.1", "flask"), ("dapr[workflow]==1.19.0", "dapr"), ("types_PyYAML", "types-pyyaml")],
)
def test_requirement_is_known_by_its_normalised_name(requirement: str, name: str) -> None:
    assert lock.distribution(requirement) == name


def test_own_packages_are_never_asked_of_an_index(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "x"\ndependencies = ["holdfast-contracts", "httpx>=0.28"]\n'
        '[project.optional-dependencies]\nmore = ["rich", "holdfast_servicekit"]\n'
    )

    assert lock.external_dependencies(tmp_path) == ["httpx>=0.28", "rich"]


def test_text_that_is_no_requirement_is_refused() -> None:
    with pytest.raises(ValueError, match="not a requirement"):
        lock.distribution("-e .")
