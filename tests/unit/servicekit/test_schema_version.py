"""What tells a service its newest revision says what Alembic says."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from holdfast_activity_worker import schema as work
from holdfast_servicekit.schema_version import newest
from holdfast_status_api import schema as status


@pytest.mark.parametrize("scripts", [work.SCRIPTS, status.SCRIPTS], ids=["work", "status"])
def test_the_newest_revision_is_alembics_head(scripts: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(scripts))

    assert newest(scripts) == ScriptDirectory.from_config(config).get_current_head()
