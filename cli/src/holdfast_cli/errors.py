"""What can go wrong, and the exit status that says which."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """The exit statuses; docs/cli.md says what each means. They do not change."""

    OK = 0
    #: The server failed, or the run that was waited for did not complete.
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    NOT_FOUND = 4
    CONFLICT = 5
    FORBIDDEN = 6
    INVALID = 7
    UNAVAILABLE = 8
    #: `holdfast doctor` has found runs that nothing will move again.
    FROZEN = 9
    #: What timeout(1) exits with.
    TIMED_OUT = 124
    INTERRUPTED = 130


class CliError(Exception):
    """End the command with a title, what is wrong in detail, and an exit status."""

    def __init__(
        self,
        code: ExitCode,
        title: str,
        detail: str | None = None,
        *,
        faults: Sequence[str] = (),
    ) -> None:
        super().__init__(title)
        self.code = code
        self.title = title
        self.detail = detail
        #: One line for each thing that is wrong with what was sent.
        self.faults = tuple(faults)
