"""What makes a stack itself: made at its first start, kept for its life."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass

from holdfast_local import files
from holdfast_local.folders import StackFolder

SERVICES = ("orchestrator", "activity-worker", "status-api")


@dataclass(frozen=True)
class Secrets:
    """Passwords and tokens of one stack; hexadecimal, so that no place needs to quote them."""

    postgres: str
    owner: str
    worker: str
    status: str
    dapr: str
    app_token: str


@dataclass(frozen=True)
class Identity:
    """The app-ids and secrets of one stack.

    An app-id is part of every key in Dapr's state, so it must not change while the state lives;
    and no other stack on the machine may have it, because sidecars find each other by app-id.
    """

    app_ids: dict[str, str]
    secrets: Secrets


def load_or_create(folder: StackFolder) -> Identity:
    """Give the stack's identity, made on the first call. Call it under the stack's lock."""
    stored = files.read_json(folder.identity)
    if stored is None:
        suffix = secrets.token_hex(3)
        stored = {"app_ids": {name: f"{name}-{folder.name}-{suffix}" for name in SERVICES}}
        files.write_json(folder.secrets, asdict(_make_secrets()))
        files.write_json(folder.identity, stored)
    return load(folder)


def load(folder: StackFolder) -> Identity:
    """Give the identity of a stack that has been up before."""
    stored = files.read_json(folder.identity)
    return Identity(app_ids=stored["app_ids"], secrets=Secrets(**files.read_json(folder.secrets)))


def _make_secrets() -> Secrets:
    return Secrets(*(secrets.token_hex(16) for _ in Secrets.__dataclass_fields__))
