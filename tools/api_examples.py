"""Write the examples of docs/api.md: every route, asked on a stack of its own.

Run it after a change of the API: `.venv/bin/python tools/api_examples.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from holdfast_local.stack import Stack
from own_stack import TRIP, own_stack, until

PAGE = Path(__file__).resolve().parent.parent / "docs" / "api.md"
MARK = "<!-- From here on written by tools/api_examples.py -->\n"
SHOWN_HEADERS = (
    "Location",
    "Retry-After",
    "ETag",
    "Preference-Applied",
    "Content-Security-Policy",
)
#: A page of examples is read, not parsed: lists end after this many members.
SHOWN_MEMBERS = 2
SHOWN_LETTERS = 160
SHOWN_LINES = 12
SHOWN_OF_A_SECRET = 6
SECRETS = {"token", "secret", "code"}
#: A secret inside a text: of an address that signs in, of a body that confirms.
INNER_SECRET = re.compile(r'([?]code=|"token":")([^"]{6})[^"]+')


class Examples:
    """Requests to a stack, and what came of them, as Markdown."""

    def __init__(self, stack: Stack) -> None:
        self._client = httpx.Client(
            base_url=stack.api_url, auth=stack.auth(), timeout=60, trust_env=False
        )
        self.text: list[str] = []

    def head(self, title: str) -> None:
        """Begin a section."""
        self.text.append(f"\n## {title}\n")

    def show(
        self, route: str, method: str, path: str, *, deepest: int | None = None, **options: Any
    ) -> Any:
        """Ask, and show request and answer under the route's name; dots for what is deeper."""
        answer = self._client.request(method, path, **options)
        shown = f"{_request(answer)}\n\n{_answer(answer, deepest)}"
        self.text.append(f"\n### `{route}`\n\n```http\n{shown}\n```\n")
        is_json = answer.headers.get("Content-Type", "").endswith("json")
        return answer.json() if is_json else answer.text

    def quietly(self, method: str, path: str, **options: Any) -> Any:
        """Ask, and show nothing."""
        answer = self._client.request(method, path, **options)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def until(self, run: str, *states: str) -> None:
        """Wait until a run is in one of these states."""
        until(lambda: self.quietly("GET", f"/status/{run}")["state"] in states)


def main() -> None:
    """Write the page anew from what a stack answers."""
    with own_stack("api-examples") as stack:
        examples = Examples(stack)
        _starting(examples)
        _looking(examples)
        _acting(examples)
        _many(examples)
        _administering(examples)
        _proving(examples)
        _without_a_token(examples)
    head = PAGE.read_text("utf-8").partition(MARK)[0]
    PAGE.write_text(head + MARK + "".join(examples.text), "utf-8")


def _starting(ask: Examples) -> None:
    ask.head("Start")
    ask.show("GET /workflows", "GET", "/workflows")
    name = {"instance_id": "chain-1"}
    ask.show("POST /workflows/{name}", "POST", "/workflows/task_chain", params=name, json=3)
    ask.until("chain-1", "COMPLETED")
    order = {"instance_id": "order-1"}
    ask.quietly("POST", "/workflows/request_escalation", params=order, json={"amount": 5000})
    ask.until("order-1", "RUNNING")
    legs = "origin,destination\nAMS,JFK\nJFK,LHR\n"
    ask.show(
        "POST /batches",
        "POST",
        "/batches",
        params={"batch_id": "legs-1"},
        content=legs,
        headers={"Content-Type": "text/csv"},
    )


