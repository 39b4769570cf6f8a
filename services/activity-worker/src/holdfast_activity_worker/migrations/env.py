"""Alembic's entry; the shared runner holds the lock and the connection."""

from typing import cast

from alembic import context
from alembic.runtime.environment import EnvironmentContext

from holdfast_servicekit.migrations import run_env

run_env(cast("EnvironmentContext", context), "work")  # the module stands for one
