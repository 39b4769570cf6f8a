"""What can be done next with an answer, as OpenAPI links and closed sets of names."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from holdfast_contracts.catalogue import PUBLIC_WORKFLOWS
from holdfast_contracts.core import RESUME, SUSPEND

_RUN = {"instance_id": "$response.body#/instance_id"}
_SAME_RUN = {"instance_id": "$request.path.instance_id"}
_HOOK = {"webhook_id": "$response.body#/webhook_id"}

#: To look at a run, by the links' names.
_LOOKS = {
    "status": "get /status/{instance_id}",
    "events": "get /runs/{instance_id}/events",
    "history": "get /runs/{instance_id}/history",
    "timeline": "get /runs/{instance_id}/timeline",
    "why": "get /runs/{instance_id}/why",
}
#: To do something about one that has not ended.
_DEEDS = {
    "event": "post /runs/{instance_id}/events/{event}",
    "suspend": "post /runs/{instance_id}/suspend",
    "resume": "post /runs/{instance_id}/resume",
    "cancel": "post /runs/{instance_id}/cancel",
    "terminate": "post /runs/{instance_id}/terminate",
    "repair": "post /runs/{instance_id}/repair",
}
#: To do something about one that has.
_AFTERWARDS = {
    "rerun": "post /runs/{instance_id}/rerun",
    "purge": "delete /runs/{instance_id}",
}
_WEBHOOK = {
    "dead_letters": "get /webhooks/{webhook_id}/dead-letters",
    "redeliver": "post /webhooks/{webhook_id}/dead-letters/redeliver",
    "remove": "delete /webhooks/{webhook_id}",
}
#: From the success of an operation to where its run, or its webhook, is dealt with.
_LINKS: dict[tuple[str, HTTPStatus], tuple[dict[str, str], dict[str, str]]] = {
    ("post /workflows/{name}", HTTPStatus.ACCEPTED): (_RUN, {**_LOOKS, **_DEEDS}),
    ("post /runs/{instance_id}/rerun", HTTPStatus.ACCEPTED): (_RUN, {**_LOOKS, **_DEEDS}),
    (_DEEDS["event"], HTTPStatus.ACCEPTED): (_SAME_RUN, _LOOKS),
    (_DEEDS["suspend"], HTTPStatus.ACCEPTED): (_RUN, {**_LOOKS, "resume": _DEEDS["resume"]}),
    (_DEEDS["resume"], HTTPStatus.ACCEPTED): (_RUN, {**_LOOKS, "suspend": _DEEDS["suspend"]}),
    (_DEEDS["cancel"], HTTPStatus.ACCEPTED): (_RUN, {**_LOOKS, **_AFTERWARDS}),
    (_DEEDS["terminate"], HTTPStatus.ACCEPTED): (_RUN, {**_LOOKS, **_AFTERWARDS}),
    (_DEEDS["repair"], HTTPStatus.ACCEPTED): (_RUN, _LOOKS),
    (_AFTERWARDS["purge"], HTTPStatus.NO_CONTENT): (_SAME_RUN, _LOOKS),
    ("post /webhooks", HTTPStatus.CREATED): (_HOOK, _WEBHOOK),
}


def connect(document: dict[str, Any]) -> None:
    """Say in the document which operation follows which, and what names its paths take."""
    for (source, status), (parameters, targets) in _LINKS.items():
        _operation(document, source)["responses"][str(int(status))]["links"] = {
            name: {
                "operationId": _operation(document, target)["operationId"],
                "parameters": parameters,
            }
            for name, target in targets.items()
        }
    events = {event.name for flow in PUBLIC_WORKFLOWS.values() for event in flow.events}
    _name(document, "post /workflows/{name}", "name", PUBLIC_WORKFLOWS)
    _name(document, _DEEDS["event"], "event", {*events, SUSPEND.name, RESUME.name})


def _operation(document: dict[str, Any], name: str) -> dict[str, Any]:
    method, path = name.split(" ")
    operation: dict[str, Any] = document["paths"][path][method]
    return operation


def _name(document: dict[str, Any], operation: str, parameter: str, names: Iterable[str]) -> None:
    for declared in _operation(document, operation)["parameters"]:
        if declared["name"] == parameter:
            declared["schema"]["enum"] = sorted(names)
