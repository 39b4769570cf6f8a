"""Signing in to the console with a token of an OpenID Connect issuer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.console import EVIL, WAIT_MILLISECONDS
from tests.integration.status_api.service import Service, migrated_database, running_service
from tests.support.issuer import AUDIENCE, TestIssuer
from tests.support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.integration]


@pytest.fixture(scope="module")
def issuer() -> TestIssuer:
    return TestIssuer()


@pytest.fixture(scope="module")
def service(issuer: TestIssuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A status API that knows the issuer's keys; nobody runs workflows for it."""
    folder: Path = tmp_path_factory.mktemp("oidc")
    keys = folder / "keys.json"
    keys.write_bytes(issuer.jwks())
    environment = {
        "HOLDFAST_OIDC_ISSUER": issuer.name,
        "HOLDFAST_OIDC_AUDIENCE": AUDIENCE,
        "HOLDFAST_OIDC_JWKS_FILE": str(keys),
    }
    with (
        migrated_database(folder / "database") as database,
        running_service(database, folder, environment) as service,
    ):
        yield service


@pytest.fixture
def visitor(browser: Browser, service: Service) -> Iterator[Page]:
    context = browser.new_context(base_url=service.url)
    context.set_default_timeout(WAIT_MILLISECONDS)
    yield context.new_page()
    context.close()


def sign_in(page: Page, token: str) -> None:
    page.goto("/console/login")
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()


def test_bearer_of_a_token_is_signed_in_as_its_subject_with_its_role(
    visitor: Page, issuer: TestIssuer
) -> None:
    sign_in(visitor, issuer.token(sub="grace", role="operator"))

    visitor.wait_for_url("**/console/runs")
    expect(visitor.locator(".who")).to_contain_text("grace operator")
    visitor.get_by_role("link", name="Start", exact=True).click()
    visitor.get_by_role("link", name="task_chain").click()
    visitor.get_by_label("Input, as JSON").fill("1")
    visitor.get_by_role("button", name="Start").click()
    expect(visitor.get_by_text("The run is accepted.")).to_be_visible()
    expect(visitor.locator("#summary")).to_contain_text("by grace")


def test_subject_of_html_is_text_wherever_it_is_shown(visitor: Page, issuer: TestIssuer) -> None:
    sign_in(visitor, issuer.token(sub=EVIL, role="admin"))
    visitor.wait_for_url("**/console/runs")
    visitor.goto("/console/start/task_chain")
    visitor.get_by_label("Input, as JSON").fill("1")
    visitor.get_by_role("button", name="Start").click()
    expect(visitor.get_by_text("The run is accepted.")).to_be_visible()

    for path, place in (
        (visitor.url, "#summary"),
        ("/console/runs", "#list"),
        ("/console/audit", "#audit-scroll"),
    ):
        visitor.goto(path)
        expect(visitor.locator(place)).to_contain_text(EVIL)
        expect(visitor.locator(".who")).to_contain_text(EVIL)
        assert visitor.locator("#evil").count() == 0


def test_several_roles_are_shown_and_count(visitor: Page, issuer: TestIssuer) -> None:
    sign_in(visitor, issuer.token(role=["viewer", "admin"]))

    visitor.wait_for_url("**/console/runs")
    expect(visitor.locator(".who")).to_contain_text("ada admin,viewer")
    expect(visitor.get_by_role("link", name="Audit log")).to_be_visible()


def test_session_ends_with_its_token(visitor: Page, issuer: TestIssuer) -> None:
    # Clocks may differ by 30 seconds, so a token that ended 26 seconds ago has four left.
    sign_in(visitor, issuer.token(exp=int(time.time()) - 26))
    visitor.wait_for_url("**/console/runs")

    def ended() -> bool:
        visitor.goto("/console/start")
        return visitor.get_by_label("Token").is_visible()

    eventually("the session has ended", ended)
    visitor.goto("/console/runs")
    expect(visitor.get_by_label("Token")).to_be_visible()


@pytest.mark.parametrize(
    "wrong",
    [
        "expired",
        "of another issuer",
        "for another audience",
        "signed by another's key",
        "of changed claims",
        "alg none",
        "HS256 with the public key",
    ],
)
def test_wrong_token_signs_nobody_in(visitor: Page, issuer: TestIssuer, wrong: str) -> None:
    sign_in(visitor, issuer.wrong_tokens()[wrong])

    expect(visitor.get_by_text("This token is not valid.")).to_be_visible()
    assert visitor.context.cookies() == []
    visitor.goto("/console/runs")
    expect(visitor.get_by_label("Token")).to_be_visible()


def test_subject_without_a_role_is_told_so(visitor: Page, issuer: TestIssuer) -> None:
    sign_in(visitor, issuer.token(role="gardener"))

    expect(visitor.get_by_role("heading", name="No role")).to_be_visible()
    assert visitor.context.cookies() == []
