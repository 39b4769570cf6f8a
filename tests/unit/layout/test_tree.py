"""What must never be in the repository, and what must hold together in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.clone import ROOT, files

#: Hosts that packages come from. Everybody's own settings decide that, not this repository.
REGISTRY = re.compile(
    r"pypi[.](org|python[.]org)|pythonhosted[.]org|(proxy|sum)[.]golang[.]org|goproxy[.]io"
    r"|registry[.]npmjs[.](org|com)|registry[.]yarnpkg[.]com|crates[.]io|deb[.]debian[.]org"
)
LINK = re.compile(r"\[[^\]]*\]\((?!https?://|#|mailto:)([^)\s#]+)[^)]*\)")


def text_of(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")


def test_no_file_names_the_host_of_a_package_registry() -> None:
    hits = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in files()
        if (match := REGISTRY.search(text_of(path)))
    ]
    assert hits == []


def test_no_lock_is_in_a_form_that_writes_registry_addresses() -> None:
    assert [path for path in files() if path.name in {"uv.lock", "poetry.lock"}] == []


@pytest.mark.parametrize(
    "page",
    [path for path in files() if path.suffix == ".md"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_every_link_in_a_page_leads_somewhere(page: Path) -> None:
    missing = [
        target
        for target in LINK.findall(text_of(page))
        if not (page.parent / target).exists() and "NNNN" not in target
    ]
    assert missing == []


def test_every_package_is_typed_and_under_the_repositorys_licence() -> None:
    projects = [path for path in files() if path.name == "pyproject.toml" and path.parent != ROOT]

    assert projects
    for project in projects:
        assert 'license = "Apache-2.0"' in text_of(project), project
        assert list((project.parent / "src").glob("*/py.typed")), project
    assert "Apache License" in text_of(ROOT / "LICENSE")
