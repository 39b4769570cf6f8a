"""Find the server that a command is for, and the token that goes with it."""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from holdfast_cli import config
from holdfast_cli.errors import CliError, ExitCode

API_VARIABLE = "HOLDFAST_API"
TOKEN_VARIABLE = "HOLDFAST_TOKEN"  # noqa: S105 - the variable's name
CONTEXT_VARIABLE = "HOLDFAST_CONTEXT"
_DEFAULT_STACK = "default"


class Role(StrEnum):
    """The roles that a local stack makes a token for."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    ADMIN = "admin"


@dataclass(frozen=True)
class Selection:
    """What the command line says about the server; mostly nothing."""

    api: str | None = None
    context: str | None = None
    stack: str | None = None
    role: Role | None = None


@dataclass(frozen=True)
class Server:
    """A status API that can be talked to."""

    name: str
    api: str
    token: str | None = None
    ca_file: str | None = None
    #: Known of a local stack only.
    app_ids: Mapping[str, str] = field(default_factory=dict)
    #: Its tokens are at hand, one for each role.
    has_roles: bool = False

    @property
    def is_loopback(self) -> bool:
        """Tell whether it is on this machine."""
        return is_loopback(self.api)


def resolve(selection: Selection) -> Server:
    """Return the server: as the command line says, the environment, the contexts, or nearby.

    ``HOLDFAST_TOKEN`` goes to a server that was named and has no token of its own; never to a
    stack that was merely found.
    """
    named = [name for name in ("api", "context", "stack") if getattr(selection, name) is not None]
    if len(named) > 1:
        raise CliError(
            ExitCode.USAGE, "More than one server", " and ".join(f"--{name}" for name in named)
        )
    server = _named(selection) if named else _from_environment() or _current()
    if server is not None and selection.role is not None and selection.stack is None:
        raise CliError(
            ExitCode.USAGE,
            "--role needs a local stack",
            f"It chooses among the tokens of a local stack; {server.name} has its own token.",
        )
    return server or local_stack(None, selection.role)


def check_url(url: str) -> str:
    """Return the base URL of an API without a slash at the end, or end the command."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
        usable = usable and (parts.port is None or parts.port > 0)
    except ValueError:
        usable, parts = False, urlsplit("")
    if not usable or parts.query or parts.fragment or parts.username or not url.isprintable():
        raise CliError(
            ExitCode.USAGE, f"{url!r} is no API address", "Give it like https://holdfast.example."
        )
    return url.rstrip("/")


def is_loopback(url: str) -> bool:
    """Tell whether a URL leads to this machine itself."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def local_stack(name: str | None, role: Role | None = None) -> Server:
    """Return a stack of this machine, from ``.run`` in this folder or one above."""
    found = running_stacks()
    if name is None:
        if len(found) > 1 and _DEFAULT_STACK not in found:
            raise CliError(
                ExitCode.USAGE,
                "Several local stacks are up",
                f"Choose one with --stack: {', '.join(sorted(found))}.",
            )
        name = _DEFAULT_STACK if _DEFAULT_STACK in found else next(iter(found), None)
    if name is None:
        raise CliError(
            ExitCode.USAGE,
            "No server",
            "There is no context, no HOLDFAST_API, and no local stack is up in this folder or one"
            " above. Start one with `make up`, or add a server with `holdfast context add`.",
        )
    if name not in found:
        names = ", ".join(sorted(found)) or "none"
        raise CliError(ExitCode.USAGE, f"No local stack {name!r} is up", f"Up are: {names}.")
    return _local(name, found[name], role or Role.ADMIN)


def running_stacks() -> dict[str, Path]:
    """Return the descriptors of the stacks that are up, by name, from the nearest ``.run``."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        try:
            found = {file.parent.name: file for file in folder.glob(".run/*/stack.json")}
        except OSError:
            continue
        if found:
            return found
    return {}


def _named(selection: Selection) -> Server:
    if selection.api is not None:
        return _at(selection.api)
    if selection.context is not None:
        return _of_context(selection.context)
    return local_stack(selection.stack, selection.role)


def _from_environment() -> Server | None:
    if api := os.environ.get(API_VARIABLE):
        return _at(api)
    if context := os.environ.get(CONTEXT_VARIABLE):
        return _of_context(context)
    return None


def _current() -> Server | None:
    current = config.load().current
    return None if current is None else _of_context(current)


def _at(api: str) -> Server:
    return Server(api, check_url(api), os.environ.get(TOKEN_VARIABLE))


def _of_context(name: str) -> Server:
    context = config.load().context(name)
    token = context.token or os.environ.get(TOKEN_VARIABLE)
    return Server(f"the context {name}", check_url(context.api), token, context.ca_file)


def _local(name: str, descriptor: Path, role: Role) -> Server:
    stack = _read(descriptor)
    tokens_file = descriptor.parent / "tokens.json"
    tokens = _read(tokens_file) if tokens_file.exists() else {}
    api = check_url(str(stack.get("api_url")))
    if not is_loopback(api):
        # Whoever can write a folder above this one must not be able to send us elsewhere.
        raise CliError(ExitCode.USAGE, f"{descriptor} names a server elsewhere", api)
    token = tokens.get(role)
    return Server(
        f"the local stack {name}",
        api,
        token if isinstance(token, str) else None,
        app_ids=stack.get("app_ids") or {},
        has_roles=bool(tokens),
    )


def _read(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CliError(ExitCode.USAGE, f"{file} is not usable", str(error)) from None
    if not isinstance(document, dict):
        raise CliError(ExitCode.USAGE, f"{file} is not usable", "It holds no JSON object.")
    return document
