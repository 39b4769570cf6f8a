"""Run by Alembic: brings the schema ``status`` to its newest revision."""

from __future__ import annotations

from typing import cast

from alembic import context
from alembic.runtime.environment import EnvironmentContext

from holdfast_servicekit import migrations

migrations.run_env(cast("EnvironmentContext", context), "status")  # the module stands for one
