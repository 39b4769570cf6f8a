"""Which role may do what: every route has a rule, and what has none is denied."""

from __future__ import annotations

import re

import pytest
from flask_openapi3.openapi import OpenAPI

from holdfast_status_api.auth.callers import Role
from holdfast_status_api.auth.permissions import RULES, Rule, rule_for

EVERYBODY = frozenset(Role)
OPERATING = frozenset({Role.OPERATOR, Role.ADMIN})
APPROVING = frozenset({Role.APPROVER, Role.ADMIN})
ADMINISTERING = frozenset({Role.ADMIN})
PUBLIC = {
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/docs/start.js",
    "/docs/assets/{}",
}


def routes(app: OpenAPI) -> list[tuple[str, str]]:
    return [
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def test_every_route_of_the_app_has_a_rule(app: OpenAPI) -> None:
    missing = [f"{method} {rule}" for method, rule in routes(app) if not rule_for(method, rule, {})]
    assert not missing, "add them to holdfast_status_api.auth.permissions.RULES"


def test_every_rule_has_a_route(app: OpenAPI) -> None:
    there = {f"{method} {re.sub('<[^>]*>', '{}', rule)}" for method, rule in routes(app)}
    values = {"human_approval", "purge"}
    for name in RULES:
        general = (
            name if name.rsplit("/", 1)[-1] not in values else f"{name.rsplit('/', 1)[0]}/{{x}}"
        )
        told = {re.sub(r"{[^}]*}", "{}", route) for route in (name, general)}
        assert told & there, f"{name} is nowhere"


def test_what_changes_something_is_in_the_audit_log_and_what_reads_is_not() -> None:
    for name, rule in RULES.items():
        if not rule.public and not name.split(" ")[1].startswith("/console"):
            assert bool(rule.action) is not name.startswith("GET "), name


def test_only_these_are_public() -> None:
    public = {
        re.sub(r"{[^}]*}", "{}", name.split(" ")[1]) for name, rule in RULES.items() if rule.public
    }
    assert {path for path in public if not path.startswith("/console")} == PUBLIC


@pytest.mark.parametrize(
    ("method", "route", "values", "roles"),
    [
        ("GET", "/status/<instance_id>", {}, EVERYBODY),
        ("HEAD", "/status/<instance_id>", {}, EVERYBODY),
        ("POST", "/workflows/<name>", {}, {Role.OPERATOR, Role.ADMIN}),
        ("POST", "/batches", {}, {Role.OPERATOR, Role.ADMIN}),
        ("DELETE", "/runs/<instance_id>", {"instance_id": "x"}, {Role.ADMIN}),
        ("GET", "/audit", {}, {Role.ADMIN}),
        ("POST", "/bulk/<action>", {"action": "purge"}, {Role.ADMIN}),
        ("POST", "/bulk/<action>", {"action": "cancel"}, {Role.OPERATOR, Role.ADMIN}),
        ("POST", "/bulk/<action>", {"action": "rerun"}, {Role.OPERATOR, Role.ADMIN}),
    ],
)
def test_roles_are_as_agreed(
    method: str, route: str, values: dict[str, str], roles: frozenset[Role]
) -> None:
    rule = rule_for(method, route, values)
    assert rule is not None
    assert rule.roles == roles


def test_roles_of_the_pages_are_as_agreed() -> None:
    pages = {
        name.replace(" /console/", " "): (rule.roles, rule.action)
        for name, rule in RULES.items()
        if rule.session
    }
    # What is not here shows what everybody may see, and changes nothing.
    agreed = {name: (EVERYBODY, "") for name in pages if name.startswith("GET ")} | {
        "GET bulk": (OPERATING, ""),
        "GET webhooks": (ADMINISTERING, ""),
        "GET webhooks/{webhook}": (ADMINISTERING, ""),
        "GET audit": (ADMINISTERING, ""),
        "POST logout": (EVERYBODY, ""),
        "POST start/{name}": (OPERATING, "run.start"),
        "POST runs/{run}/suspend": (OPERATING, "run.suspend"),
        "POST runs/{run}/resume": (OPERATING, "run.resume"),
        "POST runs/{run}/cancel": (OPERATING, "run.cancel"),
        "POST runs/{run}/terminate": (OPERATING, "run.terminate"),
        "POST runs/{run}/rerun": (OPERATING, "run.rerun"),
        "POST runs/{run}/repair": (OPERATING, "run.repair"),
        "POST runs/{run}/decide": (APPROVING, "order.decide"),
        "POST runs/{run}/purge": (ADMINISTERING, "run.purge"),
        "POST bulk/{action}": (OPERATING, "bulk"),
        "POST bulk/purge": (ADMINISTERING, "bulk"),
        "POST webhooks": (ADMINISTERING, "webhook.create"),
        "POST webhooks/{webhook}/redeliver": (ADMINISTERING, "webhook.redeliver"),
        "POST webhooks/{webhook}/remove": (ADMINISTERING, "webhook.delete"),
    }
    assert pages == agreed


def test_of_the_console_only_the_way_in_needs_no_session() -> None:
    others = {name: rule for name, rule in RULES.items() if "/console" in name and not rule.session}
    assert {name for name, rule in others.items() if rule.public} == {
        "GET /console/login",
        "POST /console/login",
        "GET /console/static/{file}",
    }
    assert {name for name, rule in others.items() if not rule.public} == {"POST /console/code"}


@pytest.mark.parametrize(
    ("event", "roles"),
    [
        ("human_approval", {Role.APPROVER, Role.ADMIN}),
        ("cancel", {Role.OPERATOR, Role.ADMIN}),
        # No other event is taken for an approval, and no approval for another event: what the
        # route does not know by this very name is a 404.
        ("Human_Approval", {Role.OPERATOR, Role.ADMIN}),
        ("human_approval ", {Role.OPERATOR, Role.ADMIN}),
        ("{x}", {Role.OPERATOR, Role.ADMIN}),
        ("<x>", {Role.OPERATOR, Role.ADMIN}),
        ("", {Role.OPERATOR, Role.ADMIN}),
    ],
)
def test_who_may_send_an_event_depends_on_the_event(event: str, roles: set[Role]) -> None:
    route = "/runs/<instance_id>/events/<event>"
    rule = rule_for("POST", route, {"instance_id": "human_approval", "event": event})
    assert rule is not None
    assert rule.roles == roles


@pytest.mark.parametrize(
    ("method", "route"),
    [
        ("GET", "/new"),
        ("PUT", "/status/<instance_id>"),
        ("PATCH", "/batches"),
        ("GET", "/status/<instance_id>/more"),
    ],
)
def test_what_is_not_in_the_table_has_no_rule(method: str, route: str) -> None:
    assert rule_for(method, route, {"instance_id": "x"}) is None


def test_nobody_reaches_a_rule_without_roles_unless_it_is_public() -> None:
    assert all(rule.roles or rule == Rule(frozenset(), public=True) for rule in RULES.values())
