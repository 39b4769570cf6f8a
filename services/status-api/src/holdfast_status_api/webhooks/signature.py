"""Sign what is delivered, so that a receiver knows who sent it and when."""

from __future__ import annotations

import hmac

HEADER = "Holdfast-Signature"


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """Return the header's value: the time, and the HMAC-SHA256 of time, dot and body."""
    digest = hmac.digest(secret.encode(), f"{timestamp}.".encode() + body, "sha256")
    return f"t={timestamp},v1={digest.hex()}"
