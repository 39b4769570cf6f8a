"""What the orchestrator is told from outside."""

from __future__ import annotations

from holdfast_servicekit.settings import ServiceSettings


class OrchestratorSettings(ServiceSettings):
    """Settings of the orchestrator, from variables with the prefix ``HOLDFAST_``."""

    app_id: str = "orchestrator"
    #: Threads that run workflow turns; a turn is short and does no I/O.
    turn_threads: int = 16
