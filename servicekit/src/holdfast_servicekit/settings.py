"""Settings that the services share, read from the environment once, at start."""

from __future__ import annotations

import os
import socket

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """What a service is told from outside; every name has the prefix ``HOLDFAST_``.

    Raises ``pydantic.ValidationError`` that names each variable that is missing or wrong.
    """

    model_config = SettingsConfigDict(env_prefix="HOLDFAST_", frozen=True, extra="ignore")

    app_id: str
    orchestrator_app_id: str = "orchestrator"
    worker_app_id: str = "activity-worker"

    host: str = "127.0.0.1"
    port: int = 8080
    pod: str = Field(default_factory=socket.gethostname)
    log_level: str = "INFO"

    #: Dapr's own variables keep Dapr's names.
    dapr_http_port: int = Field(default=3500, validation_alias="DAPR_HTTP_PORT")
    dapr_grpc_port: int = Field(default=50001, validation_alias="DAPR_GRPC_PORT")
    dapr_api_token: str = Field(default="", validation_alias="DAPR_API_TOKEN")
    app_api_token: str = Field(default="", validation_alias="APP_API_TOKEN")

    @property
    def process_name(self) -> str:
        """The name that the ledger and the database know this process by: ``<pod>/<pid>``."""
        return f"{self.pod}/{os.getpid()}"
