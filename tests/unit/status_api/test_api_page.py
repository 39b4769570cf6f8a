"""docs/api.md shows every route of the API."""

from __future__ import annotations

import pytest

from holdfast_status_api.auth.permissions import RULES
from tests.support.clone import ROOT

PAGE = (ROOT / "docs" / "api.md").read_text("utf-8")
#: How a browser signs in, and the files that pages load.
ELSEWHERE = ("/console/login", "/console/static/", "/docs/")
ROUTES = sorted(
    rule.replace("{run}", "{instance_id}").replace("{webhook}", "{webhook_id}")
    for rule, who in RULES.items()
    if not who.session
    and not rule.partition(" ")[2].startswith(ELSEWHERE)
    and not rule.endswith(("/human_approval", "/bulk/purge"))
)


@pytest.mark.parametrize("route", ROUTES)
def test_the_page_shows_the_route_with_a_real_answer(route: str) -> None:
    _, found, example = PAGE.partition(f"### `{route}`")
    assert found
    assert "\n```http\n" in example[:20]
