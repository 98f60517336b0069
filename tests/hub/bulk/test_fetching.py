"""A file of an import is fetched from a listed host, whole, without detours; or not at all."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from hub.bulk.fetching import CannotFetch, Fetching

BODY = b'{"resourceType":"Patient","id":"ann"}\n'
ASKED: list[str] = []


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            ASKED.append(self.path)
            status, length = {"/fine": (200, 0), "/short": (200, 5), "/moved": (302, 0)}.get(self.path, (404, 0))
            self.send_response(status)
            self.send_header("Content-Length", str(len(BODY) + length))
            if status == 302:
                self.send_header("Location", "/fine")
            self.end_headers()
            self.wfile.write(BODY)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def fetched(fetch: Fetching, url: str) -> bytes:
    return b"".join(fetch(url))


def test_a_file_of_a_listed_host_is_fetched(host: str) -> None:
    assert fetched(Fetching((host,), 1000), f"http://{host}/fine") == BODY


@pytest.mark.parametrize("path", ["/short", "/moved", "/missing"])
def test_what_is_not_whole_or_elsewhere_is_not(host: str, path: str) -> None:
    ASKED.clear()
    with pytest.raises(CannotFetch):
        fetched(Fetching((host,), 1000), f"http://{host}{path}")
    assert [path] == ASKED


def test_a_file_past_the_limit_is_not(host: str) -> None:
    with pytest.raises(CannotFetch, match="more than"):
        fetched(Fetching((host,), len(BODY) - 1), f"http://{host}/fine")


def test_a_host_that_is_not_listed_is_not_asked(host: str) -> None:
    ASKED.clear()
    with pytest.raises(CannotFetch, match="none of those"):
        fetched(Fetching((), 1000), f"http://{host}/fine")
    assert ASKED == []
