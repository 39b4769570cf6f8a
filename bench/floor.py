"""What no engine of this shape can go below, on this disk: a sync, and one each of what it does.

One activity costs the engine 4 etcd commits, 2 store transactions, 4 calls and 2 hops on a stream.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import grpc
import psycopg

from bench.ground import Ground

_ROUNDS = 200
ETCD_COMMITS, STORE_TRANSACTIONS, CALLS, STREAM_HOPS = 4, 2, 4, 2


def measure(ground: Ground) -> dict[str, float]:
    """Return each part's median in ms, and the floor of an activity that they make.

    The stack has to be up: it is its etcd, its database and its sidecar that are asked.
    """
    parts = {
        "floor_fsync_ms": _fsync(ground.stack.folder.postgres.resolve()),
        "floor_etcd_put_ms": _etcd_put(ground.stack.ports["scheduler-etcd-client"]),
        "floor_store_commit_ms": _store_commit(ground),
        "floor_grpc_echo_ms": _grpc_echo(ground.stack.ports["orchestrator-sidecar-grpc"]),
    }
    return {**parts, "floor_activity_ms": of_an_activity(parts)}


def of_an_activity(parts: dict[str, float]) -> float:
    """Return the floor of one activity; a hop on an open stream is half of an echo."""
    return (
        ETCD_COMMITS * parts["floor_etcd_put_ms"]
        + STORE_TRANSACTIONS * parts["floor_store_commit_ms"]
        + (CALLS + STREAM_HOPS / 2) * parts["floor_grpc_echo_ms"]
    )


def _median_ms(act: Callable[[], object]) -> float:
    act()
    taken = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        act()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def _fsync(folder: Path) -> float:
    path = folder / "fsync.bench"
    file = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:

        def append() -> None:
            os.write(file, bytes(512))
            os.fdatasync(file)

        return _median_ms(append)
    finally:
        os.close(file)
        path.unlink()


def _etcd_put(port: int) -> float:
    # PutRequest of etcd's rpc.proto: field 1 is the key, field 2 the value, both bytes.
    key, value = b"holdfast-bench", bytes(256)
    request = b"\x0a" + bytes([len(key)]) + key + b"\x12\x80\x02" + value
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        put = channel.unary_unary("/etcdserverpb.KV/Put")
        return _median_ms(lambda: put(request, timeout=10))


def _store_commit(ground: Ground) -> float:
    with psycopg.connect(ground.conninfo("postgres"), autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS floor (id int PRIMARY KEY, value bytea)")
        try:
            return _median_ms(
                lambda: connection.execute(
                    "INSERT INTO floor VALUES (1, %s) "
                    "ON CONFLICT (id) DO UPDATE SET value = excluded.value",
                    [bytes(256)],
                )
            )
        finally:
            connection.execute("DROP TABLE floor")


def _grpc_echo(port: int) -> float:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        hello = channel.unary_unary("/TaskHubSidecarService/Hello")
        return _median_ms(lambda: hello(b"", timeout=10))
