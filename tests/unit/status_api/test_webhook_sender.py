from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime
from typing import Any

import pytest

from holdfast_status_api.webhooks.addresses import AddressRules
from holdfast_status_api.webhooks.messages import Message
from holdfast_status_api.webhooks.sender import Sender
from tests.support.http_server import running_site


def message(url: str) -> Message:
    return Message(
        webhook_id="hook",
        event_id="run.completed",
        url=url,
        secret="secret",
        type="dev.holdfast.run.completed",
        instance_id="run",
        seq=1,
        data={},
        occurred_at=datetime(2026, 1, 2, tzinfo=UTC),
        attempt=1,
    )


def sender(*, loopback: bool) -> Sender:
    return Sender("status-api", AddressRules(loopback=loopback), 5, ssl.create_default_context())


def answering(*addresses: str) -> Any:
    """Return a resolver that gives another address each time it is asked."""
    left = list(addresses)

    def resolve(_host: str, port: int, **_options: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (left.pop(0), port))]

    return resolve


def test_the_connection_goes_to_the_address_that_was_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", answering("127.0.0.1", "169.254.169.254"))
    with running_site() as site:
        sent = message(f"http://rebinding.example:{site.port}/hook")
        assert sender(loopback=True).send(sent) is None
        (request,) = site.requests
        assert request.headers["host"] == f"rebinding.example:{site.port}"
        # And the next delivery looks again, and finds what nobody may reach.
        assert sender(loopback=True).send(sent) == (
            "refused: rebinding.example is 169.254.169.254, a link-local address"
        )
        assert len(site.requests) == 1


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with running_site() as site, running_site() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert sender(loopback=True).send(message(site.url)) is None
        assert (len(site.requests), len(proxy.requests)) == (1, 0)


def test_a_receiver_that_is_away_is_a_reason_and_no_error() -> None:
    with running_site() as site:
        url = site.url
    why = sender(loopback=True).send(message(url))
    assert why is not None
    assert why.startswith("ConnectError")
