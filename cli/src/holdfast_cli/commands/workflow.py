"""``holdfast workflow``, or ``holdfast wf``: everything about runs."""

from __future__ import annotations

import typer

from holdfast_cli.commands import looking, raising, starting, steering, watching

app = typer.Typer(
    help="Runs of workflows: start, look at, steer. Short: `wf`.", no_args_is_help=True
)
app.command("run")(starting.run)
app.command("get")(looking.get)
app.command("list")(looking.list_runs)
app.command("history")(looking.history)
app.command("timeline")(looking.timeline)
app.command("why")(looking.why)
app.command("watch")(watching.watch)
app.command("events")(looking.events)
app.command("raise-event")(raising.raise_event)
app.command("suspend")(steering.suspend)
app.command("resume")(steering.resume)
app.command("cancel")(steering.cancel)
app.command("terminate")(steering.terminate)
app.command("repair")(steering.repair)
app.command("rerun")(starting.rerun)
app.command("purge")(steering.purge)
app.command("catalogue")(looking.catalogue)
