"""The user's contexts: servers with their tokens, in a file that only the user can read."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml
from platformdirs import user_config_path

from holdfast_cli.errors import CliError, ExitCode
from holdfast_cli.output import note

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class Context:
    """A server that has a name."""

    api: str
    token: str | None = None
    #: Certificates to trust for this server instead of the system's.
    ca_file: str | None = None


@dataclass
class Config:
    """Every context, and which one is used."""

    current: str | None = None
    contexts: dict[str, Context] = field(default_factory=dict)

    def context(self, name: str) -> Context:
        """Return the context of that name, or end the command."""
        if name not in self.contexts:
            known = ", ".join(sorted(self.contexts)) or "none; add one with `holdfast context add`"
            raise CliError(ExitCode.USAGE, f"No context {name!r}", f"There are: {known}.")
        return self.contexts[name]


def path() -> Path:
    """Return where the contexts are kept."""
    return user_config_path("holdfast", appauthor=False) / "config.yaml"


def load() -> Config:
    """Return the contexts; an absent file has none."""
    file = path()
    try:
        text = file.read_text("utf-8")
        mode = file.stat().st_mode
    except FileNotFoundError:
        return Config()
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(file, str(error)) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        note(f"others can read the tokens in {file}: chmod 600 {file}")
    try:
        document = yaml.safe_load(text) or {}
        contexts = {
            check_name(str(name)): _context(values)
            for name, values in (document.get("contexts") or {}).items()
        }
        current = document.get("current")
    except (yaml.YAMLError, AttributeError, TypeError, ValueError, RecursionError) as error:
        raise _unusable(file, str(error)) from None
    return Config(None if current is None else str(current), contexts)


def save(config: Config) -> None:
    """Write the contexts: all of them or none, never readable by others."""
    file = path()
    document = {
        "current": config.current,
        "contexts": {
            name: {key: value for key, value in asdict(context).items() if value is not None}
            for name, context in config.contexts.items()
        },
    }
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkstemp makes it with mode 0600 before there is anything to read.
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=".config-")
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            yaml.safe_dump(document, out, sort_keys=False)
        Path(name).replace(file)
    except OSError as error:
        raise CliError(
            ExitCode.FAILED, "The contexts cannot be saved", f"{file}: {error.strerror}"
        ) from None


def check_name(name: str) -> str:
    """Return the name of a context, or raise ``ValueError``."""
    if not _NAME.fullmatch(name):
        message = (
            f"{name!r} is no name for a context: letters, digits, '.', '-' and '_', at most 64"
        )
        raise ValueError(message)
    return name


def _context(values: dict[str, Any]) -> Context:
    unknown = values.keys() - {"api", "token", "ca_file"}
    if unknown or not isinstance(values.get("api"), str):
        message = "a context has an api, a token and a ca_file, and nothing else"
        raise ValueError(message)
    return Context(**{key: str(value) for key, value in values.items() if value is not None})


def _unusable(file: Path, why: str) -> CliError:
    return CliError(ExitCode.USAGE, f"{file} is not usable", " ".join(why.split()))
