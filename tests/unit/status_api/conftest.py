from __future__ import annotations

import json

import pytest
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import create_engine

from holdfast_status_api.app import create_app
from holdfast_status_api.auth.authenticator import Authenticator
from holdfast_status_api.auth.tokens import TokenFile
from holdfast_status_api.background import Background
from holdfast_status_api.orchestrator import Orchestrator
from holdfast_status_api.settings import Settings


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> OpenAPI:
    """The app with all its routes, for a look at it: there is nothing that it could ask."""
    tokens = tmp_path_factory.mktemp("tokens") / "tokens.json"
    tokens.write_text(json.dumps([{"subject": "ada", "role": "viewer", "sha256": "0" * 64}]))
    settings = Settings(database_url="postgresql+psycopg://nobody@127.0.0.1/nothing")
    engine = create_engine(settings.database_url)  # connects when it is first used: here, never
    orchestrator = Orchestrator(settings)
    background = Background(settings, engine, orchestrator)
    return create_app(
        settings, engine, orchestrator, background, Authenticator(TokenFile(tokens), None)
    )
