"""Talk to the status API: the token, the retries, and problems as `CliError`."""

from __future__ import annotations

import json
import ssl
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx
from httpx_sse import ServerSentEvent, SSEError, connect_sse
from tenacity import (
    RetryCallState,
    Retrying,
    stop_before_delay,
    wait_random_exponential,
)

from holdfast_cli import VERSION
from holdfast_cli.errors import CliError, ExitCode
from holdfast_cli.servers import Server

#: How long a single command puts up with a server that is away or busy.
PATIENCE_SECONDS = 5.0
CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
#: The server sends a comment more often than this.
STREAM_SILENCE_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 10.0
#: Where nothing listens, there is more likely nothing than something that restarts.
_ABSENT_SHARE = 0.3
_PROBLEM = "application/problem+json"
_CODES = {
    HTTPStatus.BAD_REQUEST: ExitCode.INVALID,
    HTTPStatus.UNAUTHORIZED: ExitCode.FORBIDDEN,
    HTTPStatus.FORBIDDEN: ExitCode.FORBIDDEN,
    HTTPStatus.NOT_FOUND: ExitCode.NOT_FOUND,
    HTTPStatus.CONFLICT: ExitCode.CONFLICT,
    HTTPStatus.GONE: ExitCode.NOT_FOUND,
    HTTPStatus.PRECONDITION_FAILED: ExitCode.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ExitCode.INVALID,
    HTTPStatus.REQUEST_URI_TOO_LONG: ExitCode.INVALID,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: ExitCode.INVALID,
    HTTPStatus.UNPROCESSABLE_ENTITY: ExitCode.INVALID,
    HTTPStatus.TOO_MANY_REQUESTS: ExitCode.UNAVAILABLE,
    HTTPStatus.BAD_GATEWAY: ExitCode.UNAVAILABLE,
    HTTPStatus.SERVICE_UNAVAILABLE: ExitCode.UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT: ExitCode.UNAVAILABLE,
}
_AWAY = {
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
#: Where a fault of a problem says that it is.
_PLACES = ("pointer", "line", "parameter", "header", "path")


@dataclass(frozen=True)
class Answer:
    """What the server said: a document, and what its headers say of it."""

    document: Any
    headers: httpx.Headers

    @property
    def retry_after(self) -> float | None:
        """How long the server wants us to wait before the next question, in seconds."""
        return _seconds(self.headers.get("retry-after"))


class Client:
    """A connection to one server."""

    def __init__(
        self,
        server: Server,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self.server = server
        self._patience_seconds = patience_seconds
        headers = {
            "User-Agent": f"holdfast-cli/{VERSION}",
            "Accept": f"application/json,{_PROBLEM}",
        }
        if server.token is not None:
            if not (server.token.isascii() and server.token.isprintable()):
                raise CliError(ExitCode.USAGE, "The token has characters that no token has")
            headers["Authorization"] = f"Bearer {server.token}"
        self._http = httpx.Client(
            base_url=server.api,
            headers=headers,
            timeout=httpx.Timeout(read_seconds, connect=min(CONNECT_SECONDS, read_seconds)),
            verify=_trust(server),
            # A proxy must not get between this machine and itself.
            trust_env=not server.is_loopback,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def get(
        self,
        path: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        patience_seconds: float | None = None,
    ) -> Answer:
        """Read. A read is repeated as long as patience lasts."""
        request = self._http.build_request("GET", path, params=_given(parameters), headers=headers)
        return self._send(request, repeatable=True, patience_seconds=patience_seconds)

    def post(
        self,
        path: str,
        body: bytes | Mapping[str, Any],
        parameters: Mapping[str, Any] | None = None,
        *,
        media_type: str = "application/json",
        idempotency_key: str | None = None,
        keyed: bool = False,
    ) -> Answer:
        """Write. Only where the server knows a repeat by its key is a lost answer asked for again.

        ``keyed`` says that it does; a key is made up where none is given.
        """
        headers = {"Content-Type": media_type}
        if keyed:
            headers["Idempotency-Key"] = _checked(idempotency_key or uuid.uuid4().hex)
        content = body if isinstance(body, bytes) else json.dumps(dict(body)).encode()
        request = self._http.build_request(
            "POST", path, params=_given(parameters), headers=headers, content=content
        )
        return self._send(request, repeatable=keyed)

    def delete(self, path: str) -> Answer:
        """Delete. It is not repeated: a second answer would say that there is nothing."""
        return self._send(self._http.build_request("DELETE", path), repeatable=False)

    @contextmanager
    def events(self, path: str) -> Iterator[Iterator[ServerSentEvent]]:
        """Give the server's events as they come; end with a `CliError` where there are none."""
        silence = httpx.Timeout(STREAM_SILENCE_SECONDS, connect=CONNECT_SECONDS)
        try:
            with connect_sse(self._http, "GET", path, timeout=silence) as source:
                if source.response.is_error:
                    source.response.read()
                    raise failure(source.response, self.server)
                yield source.iter_sse()
        except (httpx.HTTPError, SSEError) as error:
            raise self._unreachable(error) from None

    def _send(
        self,
        request: httpx.Request,
        *,
        repeatable: bool,
        patience_seconds: float | None = None,
    ) -> Answer:
        patience = self._patience_seconds if patience_seconds is None else patience_seconds
        retrying = Retrying(
            retry=lambda state: _worth_repeating(
                state, repeatable=repeatable, patience_seconds=patience
            ),
            stop=stop_before_delay(patience),
            wait=_pause,
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        try:
            response: httpx.Response = retrying(self._http.send, request)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None
        if response.status_code == HTTPStatus.NOT_MODIFIED:
            return Answer(None, response.headers)
        if not response.is_success:
            raise failure(response, self.server)
        if response.status_code == HTTPStatus.NO_CONTENT:
            return Answer(None, response.headers)
        return Answer(_document(response, self.server), response.headers)

    def _unreachable(self, error: Exception) -> CliError:
        reason = str(error) or type(error).__name__
        return CliError(
            ExitCode.UNREACHABLE,
            f"Cannot reach {self.server.api}",
            f"{reason} (it is {self.server.name})"
            if self.server.name != self.server.api
            else reason,
        )


def part(text: str) -> str:
    """Return a name as one segment of a path, whatever is in it."""
    segment = quote(text, safe="", errors="surrogateescape")
    # A client would take these two as steps in the path.
    return segment.replace(".", "%2E") if segment in {".", ".."} else segment


def failure(response: httpx.Response, server: Server) -> CliError:
    """Return what a refusal says, with the exit status for it."""
    code = _CODES.get(HTTPStatus(response.status_code), ExitCode.FAILED)
    media_type = response.headers.get("content-type", "").split(";")[0].strip()
    problem = _parsed(response) if media_type == _PROBLEM else None
    if not isinstance(problem, dict):
        title = f"{response.status_code} {response.reason_phrase}"
        return CliError(code, title, f"Is {server.api} the address of a Holdfast API?")
    detail = problem.get("detail")
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        hint = "Give a token with HOLDFAST_TOKEN, or keep one with `holdfast context add`."
        detail = f"{detail} {hint}" if detail else hint
    if response.status_code == HTTPStatus.FORBIDDEN and server.has_roles:
        hint = "Another of the stack's tokens may: holdfast --role operator|approver|admin …"
        detail = f"{detail} {hint}" if detail else hint
    errors = problem.get("errors")
    return CliError(
        code,
        str(problem.get("title") or response.reason_phrase),
        None if detail is None else str(detail),
        faults=[_fault(error) for error in errors] if isinstance(errors, list) else (),
    )


def _fault(error: Any) -> str:
    if not isinstance(error, dict):
        return str(error)
    place = next((f"{name} {error[name]!s}" for name in _PLACES if error.get(name) is not None), "")
    text = str(error.get("detail") or error.get("message") or "")
    return f"{place}: {text}" if place and text else place or text


def _document(response: httpx.Response, server: Server) -> Any:
    document = _parsed(response)
    if not isinstance(document, dict):
        raise CliError(
            ExitCode.FAILED,
            "The answer is not what the API answers",
            f"Is {server.api} the address of a Holdfast API?",
        )
    return document


def _parsed(response: httpx.Response) -> Any:
    try:
        return response.json()
    except (ValueError, RecursionError):
        return None


def _worth_repeating(state: RetryCallState, *, repeatable: bool, patience_seconds: float) -> bool:
    if state.outcome is None:
        return False
    error = state.outcome.exception()
    if error is not None:
        if isinstance(error, _NEVER_SENT):
            return (state.seconds_since_start or 0) < patience_seconds * _ABSENT_SHARE
        return repeatable and isinstance(error, httpx.TransportError)
    status = state.outcome.result().status_code
    # A request that came too soon was not looked at.
    return status == HTTPStatus.TOO_MANY_REQUESTS or (repeatable and status in _AWAY)


def _pause(state: RetryCallState) -> float:
    if state.outcome is not None and state.outcome.exception() is None:
        wanted = _seconds(state.outcome.result().headers.get("retry-after"))
        if wanted is not None:
            return min(wanted, _LONGEST_PAUSE_SECONDS)
    spread: Callable[[RetryCallState], float] = wait_random_exponential(multiplier=0.2, max=2)
    return spread(state)


def _seconds(header: str | None) -> float | None:
    return float(header) if header is not None and header.isascii() and header.isdigit() else None


def _given(parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (parameters or {}).items() if value is not None}


def _checked(key: str) -> str:
    if not (key.isascii() and key.isprintable() and key.strip() == key and key):
        raise CliError(ExitCode.INVALID, "The idempotency key has characters that no header takes")
    return key


def _trust(server: Server) -> ssl.SSLContext | bool:
    if server.api.startswith("http:"):
        # Trusts nobody, and spares the command the reading of everybody who could be trusted.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if server.ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=server.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise CliError(
            ExitCode.USAGE, f"{server.ca_file} is no file of certificates", str(error)
        ) from None
