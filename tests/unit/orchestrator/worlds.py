"""What the activities of each pattern answer, computed in memory, for driving workflows."""

from __future__ import annotations

from collections import Counter
from typing import Any

from holdfast_contracts.errors import InvalidValueError, SoldOutError


class ChainWorld:
    def __init__(self) -> None:
        self.attempts: Counter[str] = Counter()

    def __call__(self, name: str, command: dict[str, Any]) -> Any:
        self.attempts[name] += 1
        match name:
            case "step1":
                return {"value": command["value"] + 1}
            case "step2" if command["value"] < 1:
                raise InvalidValueError("the value must be positive")
            case "step2":
                return {"value": command["value"] * 2}
            case "step3":
                return {"value": command["value"] ** 2}
            case "error_handler":
                return {"error": command["error"]}
        raise AssertionError(name)


class BatchWorld:
    """A batch whose leg ``i`` is ``i + 0.5`` km long."""

    def __init__(self, count: int, failures: dict[int, list[Exception]] | None = None) -> None:
        self.count = count
        self.failures = failures or {}
        self.stored: list[dict[str, Any]] = []
        self.closed: set[str] = set()

    def __call__(self, name: str, command: dict[str, Any]) -> Any:
        match name:
            case "get_work_batch":
                return {"batch_id": "b", "count": self.count}
            case "process_work_item":
                pending = self.failures.get(command["index"])
                if pending:
                    raise pending.pop(0)
                return {"distance_km": command["index"] + 0.5}
            case "process_results":
                self.stored.append(command)
                return {"count": command["count"], "total_km": command["total_km"]}
            case "close_run":
                self.closed.add(command["instance"])
                return {"instance": command["instance"]}
        raise AssertionError(name)


class TripWorld:
    def __init__(self, sold_out: str | None = None, undo_failures: int = 0) -> None:
        self.sold_out = sold_out
        self.undo_failures = undo_failures
        self.held: list[str] = []

    def __call__(self, name: str, command: dict[str, Any]) -> Any:
        verb, _, kind = name.partition("_")
        match verb:
            case "book":
                if kind == self.sold_out:
                    raise SoldOutError(f"no {kind} left")
                self.held.append(kind)
                return {"booking_id": command["key"], "item": command["item"]}
            case "cancel":
                if self.undo_failures:
                    self.undo_failures -= 1
                    raise InvalidValueError("not now")
                undone = kind in self.held
                if undone:
                    self.held.remove(kind)
                return {"undone": undone}
            case "close":
                return {"instance": command["instance"]}
        raise AssertionError(name)


class OrderWorld:
    """Decides by what it is asked, once."""

    def __init__(self) -> None:
        self.decision: dict[str, Any] | None = None

    def __call__(self, name: str, command: dict[str, Any]) -> Any:
        match name:
            case "auto_approve_activity":
                return _outcome(command["order"], "approved", "policy")
            case "record_decision":
                if self.decision is None:
                    self.decision = _decide(command)
                return self.decision
            case "process_approval_activity":
                decision = command["decision"]
                return _outcome(command["order"], decision["verdict"], decision["by"])
            case "handle_timeout_activity":
                return _outcome(command["order"], "timed_out", "")
        raise AssertionError(name)


def _decide(command: dict[str, Any]) -> dict[str, Any]:
    approval = command["approval"]
    if approval is None:
        return {"verdict": "timed_out", "by": ""}
    verdict = "approved" if approval["approved"] else "rejected"
    return {"verdict": verdict, "by": approval["by"], "event_id": command["event_id"]}


def _outcome(order: dict[str, Any], verdict: str, by: str) -> dict[str, Any]:
    return {"verdict": verdict, "by": by, "amount": order["amount"]}


class JobWorld:
    """A job that is done at the given look."""

    def __init__(self, done_at: int, status: str = "completed") -> None:
        self.done_at = done_at
        self.status = status
        self.looks: list[str] = []
        self.notified: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, name: str, command: dict[str, Any]) -> Any:
        if name == "check_job_status":
            self.looks.append(command["key"])
            running = len(self.looks) < self.done_at
            return {"status": "running" if running else self.status}
        self.notified.append((name, command))
        return {"notification_id": command["key"]}
