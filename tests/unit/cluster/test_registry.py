"""Whether images are pulled is found out; a proxy that forbids the way is no registry."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from holdfast_cluster.errors import ClusterError
from holdfast_cluster.registry import Images, choose, is_registry

NOWHERE = "http://127.0.0.1:9"  # nobody listens at the port of `discard`


class Answers(BaseHTTPRequestHandler):
    """Answers a path by what the server was told."""

    def do_GET(self) -> None:
        status, header = self.server.answer  # type: ignore[attr-defined]
        self.send_response(status)
        if header:
            self.send_header(header, "x")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def url(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}"


@pytest.mark.parametrize(
    ("status", "header", "expected"),
    [
        (200, "Docker-Distribution-Api-Version", True),
        (401, "WWW-Authenticate", True),
        (403, "", False),
        (200, "", False),
        (502, "Docker-Distribution-Api-Version", False),
    ],
)
def test_registry_is_known_by_its_answer(
    server: ThreadingHTTPServer, status: int, header: str, *, expected: bool
) -> None:
    server.answer = (status, header)  # type: ignore[attr-defined]

    assert is_registry(url(server)) is expected


def test_nobody_is_no_registry() -> None:
    assert not is_registry(NOWHERE)


def test_images_are_built_where_any_of_the_registries_is_silent(
    server: ThreadingHTTPServer,
) -> None:
    server.answer = (401, "WWW-Authenticate")  # type: ignore[attr-defined]

    assert choose(Images.AUTO, "", [url(server)]).pulled
    choice = choose(Images.AUTO, "", [url(server), NOWHERE])
    assert not choice.pulled
    assert choice.reason == f"no answer from {NOWHERE}"


def test_mirror_that_answers_is_used_and_one_that_does_not_is_an_error(
    server: ThreadingHTTPServer,
) -> None:
    server.answer = (200, "Docker-Distribution-Api-Version")  # type: ignore[attr-defined]
    mirror = f"127.0.0.1:{server.server_port}"

    assert choose(Images.AUTO, mirror, [NOWHERE]).mirror == mirror
    with pytest.raises(ClusterError, match="REGISTRY=…, or say IMAGES=built"):
        choose(Images.AUTO, "127.0.0.1:9")
    with pytest.raises(ClusterError, match="No image registry answers"):
        choose(Images.PULLED, "", [NOWHERE])


def test_wish_to_build_asks_nobody() -> None:
    assert not choose(Images.BUILT, "", ["http://nobody.invalid"]).pulled
