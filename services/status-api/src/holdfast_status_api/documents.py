"""JSON documents from outside: parsed, bounded, and every fault named by its pointer."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ValidationError

from holdfast_servicekit.problems import Problem

#: Deeper than any contract needs, and far from what makes a recursive reader fail.
DEEPEST = 64
_SHOWN_KEY_CHARACTERS = 200
#: What a value without members has.
_NOTHING: dict[str | int, Any] = {}


@dataclass(frozen=True)
class Fault:
    """What is wrong with one value of a document."""

    pointer: str
    detail: str

    def as_json(self) -> dict[str, str]:
        """Return the fault as a member of the problem's ``errors``."""
        return {"pointer": self.pointer, "detail": self.detail}


def pointer_to(path: Sequence[str | int]) -> str:
    """Return the RFC 6901 JSON pointer for a path of keys and indexes."""
    return "".join(f"/{_escaped(token)}" for token in path)


def parse(raw: bytes) -> Any:
    """Return the JSON value in ``raw``.

    Raises `Problem`: 400 for what is not JSON, 422 for nothing at all and for values that
    other readers of the document could not hold: NaN, infinity, a NUL, half a surrogate pair,
    nesting without end.
    """
    if not raw.strip():
        raise unprocessable([Fault("", "a JSON value is expected; the body is empty")])
    try:
        document = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Problem(
            HTTPStatus.BAD_REQUEST, "Malformed JSON", f"The body is not UTF-8: {error.reason}."
        ) from error
    except RecursionError as error:
        raise unprocessable([_too_deep("")]) from error
    except json.JSONDecodeError as error:
        detail = f"{error.msg} at line {error.lineno}, column {error.colno}."
        raise Problem(HTTPStatus.BAD_REQUEST, "Malformed JSON", detail) from error
    except ValueError as error:  # a whole number of thousands of digits
        raise unprocessable([Fault("", f"a number is too long: {error}")]) from error
    if faults := list(find_faults(document)):
        raise unprocessable(faults)
    return document


def validate(model: type[BaseModel], document: Any) -> BaseModel:
    """Return the document as the contract's model, or raise a 422 that names every fault."""
    try:
        value = model.model_validate(document)
    except ValidationError as error:
        raise unprocessable([_fault(item, document) for item in error.errors()]) from error
    except RecursionError as error:
        raise unprocessable([_too_deep("")]) from error
    if isinstance(document, str):
        # A string that holds a document is read by the contract, past the checks of `parse`.
        held = list(find_faults(value.model_dump()))
        if held:
            raise unprocessable(
                [Fault("", f"in the string, at {fault.pointer}: {fault.detail}") for fault in held]
            )
    return value


def unprocessable(faults: Sequence[Fault]) -> Problem:
    """Return the 422 that lists the faults of a document."""
    count = len(faults)
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "Invalid document",
        "One value is not as the contract says."
        if count == 1
        else f"{count} values are not as the contract says.",
        errors=[fault.as_json() for fault in faults],
    )


def find_faults(document: Any) -> Iterator[Fault]:
    """Yield what no contract allows, without recursion; stop at the first that is too deep."""
    pending: list[tuple[Any, tuple[str | int, ...]]] = [(document, ())]
    while pending:
        value, path = pending.pop()
        if len(path) > DEEPEST:
            yield _too_deep(pointer_to(path[:3]))
            return
        if isinstance(value, float) and not math.isfinite(value):
            yield Fault(pointer_to(path), "NaN and infinity are not JSON numbers")
        elif isinstance(value, str):
            if why := _unstorable(value):
                yield Fault(pointer_to(path), why)
        elif isinstance(value, list):
            pending.extend((item, (*path, index)) for index, item in enumerate(value))
        elif isinstance(value, dict):
            for key, item in value.items():
                if why := _unstorable(key):
                    yield Fault(pointer_to(path), f"a key of the object: {why}")
                pending.append((item, (*path, key)))


def fingerprint(*parts: Any) -> str:
    """Return a SHA-256 that two requests share exactly when they ask for the same."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _unstorable(text: str) -> str | None:
    if "\x00" in text:
        return "a NUL character cannot be stored"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "half of a surrogate pair is no character"
    return None


def _fault(error: Any, document: Any) -> Fault:
    detail = str(error["msg"]).removeprefix("Value error, ")
    path = tuple(error["loc"])
    within = _within(path, document, missing=error["type"] == "missing")
    if len(within) < len(path) and not isinstance(document, dict | list):
        # The contract takes a bare value for its main field; the field is not in the document.
        return Fault("", detail if len(path) == 1 else f"{pointer_to(path)[1:]}: {detail}")
    return Fault(pointer_to(within), detail)


def _within(path: tuple[str | int, ...], document: Any, *, missing: bool) -> tuple[str | int, ...]:
    """Return the longest start of the path that the document has, plus a field it lacks."""
    value = document
    for depth, token in enumerate(path):
        try:
            holder: Any = value if isinstance(value, dict | list) else _NOTHING
            value = holder[token]
        except (LookupError, TypeError):
            lacks = missing and isinstance(value, dict) and depth == len(path) - 1
            return path if lacks else path[:depth]
    return path


def _escaped(token: str | int) -> str:
    text = str(token)[:_SHOWN_KEY_CHARACTERS].replace("~", "~0").replace("/", "~1")
    return text.encode("utf-8", "replace").decode()


def _too_deep(pointer: str) -> Fault:
    return Fault(pointer, f"nested more than {DEEPEST} levels deep")
