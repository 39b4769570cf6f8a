"""``GET /status/{id}`` and ``/runs/{id}/stream``: the last that is known of a run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from werkzeug.http import parse_etags

from holdfast_servicekit.problems import Problem
from holdfast_status_api.answers import RunAnswer, run_links
from holdfast_status_api.document import answers
from holdfast_status_api.looking import Looks, Seen
from holdfast_status_api.pace import Pace
from holdfast_status_api.parameters import RunPath, WaitHeader
from holdfast_status_api.turns import Turns
from holdfast_status_api.watching import TooManyError, Watch, Watches, comparable

#: RFC 7240, section 4.3; more than this is cut, as the RFC allows.
LONGEST_WAIT_SECONDS = 30
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]{1,6})\"?\s*(?=$|[,;])", re.IGNORECASE)
#: How soon the end of a connection is noticed: a comment cannot be written to it any more.
_KEEP_ALIVE_SECONDS = 5.0


def api(looks: Looks, watches: Watches, pace: Pace, turns: Turns) -> APIBlueprint:
    """Return the routes."""
    routes = APIBlueprint("status", __name__)

    @routes.get(
        "/status/<instance_id>",
        summary="Look at a run",
        responses={
            **answers({HTTPStatus.OK: RunAnswer}, HTTPStatus.NOT_FOUND, HTTPStatus.GONE),
            int(HTTPStatus.NOT_MODIFIED): {"description": "The client has this answer already"},
        },
    )
    def status(path: RunPath, header: WaitHeader) -> Response:
        """Answer 200 for every run that was accepted, whatever became of it. An end is final.

        With ``Prefer: wait=N`` the answer is held until it changes, for N seconds at most; while
        too many are held it is given at once. ``If-None-Match`` makes an unchanged one a 304.
        """
        seen = comparable(looks.look(path.instance_id))
        seconds = wait_of(header.prefer)
        applied = False
        if seconds and not seen.run.state.terminal and _is_known(seen):
            try:
                with watches.watch(path.instance_id, seen) as watch, turns.aside():
                    applied = True
                    seen = watch.next(seen, seconds) or seen
            except TooManyError:
                applied = False
        headers = {"Cache-Control": "no-cache", "Vary": "Prefer"}
        if applied:
            headers["Preference-Applied"] = f"wait={seconds}"
        if not seen.run.state.terminal:
            headers["Retry-After"] = str(pace.retry_after(seen.run))
        response = document(seen).response(headers=headers)
        response.add_etag()
        response.make_conditional(request)
        return response

    @routes.get(
        "/runs/<instance_id>/stream",
        summary="Follow a run",
        responses={
            **answers({}, HTTPStatus.NOT_FOUND, HTTPStatus.GONE),
            int(HTTPStatus.OK): {
                "description": "Server-sent events: one of the type status with the document of"
                " GET /status/{id} at first and after every change; it ends after the last.",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            },
        },
    )
    def stream(path: RunPath) -> Response:
        """Send the run's status now and after every change, up to its end.

        A process has a bounded number of streams; a 503 says that there is no room for one more.
        """
        seen = comparable(looks.look(path.instance_id))
        holder = watches.watch(path.instance_id, seen)
        try:
            watch = holder.__enter__()
        except TooManyError as error:
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "Too many streams",
                "Poll the status instead, or try again.",
                headers={"Retry-After": str(pace.retry_after(seen.run))},
            ) from error
        response = Response(_events(watch, seen), content_type="text/event-stream")
        response.call_on_close(lambda: holder.__exit__(None, None, None))
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Accel-Buffering"] = "no"  # a proxy must not collect what is live
        return response

    return routes


def document(seen: Seen) -> RunAnswer:
    """Return the answer that shows a run."""
    run = seen.run
    shown = {name: value for name, value in vars(run).items() if name in RunAnswer.model_fields}
    return RunAnswer(**shown, stale=seen.stale, links=run_links(run.instance_id))


def wait_of(prefer: str | None) -> int:
    """Return the seconds of a ``Prefer: wait=N``, at most 30, or 0 for none."""
    found = _WAIT.search(prefer or "")
    return 0 if found is None else min(int(found[1]), LONGEST_WAIT_SECONDS)


def _is_known(seen: Seen) -> bool:
    """Tell whether the client has just this already; without a validator it is taken to."""
    if "If-None-Match" not in request.headers:
        return True
    response = document(seen).response()
    response.add_etag()
    etag, _ = response.get_etag()
    return etag is not None and parse_etags(request.headers["If-None-Match"]).contains_weak(etag)


def _events(watch: Watch, seen: Seen) -> Iterator[str]:
    yield _event(seen)
    while not seen.run.state.terminal and not watch.closed:
        try:
            changed = watch.next(seen, _KEEP_ALIVE_SECONDS)
        except Problem as gone:
            yield f"event: gone\ndata: {gone}\n\n"
            return
        if changed is None:
            yield ": still there\n\n"
        else:
            seen = changed
            yield _event(seen)


def _event(seen: Seen) -> str:
    # One line: JSON has no raw line break.
    return f"event: status\ndata: {document(seen).model_dump_json()}\n\n"
