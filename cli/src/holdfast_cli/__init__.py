"""The ``holdfast`` command. It talks to the status API and to nothing else."""

from __future__ import annotations

from importlib.metadata import version

VERSION = version("holdfast-cli")
