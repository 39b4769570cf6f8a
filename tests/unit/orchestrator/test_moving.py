from __future__ import annotations

from flask import Flask

from holdfast_orchestrator import moving


def test_the_sidecar_is_told_how_long_calls_may_go_on_and_of_a_type_that_makes_it_listen() -> None:
    app = Flask(__name__)
    app.register_blueprint(moving.blueprint("orchestrator"))

    told = app.test_client().get("/dapr/config").get_json()

    assert told == {"entities": ["orchestrator.none"], "drainOngoingCallTimeout": "500ms"}
