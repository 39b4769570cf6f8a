"""A host of actors that takes part in placement's rounds, and can leave one of them unfinished.

It speaks placement's protocol (Dapr 1.18, ``dapr/proto/placement/v1/placement.proto``): placement
sends each host of a namespace ``lock``, then ``update`` with the new tables, then ``unlock``, and
goes on to the next only when every host has answered.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from tests.support.waiting import eventually

_METHOD = "/dapr.proto.placement.v1.Placement/ReportDaprStatus"
_PACKAGE = "holdfast.test.placement"
_REPORT = 1
_OPERATIONS = {"lock": 2, "update": 3, "unlock": 4}
_Field = descriptor_pb2.FieldDescriptorProto


def _messages() -> tuple[Any, Any]:
    """Return the fields of ``Host`` and ``PlacementOrder`` that are needed here, as messages."""
    file = descriptor_pb2.FileDescriptorProto(name="slow_host.proto", package=_PACKAGE)
    host = file.message_type.add(name="Host")
    for number, name, kind, label in (
        (1, "name", _Field.TYPE_STRING, _Field.LABEL_OPTIONAL),
        (4, "entities", _Field.TYPE_STRING, _Field.LABEL_REPEATED),
        (5, "id", _Field.TYPE_STRING, _Field.LABEL_OPTIONAL),
        (8, "namespace", _Field.TYPE_STRING, _Field.LABEL_OPTIONAL),
        (9, "operation", _Field.TYPE_INT32, _Field.LABEL_OPTIONAL),
        (10, "version", _Field.TYPE_UINT64, _Field.LABEL_OPTIONAL),
    ):
        host.field.add(number=number, name=name, type=kind, label=label)
    order = file.message_type.add(name="PlacementOrder")
    order.field.add(
        number=2, name="operation", type=_Field.TYPE_STRING, label=_Field.LABEL_OPTIONAL
    )
    order.field.add(number=3, name="version", type=_Field.TYPE_UINT64, label=_Field.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = (
        pool.FindMessageTypeByName(f"{_PACKAGE}.{name}") for name in ("Host", "PlacementOrder")
    )
    host_class, order_class = (message_factory.GetMessageClass(each) for each in found)
    return host_class, order_class


_HOST, _ORDER = _messages()


class SlowHost:
    """A host that answers what placement sends, until it is told to keep its next ``update``."""

    def __init__(self, address: str, namespace: str) -> None:
        self._namespace = namespace
        self._sending: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._keeping = threading.Event()
        #: How many rounds were complete for this host.
        self.rounds = 0
        #: Set when every other host has new tables, and waits for the end of the round.
        self.kept = threading.Event()
        self._channel = grpc.insecure_channel(address)
        self._reader = threading.Thread(target=self._read, name="slow-host", daemon=True)

    def start(self) -> None:
        """Join, as the host of a type of its own."""
        self._send(_REPORT, None)
        self._reader.start()

    def keep_the_next_update(self) -> None:
        """Leave the next round unfinished."""
        self._keeping.set()

    def stop(self) -> None:
        """Leave."""
        self._channel.close()
        self._reader.join(timeout=10)

    def _send(self, operation: int, version: int | None) -> None:
        host = _HOST(
            name="127.0.0.1:1",
            id="slow-host",
            namespace=self._namespace,
            operation=operation,
            entities=["slow"] if operation == _REPORT else [],
        )
        if version is not None:
            host.version = version
        self._sending.put(host)

    def _read(self) -> None:
        call = self._channel.stream_stream(
            _METHOD,
            request_serializer=_HOST.SerializeToString,
            response_deserializer=_ORDER.FromString,
        )
        try:
            for order in call(iter(self._sending.get, None)):
                if order.operation == "update" and self._keeping.is_set():
                    self.kept.set()
                    continue
                self._send(_OPERATIONS[order.operation], order.version)
                self.rounds += order.operation == "unlock"
        except grpc.RpcError:
            return  # placement ended, or this host


@contextmanager
def slow_host(address: str, namespace: str) -> Iterator[SlowHost]:
    """Give a host that has joined and taken part in a round."""
    host = SlowHost(address, namespace)
    host.start()
    try:
        eventually("placement takes the host in", lambda: host.rounds, seconds=30)
        yield host
    finally:
        host.stop()
