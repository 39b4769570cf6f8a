"""Write the examples of docs/cli-examples.md: every command, run on a stack of its own.

`make demo` has to have been run before: `certify` shows what it proved.
Run it after a change of the command: `.venv/bin/python tools/cli_examples.py`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from holdfast_local.stack import Stack
from own_stack import TRIP, own_stack, until

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "cli-examples.md"
MARK = "<!-- From here on written by tools/cli_examples.py -->\n"
CERTIFICATE = ROOT / ".run" / "demo" / "certificate.json"
#: A webhook that nobody listens to has its dead letter at once, not after hours.
HASTY = {"status-api": {"HOLDFAST_WEBHOOK_ATTEMPTS": "1"}}
SECONDS = 120
SHOWN_LETTERS = 160
SHOWN_OF_A_SECRET = 6
#: What confirms, signs in or signs: after the words that announce it.
SECRET = re.compile(rf"(--yes |\bcode=|^secret +)(\S{{{SHOWN_OF_A_SECRET}}})\S+", re.MULTILINE)
CONFIRMATION = re.compile(r"--yes (\S+)")
ORDER = '{"amount": 2500, "item": "a chair"}'
FILES = {
    "legs.csv": "origin,destination\nAMS,JFK\nJFK,LHR\n",
    "trip.json": json.dumps(TRIP),
    "sold-out.json": json.dumps({**TRIP, "car": "no such car"}),
    "prod.token": "holdfast_operator_example\n",
}


class Examples:
    """Commands that a shell runs in a clone whose stack is up, and their output, as Markdown."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._env = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder / ".config"),
            "LANG": "C.UTF-8",
        }
        self._token = ""
        self.text: list[str] = []

    def head(self, title: str) -> None:
        """Begin a section."""
        self.text.append(f"\n## {title}\n")

    def show(self, command: str, *lines: str) -> None:
        """Run the lines, and show them with all they wrote under the command's name.

        TOKEN in a line is the token of the last count.
        """
        typed = [self._typed(line) for line in lines]
        shown = self._presentable("\n".join(typed))
        self.text.append(f"\n### `holdfast {command}`\n\n```console\n{shown}\n```\n")

    def quietly(self, line: str) -> str:
        """Run a line, return what it wrote, and end the script if it failed."""
        done = subprocess.run(
            ["/bin/sh", "-c", line],
            cwd=self._folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
            encoding="utf-8",
        )
        if done.returncode:
            sys.exit(f"`{line}` has ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def until(self, run: str, state: str) -> None:
        """Wait until a run is in this state."""
        until(lambda: json.loads(self.quietly(f"holdfast wf get {run} -o json"))["state"] == state)

    def _typed(self, line: str) -> str:
        line = line.replace("TOKEN", self._token)
        written = self.quietly(line)
        if found := CONFIRMATION.search(written):
            self._token = found[1]
        return f"$ {line}\n{written}".rstrip()

    def _presentable(self, text: str) -> str:
        text = SECRET.sub(r"\1\2…", text.replace(str(self._folder), "~"))
        return "\n".join(
            line if len(line) <= SHOWN_LETTERS else f"{line[:SHOWN_LETTERS]}…"
            for line in text.splitlines()
        )


def main() -> None:
    """Write the page anew from what the commands write."""
    if not CERTIFICATE.exists():
        sys.exit("holdfast: there is no certificate yet: run `make demo` first")
    with own_stack("cli-examples", HASTY) as stack, TemporaryDirectory() as name:
        folder = Path(name)
        _furnish(folder, stack)
        examples = Examples(folder)
        _starting(examples)
        _looking(examples)
        _steering(examples)
        _administering(examples)
        _planning(examples)
        # At the end: from then on the commands are for the servers of the contexts.
        _choosing(examples)
    head = PAGE.read_text("utf-8").partition(MARK)[0]
    PAGE.write_text(head + MARK + "".join(examples.text), "utf-8")


def _furnish(folder: Path, stack: Stack) -> None:
    """Make the folder look like a clone: its stack is up, and `make demo` has been run."""
    default, demo = folder / ".run" / "default", folder / ".run" / "demo"
    default.mkdir(parents=True)
    demo.mkdir()
    for file in (stack.folder.descriptor, stack.folder.tokens):
        shutil.copy(file, default)
    for file in (CERTIFICATE, CERTIFICATE.with_suffix(".html")):
        shutil.copy(file, demo)
    for name, text in FILES.items():
        (folder / name).write_text(text, "utf-8")


def _starting(shell: Examples) -> None:
    shell.head("Start")
    shell.show("workflow catalogue", "holdfast wf catalogue")
    shell.show(
        "workflow run",
        "holdfast wf run task_chain --input 1 --instance-id chain-1 --wait",
        f"holdfast wf run request_escalation --instance-id order-1 --input '{ORDER}'",
    )
    shell.show("batch load", "holdfast batch load legs.csv --batch-id legs-1")
    shell.quietly("holdfast wf run book_trip --input @sold-out.json --instance-id trip-1")
    shell.quietly("holdfast wf run book_trip --input @trip.json --instance-id trip-2 --start-at 1d")
    shell.quietly(f"holdfast wf run request_escalation --instance-id order-2 --input '{ORDER}'")
    shell.until("trip-1", "FAILED")
    for order in ("order-1", "order-2"):
        shell.until(order, "RUNNING")
    until(lambda: "human_approval" in shell.quietly("holdfast wf why order-1"))


def _looking(shell: Examples) -> None:
    shell.head("Look")
    shell.show("workflow list", "holdfast wf list", "holdfast wf list --state FAILED --since 2h")
    shell.show("workflow get", "holdfast wf get order-1")
    shell.show("workflow why", "holdfast wf why order-1")
    shell.show("workflow history", "holdfast wf history chain-1")
    shell.show("workflow timeline", "holdfast wf timeline chain-1")
    shell.show("workflow watch", "holdfast wf watch chain-1 | cat")
    shell.show("console", "holdfast console --no-open")


def _steering(shell: Examples) -> None:
    shell.head("Steer")
    shell.show("doctor", "holdfast doctor")
    shell.show("workflow repair", "holdfast wf repair order-1; echo $?")
    shell.show("workflow suspend", 'holdfast wf suspend order-1 --reason "stock-taking"')
    shell.until("order-1", "SUSPENDED")
    shell.show("workflow resume", "holdfast wf resume order-1")
    shell.until("order-1", "RUNNING")
    approval = "human_approval --event-data '{\"approved\": true}'"
    shell.show(
        "workflow raise-event", f"holdfast --role approver wf raise-event order-1 {approval}"
    )
    shell.until("order-1", "COMPLETED")
    shell.show("workflow events", "holdfast wf events order-1")
    shell.show("workflow cancel", 'holdfast wf cancel trip-2 --reason "no snow"')
    shell.until("trip-2", "CANCELLED")
    for number in range(2):
        night = f"--instance-id nightly-{number} --start-at 1d"
        shell.quietly(f"holdfast wf run task_chain --input 1 {night}")
    shell.show(
        "workflow terminate",
        'holdfast wf terminate order-2 --reason "ordered twice"',
        "holdfast wf terminate --all --query nightly",
        "holdfast wf terminate --all --query nightly --yes TOKEN",
    )
    shell.show(
        "workflow rerun",
        "holdfast wf rerun chain-1 --new-id chain-2 --wait",
        "holdfast wf rerun --all --workflow book_trip --state FAILED",
        "holdfast wf rerun --all --workflow book_trip --state FAILED --yes TOKEN",
    )
    shell.show("workflow purge", "holdfast wf purge trip-2")


def _administering(shell: Examples) -> None:
    shell.head("Administer")
    shell.show("webhook add", "holdfast webhook add http://127.0.0.1:9/runs --type completed")
    shell.quietly("holdfast wf run task_chain --input 1 --instance-id chain-3 --wait")
    until(lambda: bool(_webhook(shell)["dead"]))
    webhook = _webhook(shell)["webhook_id"]
    shell.show("webhook list", "holdfast webhook list")
    shell.show("webhook dead-letters", f"holdfast webhook dead-letters {webhook}")
    shell.show("webhook redeliver", f"holdfast webhook redeliver {webhook}")
    shell.show("webhook remove", f"holdfast webhook remove {webhook}")
    shell.show("audit", "holdfast audit --limit 4")
    shell.show("certify", "holdfast certify", "holdfast certify --publish > certificate.txt")
    shell.show("secrets", "holdfast secrets > secrets.yaml", "grep '^  name:' secrets.yaml")


def _webhook(shell: Examples) -> dict[str, Any]:
    """Return the one that there is."""
    (known,) = json.loads(shell.quietly("holdfast webhook list -o json"))["webhooks"]
    found: dict[str, Any] = known
    return found


def _planning(shell: Examples) -> None:
    shell.head("Plan")
    shell.show("capacity", "holdfast capacity --rate 1000 | head -n 12")


def _choosing(shell: Examples) -> None:
    shell.head("Choose the server")
    shell.show("whoami", "holdfast whoami")
    shell.show("context show", "holdfast context show")
    shell.show(
        "context add",
        "holdfast context add prod https://holdfast.example --token-stdin < prod.token",
        "holdfast context add staging https://staging.holdfast.example --no-token",
    )
    shell.show("context use", "holdfast context use staging")
    shell.show("context list", "holdfast context list")
    shell.show("context remove", "holdfast context remove staging")


if __name__ == "__main__":
    main()
