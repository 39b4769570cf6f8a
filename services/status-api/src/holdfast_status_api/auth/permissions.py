"""Which role may do what: one table of every route, and what is not in it is denied."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from holdfast_status_api.auth.callers import Role

_READING = frozenset(Role)
_OPERATING = frozenset({Role.OPERATOR, Role.ADMIN})
_APPROVING = frozenset({Role.APPROVER, Role.ADMIN})
_ADMINISTERING = frozenset({Role.ADMIN})


@dataclass(frozen=True)
class Rule:
    """Who may use a route."""

    roles: frozenset[Role]
    #: What the audit log calls it; empty for what changes nothing.
    action: str = ""
    #: Whoever asks: no token is looked at.
    public: bool = False
    #: A page of the console: its session is asked about, and not a header.
    session: bool = False


_PUBLIC = Rule(frozenset(), public=True)
_READ = Rule(_READING)


def _operate(action: str) -> Rule:
    return Rule(_OPERATING, action)


def _administer(action: str) -> Rule:
    return Rule(_ADMINISTERING, action)


#: A path with a value in place of its last variable comes before the path with the variable.
_API: Mapping[str, Rule] = {
    "GET /healthz": _PUBLIC,
    "GET /readyz": _PUBLIC,
    "GET /metrics": _PUBLIC,
    "GET /openapi.json": _PUBLIC,
    "GET /docs": _PUBLIC,
    "GET /docs/start.js": _PUBLIC,
    "GET /docs/assets/{name}": _PUBLIC,
    "GET /whoami": _READ,
    "GET /workflows": _READ,
    "POST /workflows/{name}": _operate("run.start"),
    "POST /batches": _operate("batch.load"),
    "GET /status/{run}": _READ,
    "GET /runs": _READ,
    "GET /runs/{run}/events": _READ,
    "POST /runs/{run}/events/{event}": _operate("event.send"),
    "POST /runs/{run}/events/human_approval": Rule(_APPROVING, "order.decide"),
    "GET /runs/{run}/history": _READ,
    "GET /runs/{run}/recording": Rule(_ADMINISTERING),
    "GET /runs/{run}/timeline": _READ,
    "GET /runs/{run}/why": _READ,
    "GET /runs/{run}/stream": _READ,
    "POST /runs/{run}/suspend": _operate("run.suspend"),
    "POST /runs/{run}/resume": _operate("run.resume"),
    "POST /runs/{run}/cancel": _operate("run.cancel"),
    "POST /runs/{run}/terminate": _operate("run.terminate"),
    "POST /runs/{run}/rerun": _operate("run.rerun"),
    "POST /runs/{run}/repair": _operate("run.repair"),
    "GET /doctor": Rule(_OPERATING),
    "DELETE /runs/{run}": _administer("run.purge"),
    "POST /bulk/{action}": _operate("bulk"),
    "POST /bulk/purge": _administer("bulk"),
    "GET /webhooks": Rule(_ADMINISTERING),
    "POST /webhooks": _administer("webhook.create"),
    "DELETE /webhooks/{webhook}": _administer("webhook.delete"),
    "GET /webhooks/{webhook}/dead-letters": Rule(_ADMINISTERING),
    "POST /webhooks/{webhook}/dead-letters/redeliver": _administer("webhook.redeliver"),
    "GET /certificates": _READ,
    "POST /certificates": _administer("certificate.store"),
    "GET /certificates/{certificate_id}": _READ,
    "GET /certificates/{certificate_id}/page": _READ,
    "DELETE /certificates/{certificate_id}": _administer("certificate.delete"),
    "GET /audit": Rule(_ADMINISTERING),
}

#: What the pages do, they do by the rules of the routes of the API that do the same.
_PAGES: Mapping[str, str] = {
    "GET /console/": "GET /runs",
    "GET /console/runs": "GET /runs",
    "GET /console/runs-table": "GET /runs",
    "GET /console/runs/{run}": "GET /status/{run}",
    "GET /console/runs/{run}/live": "GET /status/{run}",
    "GET /console/runs/{run}/confirm/{action}": "GET /status/{run}",
    "POST /console/runs/{run}/suspend": "POST /runs/{run}/suspend",
    "POST /console/runs/{run}/resume": "POST /runs/{run}/resume",
    "POST /console/runs/{run}/cancel": "POST /runs/{run}/cancel",
    "POST /console/runs/{run}/terminate": "POST /runs/{run}/terminate",
    "POST /console/runs/{run}/rerun": "POST /runs/{run}/rerun",
    "POST /console/runs/{run}/repair": "POST /runs/{run}/repair",
    "POST /console/runs/{run}/decide": "POST /runs/{run}/events/human_approval",
    "GET /console/start": "GET /workflows",
    "GET /console/start/{name}": "GET /workflows",
    "POST /console/start/{name}": "POST /workflows/{name}",
    "POST /console/runs/{run}/purge": "DELETE /runs/{run}",
    "POST /console/bulk/{action}": "POST /bulk/{action}",
    "POST /console/bulk/purge": "POST /bulk/purge",
    "GET /console/webhooks": "GET /webhooks",
    "POST /console/webhooks": "POST /webhooks",
    "GET /console/webhooks/{webhook}": "GET /webhooks/{webhook}/dead-letters",
    "POST /console/webhooks/{webhook}/redeliver": "POST /webhooks/{webhook}/dead-letters/redeliver",
    "POST /console/webhooks/{webhook}/remove": "DELETE /webhooks/{webhook}",
    "GET /console/certificates": "GET /certificates",
    "GET /console/certificates/{certificate_id}": "GET /certificates/{certificate_id}/page",
    "GET /console/audit": "GET /audit",
    "POST /console/logout": "GET /whoami",
}

RULES: Mapping[str, Rule] = {
    **_API,
    **{page: replace(_API[route], session=True) for page, route in _PAGES.items()},
    # It does nothing yet; it is for those who may then do it.
    "GET /console/bulk": Rule(_OPERATING, session=True),
    "POST /console/code": _READ,
    "GET /console/login": _PUBLIC,
    "POST /console/login": _PUBLIC,
    "GET /console/static/{file}": _PUBLIC,
}

_VARIABLE = re.compile(r"<(?:[^:<>]*:)?([^<>]+)>|{([^{}]+)}")


def rule_for(method: str, route: str, values: Mapping[str, Any]) -> Rule | None:
    """Return the rule of a route of the app, or ``None``: nobody may use it.

    ``values`` are the request's values of the route's variables, whose names do not matter here.
    """
    method = "GET" if method == "HEAD" else method
    *_, last = ["", *_names(route)]
    if last and route.endswith((f"{last}>", f"{last}}}")):
        cut = list(_VARIABLE.finditer(route))[-1].start()
        special = _BY_KEY.get(_key(method, f"{route[:cut]}{values.get(last)}"))
        if special is not None:
            return special
    return _BY_KEY.get(_key(method, route))


def _names(route: str) -> list[str]:
    return [found[1] or found[2] for found in _VARIABLE.finditer(route)]


def _key(method: str, route: str) -> str:
    return f"{method} {_VARIABLE.sub('{}', route)}"


_BY_KEY = {_key(*name.split(" ", 1)): rule for name, rule in RULES.items()}