def _looking(ask: Examples) -> None:
    chain, order = "chain-1", "order-1"
    ask.head("Look")
    waits = {"Prefer": "wait=1"}
    ask.show("GET /status/{instance_id}", "GET", f"/status/{order}", headers=waits)
    ask.show("GET /runs", "GET", "/runs", params={"workflow": "task_chain", "limit": 1})
    ask.show("GET /runs/{instance_id}/history", "GET", f"/runs/{order}/history")
    ask.show("GET /runs/{instance_id}/recording", "GET", f"/runs/{order}/recording")
    ask.show("GET /runs/{instance_id}/timeline", "GET", f"/runs/{chain}/timeline")
    ask.show("GET /runs/{instance_id}/why", "GET", f"/runs/{order}/why")
    ask.show("GET /runs/{instance_id}/stream", "GET", f"/runs/{chain}/stream")
    ask.show("GET /doctor", "GET", "/doctor")


def _acting(ask: Examples) -> None:
    chain, order, trip = "chain-1", "order-1", "trip-1"
    ask.head("Act")
    post, run = "POST", "/runs/{instance_id}"
    ask.show(f"{post} {run}/repair", post, f"/runs/{order}/repair")
    ask.show(f"{post} {run}/suspend", post, f"/runs/{order}/suspend", json={"reason": "audit"})
    ask.until(order, "SUSPENDED")
    ask.show(f"{post} {run}/resume", post, f"/runs/{order}/resume")
    approval = {"approved": True, "comment": "within budget"}
    events = f"/runs/{order}/events"
    ask.show(f"{post} {run}/events/{{event}}", post, f"{events}/human_approval", json=approval)
    ask.until(order, "COMPLETED")
    ask.show(f"GET {run}/events", "GET", events)
    tomorrow = {"start_at": _hence(days=1), "instance_id": trip}
    ask.quietly(post, "/workflows/book_trip", params=tomorrow, json=TRIP)
    ask.show(f"{post} {run}/cancel", post, f"/runs/{trip}/cancel", json={"reason": "rain"})
    later = {"instance_id": "late-1", "deadline": _hence(days=2)}
    ask.quietly(post, "/workflows/request_escalation", params=later, json={"amount": 5000})
    ask.show(f"{post} {run}/terminate", post, "/runs/late-1/terminate")
    second = next(
        event["event_id"]
        for event in ask.quietly("GET", f"/runs/{chain}/history")["events"]
        if event["name"] == "step2"
    )
    again = {"from_event": second, "instance_id": "again-1"}
    ask.show(f"{post} {run}/rerun", post, f"/runs/{chain}/rerun", json=again)
    ask.show(f"DELETE {run}", "DELETE", f"/runs/{trip}")


def _many(ask: Examples) -> None:
    ask.head("Act on many")
    for number in range(2):
        names = {"instance_id": f"nightly-{number}", "start_at": _hence(days=1)}
        ask.quietly("POST", "/workflows/task_chain", params=names, json=1)
    chosen = {"q": "nightly"}
    dry = ask.show("POST /bulk/{action}", "POST", "/bulk/terminate", params=chosen)
    token = {"token": dry["token"]}
    ask.show(
        "POST /bulk/{action}, with the token", "POST", "/bulk/terminate", params=chosen, json=token
    )


def _administering(ask: Examples) -> None:
    ask.head("Administer")
    ask.show("GET /whoami", "GET", "/whoami")
    ask.show("POST /console/code", "POST", "/console/code")
    hook = {"url": "http://127.0.0.1:9/hook", "types": ["dev.holdfast.run.failed"]}
    made = ask.show("POST /webhooks", "POST", "/webhooks", json=hook)
    ask.show("GET /webhooks", "GET", "/webhooks")
    webhook = next((made[name] for name in ("webhook_id", "id") if name in made), "")
    letters = f"/webhooks/{webhook}/dead-letters"
    ask.show("GET /webhooks/{webhook_id}/dead-letters", "GET", letters)
    ask.show("POST /webhooks/{webhook_id}/dead-letters/redeliver", "POST", f"{letters}/redeliver")
    ask.show("DELETE /webhooks/{webhook_id}", "DELETE", f"/webhooks/{webhook}")
    ask.show("GET /audit", "GET", "/audit", params={"limit": 2})


