"""Static tokens: a file of their hashes, read again when it changes."""

from __future__ import annotations

import hashlib
import hmac
import threading
from pathlib import Path
from typing import Annotated

import structlog
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from holdfast_status_api.auth.callers import Caller, Role, is_subject

_LARGEST_FILE_BYTES = 4 * 1024 * 1024
_log = structlog.get_logger()


class TokenFileError(Exception):
    """The file of tokens cannot be used; the text says why, in one line."""


def _proper(subject: str) -> str:
    if not is_subject(subject):
        raise ValueError("must have 1 to 200 characters, none of them a control character")
    return subject


class TokenEntry(BaseModel):
    """One static token: who has it, what for, and its SHA-256.

    A plain hash is enough for a token of high entropy: there is nothing to guess.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: Annotated[str, AfterValidator(_proper)]
    role: Role
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


_ENTRIES = TypeAdapter(Annotated[list[TokenEntry], Field(min_length=1)])
_Version = tuple[int, int, int]


class TokenFile:
    """The static tokens. A changed file counts at once; an unreadable one changes nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._entries, self._version = self._read()

    def find(self, token: str) -> Caller | None:
        """Return who has this token, or ``None``. The time it takes tells nothing of a hash."""
        digest = hashlib.sha256(token.encode()).hexdigest()
        found: Caller | None = None
        for entry in self._current():
            if hmac.compare_digest(entry.sha256, digest):
                found = Caller(entry.subject, frozenset({entry.role}))
        return found

    def _current(self) -> list[TokenEntry]:
        try:
            if self._version_now() == self._version:
                return self._entries
        except OSError as error:
            _log.error("the file of tokens is away; the last known count", error=str(error))
            return self._entries
        with self._lock:
            try:
                self._entries, self._version = self._read()
                _log.info("the file of tokens was read again", tokens=len(self._entries))
            except TokenFileError as error:
                _log.error("the file of tokens is bad; the last good ones count", error=str(error))
        return self._entries

    def _version_now(self) -> _Version:
        stat = self._path.stat()
        return stat.st_mtime_ns, stat.st_ino, stat.st_size

    def _read(self) -> tuple[list[TokenEntry], _Version]:
        try:
            version = self._version_now()
            with self._path.open("rb") as file:
                raw = file.read(_LARGEST_FILE_BYTES + 1)
        except OSError as error:
            raise TokenFileError(
                f"the tokens file {self._path} cannot be read: {error.strerror}"
            ) from error
        if len(raw) > _LARGEST_FILE_BYTES:
            raise TokenFileError(f"the tokens file {self._path} is too large")
        try:
            entries = _ENTRIES.validate_json(raw)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = "/".join(str(part) for part in first["loc"])
            raise TokenFileError(
                f"the tokens file {self._path} is not right: {place} {first['msg']}"
            ) from error
        if len({entry.sha256 for entry in entries}) < len(entries):
            raise TokenFileError(f"the tokens file {self._path} has one token twice")
        return entries, version
