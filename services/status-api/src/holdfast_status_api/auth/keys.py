"""The issuer's public keys: fetched seldom, bounded in time, size and number, and kept."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import structlog
from jwt import PyJWK
from jwt.exceptions import PyJWTError

_TIMEOUT_SECONDS = 5.0
_LARGEST_BYTES = 512 * 1024
_MOST_KEYS = 64
_SMALLEST_RSA_BITS = 2048
#: Keys are asked for again when they are this old, and for an unknown one at most this often.
_FRESH_SECONDS = 3600.0
_PAUSE_SECONDS = 30.0
#: What an algorithm needs. Symmetric ones and ``none`` are not here, so they are never taken.
KEY_TYPES = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    "EdDSA": "OKP",
}
_log = structlog.get_logger()


class KeysUnavailableError(Exception):
    """The issuer's keys could not be had, and none are known from before."""


@dataclass(frozen=True)
class _KeySet:
    """Keys by their id, and when they were had."""

    keys: dict[str, dict[str, Any]]
    had_at: float
    made: dict[tuple[str, str], PyJWK] = field(default_factory=dict)


class Keys:
    """The public keys of one issuer. Several threads may ask at once; one of them fetches."""

    def __init__(self, load: Callable[[], bytes]) -> None:
        self._load = load
        self._known: _KeySet | None = None
        self._tried_at = float("-inf")
        self._lock = threading.Lock()

    def find(self, key_id: str | None, algorithm: str) -> PyJWK | None:
        """Return the key for this algorithm, or ``None`` if the issuer has no such key.

        Raises ``KeysUnavailableError`` while no keys were ever had. A key that is not known is
        asked for at the issuer, but whoever sends unknown ids cannot make that frequent.
        """
        known = self._known
        if known is None or time.monotonic() - known.had_at > _FRESH_SECONDS:
            known = self._refreshed(known)
        found = _key(known, key_id, algorithm)
        if found is None:
            found = _key(self._refreshed(known), key_id, algorithm)
        return found

    def _refreshed(self, seen: _KeySet | None) -> _KeySet:
        with self._lock:
            now = time.monotonic()
            if self._known is seen and now - self._tried_at >= _PAUSE_SECONDS:
                self._tried_at = now
                try:
                    self._known = _KeySet(_parse(self._load()), now)
                except (httpx.HTTPError, OSError, ValueError, RecursionError) as error:
                    _log.error("the issuer's keys could not be had", error=str(error))
            if self._known is None:
                raise KeysUnavailableError
            return self._known


def from_file(path: Path) -> Callable[[], bytes]:
    """Return a loader for a JWKS file, for networks that cannot reach the issuer."""

    def load() -> bytes:
        with path.open("rb") as file:
            return file.read(_LARGEST_BYTES + 1)

    return load


def from_url(url: str) -> Callable[[], bytes]:
    """Return a loader for a JWKS at a URL."""
    return lambda: _get(url)


def discovered(issuer: str) -> Callable[[], bytes]:
    """Return a loader that asks the issuer where its JWKS is, as OpenID Connect Discovery says."""

    def load() -> bytes:
        found = json.loads(_get(f"{issuer.rstrip('/')}/.well-known/openid-configuration"))
        if not isinstance(found, dict) or found.get("issuer") != issuer:
            raise ValueError("the discovery document is that of another issuer")
        url = found.get("jwks_uri")
        if not isinstance(url, str) or not is_safe_url(url):
            raise ValueError("the discovery document names no https jwks_uri")
        return _get(url)

    return load


def is_safe_url(url: str) -> bool:
    """Say whether nobody on the way can change what comes from there."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    near = parsed.host in {"127.0.0.1", "::1", "localhost"}
    return bool(parsed.host) and (parsed.scheme == "https" or (parsed.scheme == "http" and near))


def _get(url: str) -> bytes:
    """Return at most one byte more than is allowed; neither redirects nor proxies are followed."""
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    raw = b""
    with httpx.stream("GET", url, timeout=_TIMEOUT_SECONDS, trust_env=False) as answer:
        if answer.status_code != HTTPStatus.OK:
            raise ValueError(f"{url} answered {answer.status_code}")
        for chunk in answer.iter_bytes():
            raw += chunk
            if len(raw) > _LARGEST_BYTES:
                break
            if time.monotonic() > deadline:
                raise ValueError(f"{url} is too slow")
    if len(raw) > _LARGEST_BYTES:
        raise ValueError(f"{url} answered too much")
    return raw


def _parse(raw: bytes) -> dict[str, dict[str, Any]]:
    if len(raw) > _LARGEST_BYTES:
        raise ValueError("the JWKS is too large")
    document = json.loads(raw)
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or len(listed) > _MOST_KEYS:
        raise ValueError(f"the JWKS must have a list of at most {_MOST_KEYS} keys")
    usable = [key for key in listed if isinstance(key, dict) and _is_for_signatures(key)]
    keys = {str(key.get("kid", "")): key for key in usable}
    if not keys:
        raise ValueError("the JWKS has no key for signatures")
    return keys


def _is_for_signatures(key: dict[str, Any]) -> bool:
    return key.get("kty") in KEY_TYPES.values() and key.get("use", "sig") == "sig"


def _key(known: _KeySet, key_id: str | None, algorithm: str) -> PyJWK | None:
    if key_id is None:
        if len(known.keys) != 1:
            return None
        (key_id,) = known.keys
    data = known.keys.get(key_id)
    if data is None or data["kty"] != KEY_TYPES[algorithm]:
        return None
    if data.get("alg", algorithm) != algorithm:
        return None
    if (key_id, algorithm) not in known.made:
        try:
            key = PyJWK(data, algorithm)
        except PyJWTError as error:
            _log.error("a key of the issuer cannot be used", kid=key_id, error=str(error))
            return None
        if data["kty"] == "RSA" and key.key.key_size < _SMALLEST_RSA_BITS:
            _log.error("a key of the issuer is too short", kid=key_id)
            return None
        known.made[key_id, algorithm] = key
    return known.made[key_id, algorithm]
