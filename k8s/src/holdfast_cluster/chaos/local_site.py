"""A stack of this machine as the chaos suite enters it: the same suite, with fewer faults."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx

from holdfast_chaos import database
from holdfast_chaos.jobs import serving_jobs
from holdfast_chaos.scheduler import etcd_bytes, scheduler_jobs
from holdfast_chaos.site import Site
from holdfast_chaos.targets import Target
from holdfast_chaos.world import Bounds
from holdfast_local.demo_plan import read_legs
from holdfast_local.folders import repository
from holdfast_local.go_build import read_pin
from holdfast_local.stack import Stack
from holdfast_local.witnesses import engine_of, etcd_url, target_of

STACK = "chaos-local"
_API_SECONDS = 10.0


@contextmanager
def local_site(name: str = STACK) -> Iterator[Site]:
    """Start a stack of its own for the suite, and take it down again."""
    stack = Stack(name)
    with ExitStack() as opened:
        stack.delete()
        opened.callback(stack.down)
        stack.up()
        target = target_of(stack)
        yield Site(
            target=target,
            database_url=stack.database_url,
            api=opened.enter_context(
                httpx.Client(
                    base_url=stack.api_url,
                    auth=stack.auth(),
                    timeout=_API_SECONDS,
                    trust_env=False,
                )
            ),
            engine=opened.enter_context(engine_of(stack)),
            jobs=opened.enter_context(serving_jobs()),
            scheduler_jobs=lambda: scheduler_jobs(etcd_url(stack)),
            sample=read_legs(repository() / "samples" / "legs.csv"),
            sizes=lambda: _sizes(stack),
            bounds=Bounds(),
            about={"Dapr": read_pin(repository()).version},
            put_back=lambda: _thaw(stack, target),
            lasts=False,
        )


def _thaw(stack: Stack, target: Target) -> None:
    """Let every process go on; what was killed has its supervisor."""
    for component in target.components():
        stack.signal_group(component, signal.SIGCONT)


def _sizes(stack: Stack) -> dict[str, float]:
    memory = {f"memory {info.name}": float(info.pss_bytes) for info in stack.status()}
    return {
        **memory,
        **database.sizes(stack.database_url),
        "scheduler's etcd": etcd_bytes(etcd_url(stack)),
    }
