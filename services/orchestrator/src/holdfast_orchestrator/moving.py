"""How long the sidecar lets calls go on when actors move, which their app has to tell it.

The workers of an app come or go, and the places of its actors change. Until its calls to them have
ended a sidecar takes no new place, and calls to that app stand still. It gives them two seconds,
then it cancels them. A call that waits for an app that was killed can only be cancelled, and waits
for all of that time: it is half of what a killed worker costs.

A sidecar takes another time only from an app that has actors of its own (Dapr 1.18.2,
``pkg/actors/actors.go``, ``RegisterHosted``; the settings: Dapr docs, "Actor runtime configuration
parameters"). So the app names a type of which no actor is ever made.
"""

from __future__ import annotations

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

#: A cancelled call is made again by the engine, as after any fault; one that could have ended is
#: made twice then. So it is no shorter than most turns and steps take.
DRAIN_MILLISECONDS = 500


def blueprint(app_id: str) -> Blueprint:
    """Tell the app's sidecar, which asks once as it starts, how long to wait for calls."""
    moving = Blueprint("moving", __name__)

    @moving.get("/dapr/config")
    def config() -> ResponseReturnValue:
        return jsonify(
            entities=[f"{app_id}.none"], drainOngoingCallTimeout=f"{DRAIN_MILLISECONDS}ms"
        )

    return moving
