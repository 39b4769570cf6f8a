"""Draw a run as a tree: the run, its children, their steps."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from holdfast_cli.output import cell, parse_time, printable
from holdfast_cli.snapshots import Snapshot
from holdfast_cli.states import has_ended
from holdfast_cli.views import duration, error_of, failure, step_name, took

Document = dict[str, Any]
#: A step that is repeated more often is shown as numbers.
_MOST_ITEMS = 8
_MARKS = {
    "done": ("✓", "green"),
    "cancelled": ("⊘", "yellow"),
    "running": ("▶", "cyan"),
    "failed": ("✗", "red"),
}


def tree(snapshot: Snapshot, *, height: int) -> RenderableType:
    """Return the drawing. What a screen of that height cannot hold is left out, and counted."""
    status = snapshot.status
    root = Tree(_head(status), guide_style="dim")
    runners = _grouped(_steps(snapshot), "runner")
    own = runners.pop(str(status.get("instance_id")), [])
    for line in _lines(own):
        root.add(line)
    for runner, steps in runners.items():
        branch = root.add(Text(printable(runner), "bold"))
        for line in _lines(steps):
            branch.add(line)
    if snapshot.why:
        root.add(Text(printable(snapshot.why), "yellow"))
    _crop(root, height)
    tail = _tail(status)
    return Group(root, tail) if tail is not None else root


def _head(status: Document) -> Text:
    began = parse_time(status.get("started_at") or status.get("accepted_at"))
    ended = parse_time(status.get("finished_at")) or datetime.now(UTC)
    age = duration((ended - began).total_seconds()) if began else ""
    return Text("  ").join(
        (
            Text(printable(str(status.get("instance_id"))), "bold"),
            Text(printable(str(status.get("workflow")))),
            cell(status.get("state")),
            Text(age, "dim"),
        )
    )


def _tail(status: Document) -> Text | None:
    if not has_ended(status):
        return None
    return failure(status) or (
        Text.assemble("output: ", cell(status["output"]))
        if status.get("output") is not None
        else None
    )


def _steps(snapshot: Snapshot) -> list[Document]:
    """Return each step with its attempts and its effect, in the order of first attempts."""
    steps: dict[str, Document] = {}
    for attempt in snapshot.attempts:
        step = steps.setdefault(str(attempt.get("key")), {**attempt, "attempts": []})
        step["attempts"].append(attempt)
    for effect in snapshot.effects:
        step = steps.setdefault(str(effect.get("key")), {**effect, "attempts": []})
        step["effect"] = effect
    for step in steps.values():
        step["mark"] = _mark(step)
    return list(steps.values())


def _mark(step: Document) -> str:
    effect = step.get("effect")
    if effect is not None:
        return "cancelled" if effect.get("kind") == "cancelled" else "done"
    last = step["attempts"][-1] if step["attempts"] else {}
    return "failed" if last.get("outcome") in {"failed", "refused"} else "running"


def _lines(steps: list[Document]) -> Iterable[Text]:
    for name, group in _grouped(steps, "step").items():
        if len(group) > _MOST_ITEMS:
            yield _summary(name, group)
        else:
            yield from map(_line, group)


def _line(step: Document) -> Text:
    mark, style = _MARKS[step["mark"]]
    attempts = step["attempts"]
    last = attempts[-1] if attempts else {}
    words = [Text(f"{mark} {printable(step_name(step))}", style)]
    if time := took(last.get("started_at"), last.get("finished_at")):
        words.append(Text(time, "dim"))
    if len(attempts) > 1:
        words.append(Text(f"{len(attempts)} attempts", "yellow"))
    if last.get("pod"):
        words.append(Text(printable(str(last["pod"])), "dim"))
    if step["mark"] == "failed" and (reason := error_of(last)):
        words.append(Text(printable(reason), "red"))
    return Text("  ").join(words)


def _summary(name: str, steps: list[Document]) -> Text:
    repeated = sum(len(step["attempts"]) > 1 for step in steps)
    marks = sorted(step["mark"] for step in steps)
    counts = {mark: len(list(same)) for mark, same in groupby(marks)}
    words = [Text(f"{printable(name)} × {len(steps)}", "bold")]  # noqa: RUF001 - the sign it is
    words += [
        Text(f"{sign} {counts[mark]} {mark}", style)
        for mark, (sign, style) in _MARKS.items()
        if mark in counts
    ]
    if repeated:
        words.append(Text(f"{repeated} tried again", "yellow"))
    return Text("  ").join(words)


def _crop(root: Tree, height: int) -> None:
    """Leave out branches from the middle, until the tree fits."""
    hidden = 0
    while len(root.children) > 1 and _size(root) + bool(hidden) > max(height, 4):
        root.children.pop(len(root.children) // 2)
        hidden += 1
    if hidden:
        root.children.insert(len(root.children) // 2, Tree(Text(f"… {hidden} more", "dim")))


def _size(node: Tree) -> int:
    return 1 + sum(map(_size, node.children))


def _grouped(steps: list[Document], name: str) -> dict[str, list[Document]]:
    groups: dict[str, list[Document]] = {}
    for step in steps:
        groups.setdefault(str(step.get(name)), []).append(step)
    return groups
