"""Put a courier together from the settings."""

from __future__ import annotations

import ssl

from sqlalchemy import Engine

from holdfast_status_api.settings import Settings
from holdfast_status_api.webhooks.addresses import AddressRules
from holdfast_status_api.webhooks.courier import LEASE_MARGIN_SECONDS, Courier
from holdfast_status_api.webhooks.deliveries import Deliveries
from holdfast_status_api.webhooks.sender import Sender


def rules(settings: Settings) -> AddressRules:
    """Return where webhooks may point in this installation."""
    return AddressRules(
        loopback=settings.webhook_allow_loopback, private=settings.webhook_allow_private
    )


def make(settings: Settings, engine: Engine, owner: str) -> Courier:
    """Return the courier of one serving process, not yet started."""
    deliveries = Deliveries(
        engine,
        owner,
        lease_seconds=settings.webhook_timeout_seconds + LEASE_MARGIN_SECONDS,
        attempts=settings.webhook_attempts,
        first_retry_seconds=settings.webhook_first_retry_seconds,
    )
    sender = Sender(
        settings.app_id,
        rules(settings),
        settings.webhook_timeout_seconds,
        ssl.create_default_context(),
    )
    return Courier(deliveries, sender)
