from __future__ import annotations

import threading

from holdfast_status_api.turns import Turns
from tests.support.waiting import eventually


def test_no_more_are_worked_on_at_once_than_there_are_turns_and_who_waits_takes_none() -> None:
    turns = Turns(1)
    inside: list[str] = []
    go_on, held = threading.Event(), threading.Event()

    def app(environ: dict[str, str], _start_response: object) -> list[bytes]:
        inside.append(environ["who"])
        if environ["who"] == "first":
            go_on.wait(10)
            with turns.aside():
                held.wait(10)
        return []

    bounded = turns.bound(app)
    clients = [
        threading.Thread(target=bounded, args=({"who": who}, None)) for who in ("first", "second")
    ]
    clients[0].start()
    eventually("the first has the turn", lambda: inside == ["first"])
    clients[1].start()
    clients[1].join(0.2)
    assert inside == ["first"]
    go_on.set()
    eventually("the second has it while the first waits", lambda: inside == ["first", "second"])
    clients[1].join(10)
    held.set()
    clients[0].join(10)
    assert not any(client.is_alive() for client in clients)
