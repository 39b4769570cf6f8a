"""Webhooks: who is told of what, what could not be told, and how to try again."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from holdfast_servicekit.problems import Problem
from holdfast_status_api import documents
from holdfast_status_api.auth.callers import caller
from holdfast_status_api.console.acting import moved_on
from holdfast_status_api.console.frame import Console, page
from holdfast_status_api.documents import Fault
from holdfast_status_api.webhooks import couriers, subscriptions
from holdfast_status_api.webhooks.addresses import RefusedAddressError, check
from holdfast_status_api.webhooks.messages import RunEvent
from holdfast_status_api.webhooks.requests import Subscription
from holdfast_status_api.webhooks.subscriptions import Webhook

_MOST_LETTERS = 200


def add(pages: Blueprint, console: Console) -> None:
    """Add the routes."""

    @pages.get("/webhooks", endpoint="webhooks")
    def listed() -> Response:
        return _list(console)

    @pages.post("/webhooks", endpoint="subscribe")
    def subscribe() -> Response:
        """Subscribe, and show the secret: this page alone has it."""
        try:
            wanted = _wanted(console)
        except Problem as problem:
            return _list(console, problem)
        hook, secret = subscriptions.subscribe(
            console.engine, wanted.url, wanted.types, wanted.secret, caller().subject
        )
        return page("webhook_made.html", HTTPStatus.CREATED, hook=hook, secret=secret)

    @pages.get("/webhooks/<webhook_id>", endpoint="webhook")
    def one(webhook_id: str) -> Response:
        return _show(console, webhook_id)

    @pages.post("/webhooks/<webhook_id>/redeliver")
    def redeliver(webhook_id: str) -> AnyResponse:
        """Give what was given up a new round of attempts."""
        count = subscriptions.redeliver(console.engine, webhook_id, None)
        if count is None:
            raise _unknown()
        return moved_on("console.webhook", webhook_id=webhook_id, again=str(count))

    @pages.post("/webhooks/<webhook_id>/remove")
    def remove(webhook_id: str) -> AnyResponse:
        """End the subscription, if that was ticked."""
        if request.form.get("sure") != "yes":
            detail = "Tick that you are sure. Nothing was changed."
            return _show(
                console,
                webhook_id,
                Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "It is still there", detail),
            )
        if not subscriptions.unsubscribe(console.engine, webhook_id):
            raise _unknown()
        return moved_on("console.webhooks", done="remove")


def _wanted(console: Console) -> Subscription:
    document = {
        "url": request.form.get("url", "").strip(),
        "types": request.form.getlist("type"),
        "secret": request.form.get("secret", "").strip() or None,
    }
    wanted = cast("Subscription", documents.validate(Subscription, document))
    try:
        check(wanted.url, couriers.rules(console.settings))
    except RefusedAddressError as error:
        raise documents.unprocessable([Fault("/url", str(error))]) from error
    return wanted


def _list(console: Console, problem: Problem | None = None) -> Response:
    return page(
        "webhooks.html",
        HTTPStatus.OK if problem is None else problem.status,
        hooks=subscriptions.subscriptions(console.engine),
        types=list(RunEvent),
        faults={} if problem is None else _faults(problem.body),
        values=request.form,
        removed=request.args.get("done") == "remove",
    )


def _show(console: Console, webhook_id: str, problem: Problem | None = None) -> Response:
    hook = _find(console, webhook_id)
    letters = subscriptions.dead_letters(console.engine, webhook_id, _MOST_LETTERS)
    again = request.args.get("again", "")
    return page(
        "webhook.html",
        HTTPStatus.OK if problem is None else problem.status,
        hook=hook,
        letters=letters or [],
        again=int(again) if again.isdecimal() and again.isascii() and len(again) < 10 else None,  # noqa: PLR2004
        problem=None if problem is None else problem.body,
    )


def _find(console: Console, webhook_id: str) -> Webhook:
    hooks = subscriptions.subscriptions(console.engine)
    hook = next((hook for hook in hooks if hook.webhook_id == webhook_id), None)
    if hook is None:
        raise _unknown()
    return hook


def _faults(body: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what is wrong by field: the first part of each fault's pointer."""
    faults: dict[str, list[str]] = {}
    for error in body.get("errors") or []:
        field = str(error.get("pointer", "")).strip("/").split("/")[0] or "url"
        faults.setdefault(field, []).append(str(error["detail"]))
    return faults


def _unknown() -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, "No such webhook")
