"""Whether a parent's turn that made a child is saved, read from the state store past its lock."""

from __future__ import annotations

import grpc
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from holdfast_contracts.core import ChildOf
from holdfast_orchestrator.engine import TaskHubGrpcClient

#: How long one look waits for the turn to be saved; the workflow looks again after a timer.
PATIENCE_SECONDS = 2.0
_INTERVAL_SECONDS = 0.1


class Parents:
    """Answers from saved history only. GetInstanceHistory takes no actor lock in Dapr 1.18."""

    def __init__(self, engine: TaskHubGrpcClient) -> None:
        self._engine = engine

    def committed(self, question: ChildOf) -> bool:
        """Tell whether the parent's saved history has the child; wait a little for it."""
        retrying = Retrying(
            retry=retry_if_result(lambda committed: not committed),
            wait=wait_fixed(_INTERVAL_SECONDS),
            stop=stop_after_delay(PATIENCE_SECONDS),
        )
        try:
            return bool(retrying(self._has_child, question))
        except RetryError:
            return False

    def _has_child(self, question: ChildOf) -> bool:
        try:
            history = self._engine.get_instance_history(question.parent)
        except grpc.RpcError:
            # Not saved for the first time yet, or the engine is busy: the answer is not known.
            return False
        return any(
            event.childWorkflowInstanceCreated.instanceId == question.child
            for event in history
            if event.HasField("childWorkflowInstanceCreated")
        )