def _proving(ask: Examples) -> None:
    ask.head("Show what was proved")
    certificate = {
        "schema": "holdfast.resume-certificate",
        "version": 1,
        "verdict": "pass",
        "seed": 7,
        "target": "pods on kind (3 nodes)",
        "started_at": "2026-11-22T18:13:30Z",
        "finished_at": "2026-11-22T18:27:41Z",
        "faults": [{"id": "fault-1", "kind": "kill-app"}],
        "runs": [{"instance": "chaos-1-chain-1", "workflow": "task_chain"}],
        "invariants": [{"id": "I1", "holds": True}],
    }
    body = {"certificate": certificate, "page": "<!doctype html><h1>Pass</h1>"}
    kept = ask.show("POST /certificates", "POST", "/certificates", json=body)
    place = f"/certificates/{kept['certificate_id']}"
    ask.show("GET /certificates", "GET", "/certificates")
    ask.show("GET /certificates/{certificate_id}", "GET", "/certificates/latest")
    ask.show("GET /certificates/{certificate_id}/page", "GET", f"{place}/page")
    ask.show("DELETE /certificates/{certificate_id}", "DELETE", place)


def _without_a_token(ask: Examples) -> None:
    ask.head("Ask without a token")
    for path in ("/healthz", "/readyz", "/metrics", "/docs"):
        ask.show(f"GET {path}", "GET", path, auth=None)
    ask.show("GET /openapi.json", "GET", "/openapi.json", auth=None, deepest=1)


def _hence(**duration: float) -> str:
    moment = datetime.now(UTC) + timedelta(**duration)
    return moment.replace(microsecond=0).isoformat().replace("+00:00", "Z")


def _request(answer: httpx.Response) -> str:
    request = answer.request
    lines = [f"{request.method} {request.url.raw_path.decode()}"]
    if "Authorization" in request.headers:
        lines.append("Authorization: Bearer …")
    if "Prefer" in request.headers:
        lines.append(f"Prefer: {request.headers['Prefer']}")
    if request.content:
        body = INNER_SECRET.sub(r"\1\2…", request.content.decode())
        lines += [f"Content-Type: {request.headers['Content-Type']}", "", body]
    return "\n".join(lines).rstrip()


def _answer(answer: httpx.Response, deepest: int | None) -> str:
    lines = [f"{answer.status_code} {answer.reason_phrase}"]
    lines += [f"{name}: {answer.headers[name]}" for name in SHOWN_HEADERS if name in answer.headers]
    if answer.headers.get("Content-Type", "").endswith("json"):
        body = json.dumps(_shortened(answer.json(), deepest), indent=2, ensure_ascii=False)
    else:
        body = "\n".join(_first(answer.text.splitlines()))
    return "\n".join([*lines, "", body]).rstrip()


def _first(lines: list[str]) -> Iterator[str]:
    yield from (line[:SHOWN_LETTERS] for line in lines[:SHOWN_LINES])
    if len(lines) > SHOWN_LINES:
        yield "…"


def _shortened(value: Any, deepest: int | None, depth: int = 0) -> Any:
    if deepest is not None and depth > deepest and isinstance(value, list | dict):
        return "…"
    if isinstance(value, list):
        shown = [_shortened(item, deepest, depth + 1) for item in value[:SHOWN_MEMBERS]]
        return [*shown, "…"] if len(value) > SHOWN_MEMBERS else shown
    if isinstance(value, dict):
        return dict(_members(value, deepest, depth))
    return INNER_SECRET.sub(r"\1\2…", value) if isinstance(value, str) else value


def _members(value: dict[str, Any], deepest: int | None, depth: int) -> Iterator[tuple[str, Any]]:
    for name, member in value.items():
        if name.endswith("_schema") or (name == "links" and depth):
            yield name, "…"
        elif name in SECRETS:
            yield name, f"{str(member)[:SHOWN_OF_A_SECRET]}…"
        else:
            yield name, _shortened(member, deepest, depth + 1)


if __name__ == "__main__":
    main()
