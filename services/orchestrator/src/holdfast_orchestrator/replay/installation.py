"""Read the histories of the runs in flight from a running installation, by its public API.

The server and the token are found as the `holdfast` command finds them: a named API or context,
the environment, the current context, or a local stack nearby.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from holdfast_cli.client import Client, part
from holdfast_cli.errors import CliError, ExitCode
from holdfast_orchestrator.replay.recording import Recording

_IN_FLIGHT = ("PENDING", "RUNNING", "SUSPENDED")
_PAGE = 200
#: Reads under way at once: each loads a history in the engine.
_READERS = 4


@dataclass
class Histories:
    """What could be read, and why the rest could not."""

    recordings: list[Recording] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)


def read(client: Client) -> Histories:
    """Return the history of every run in flight and of its open children.

    Raises ``CliError`` if the installation cannot be asked which runs there are, or the caller
    may not read their histories.
    """
    found = Histories()
    with ThreadPoolExecutor(_READERS) as readers:
        for run, recordings in readers.map(lambda run: (run, _family(client, run)), _runs(client)):
            if isinstance(recordings, CliError):
                found.unknown[run] = _said(recordings)
            else:
                found.recordings += recordings
    return found


def _runs(client: Client) -> Iterator[str]:
    cursor = None
    while True:
        query = {"state": list(_IN_FLIGHT), "limit": _PAGE, "cursor": cursor}
        page = client.get("/runs", query).document
        yield from (run["instance_id"] for run in page["runs"])
        cursor = page["next"]
        if cursor is None:
            return


def _family(client: Client, run: str) -> list[Recording] | CliError:
    """Return a run and its open children; none if it has ended in the meantime."""
    found: list[Recording] = []
    waiting: list[str | None] = [None]
    path = f"/runs/{part(run)}/recording"
    while waiting:
        child = waiting.pop()
        try:
            answer = client.get(path, {"child": child}).document
            recording = Recording.model_validate(answer)
            history = recording.history()
        except CliError as error:
            if error.code is ExitCode.NOT_FOUND:
                continue
            if error.code is ExitCode.FORBIDDEN:
                raise
            return error
        except ValueError as error:
            return CliError(ExitCode.FAILED, "The answer is no recorded history", str(error))
        if history.in_flight:
            found.append(recording)
            waiting += history.open_children()
    return found


def _said(error: CliError) -> str:
    return f"{error.title}: {error.detail}" if error.detail else error.title
