from __future__ import annotations

from flask import Flask

from holdfast_servicekit import problems
from holdfast_servicekit.problems import Problem


def app() -> Flask:
    app = Flask(__name__)
    problems.register(app)

    @app.get("/teapot")
    def teapot() -> str:
        raise Problem(418, "I'm a teapot", "short and stout", headers={"Retry-After": "5"}, spout=1)

    @app.get("/broken")
    def broken() -> str:
        message = "secret detail"
        raise RuntimeError(message)

    return app


def test_a_problem_is_rfc_9457_with_its_extensions_and_headers() -> None:
    answer = app().test_client().get("/teapot")
    assert answer.status_code == 418
    assert answer.content_type == "application/problem+json"
    assert answer.headers["Retry-After"] == "5"
    assert answer.get_json() == {
        "type": "about:blank",
        "title": "I'm a teapot",
        "status": 418,
        "detail": "short and stout",
        "spout": 1,
    }


def test_an_unknown_path_is_a_problem_too() -> None:
    answer = app().test_client().get("/nowhere")
    assert answer.status_code == 404
    assert answer.get_json()["title"] == "Not Found"


def test_a_wrong_method_says_which_are_right() -> None:
    answer = app().test_client().post("/teapot")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


def test_what_nobody_expected_tells_the_caller_nothing_of_the_inside() -> None:
    answer = app().test_client().get("/broken")
    assert answer.status_code == 500
    assert b"secret" not in answer.data
    assert b"Traceback" not in answer.data
