"""What a service imports, its image has: the lock that the image is made of."""

from __future__ import annotations

import re
import sys
from importlib.metadata import packages_distributions

import pytest

import lock
from tests.support.clone import ROOT
from tests.unit.layout.imports import Use, imports, sources

#: Modules of a package that share their name's first part with others.
_SHARED = {"google"}
#: Imported where it is there: the replay check asks the API as the command does, on a laptop.
_ELSEWHERE = {"orchestrator": {"holdfast_cli"}}


def has(use: Use, locked: set[str], known: dict[str, list[str]]) -> bool:
    top = use.name.partition(".")[0]
    # `_typeshed` is the type checker's alone.
    if top in sys.stdlib_module_names or top in _SHARED or top.startswith("_"):
        return True
    names = known.get(top, [top])
    return bool({lock.distribution(name) for name in names} & locked)


@pytest.mark.parametrize("service", ["orchestrator", "activity-worker", "status-api"])
def test_every_import_of_a_service_is_in_its_image(service: str) -> None:
    text = (ROOT / "requirements" / f"{service}.txt").read_text("utf-8")
    locked = {
        lock.distribution(line) for line in re.findall(r"^[A-Za-z0-9][^=]*", text, re.MULTILINE)
    }
    own = ("contracts", "servicekit", f"services/{service}")
    locked |= {f"holdfast-{path.rpartition('/')[2]}" for path in own}
    # Our own are installed under their names or, in a clone, not known as installed at all.
    known = {
        **packages_distributions(),
        **{f"holdfast_{path.rpartition('/')[2].replace('-', '_')}": [path] for path in own},
    }
    locked |= {lock.distribution(path) for path in own}

    missing = {
        str(use)
        for path in own
        for file in sources(ROOT / path)
        for use in imports(file)
        if not has(use, locked, dict(known))
        and use.name.partition(".")[0] not in _ELSEWHERE.get(service, set())
    }
    assert missing == set()


def test_missing_import_would_be_found() -> None:
    use = Use(ROOT, 1, "tenacity.retry")

    assert not has(use, {"flask"}, {"tenacity": ["tenacity"]})
    assert has(use, {"tenacity"}, {"tenacity": ["tenacity"]})
