"""Who is refused before the body is read (hub.rest.lingering): a proxy hears the answer, a stranger who stalls is
not waited for, and nobody else waits."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests

from tests.flows.hub_process import HubProcess, running

SIZE = 8 << 20  # more than the sockets between them hold
THREADS = 4
BROUGHT = "X-Forwarded-For: 198.51.100.7"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with running(tmp_path_factory.mktemp("lingering"), HUB_WEB_THREADS=str(THREADS)) as found:
        yield found


def head(hub: HubProcess, *more: str, method: str = "POST", length: str = f"Content-Length: {SIZE}") -> bytes:
    lines = (f"{method} /fhir/Patient HTTP/1.1", f"Host: 127.0.0.1:{hub.http_port}", "Connection: close", length)
    return "\r\n".join((*lines, *more, "Content-Type: application/fhir+json", "", "")).encode()


def answer(wire: socket.socket) -> bytes:
    found = b""
    while part := wire.recv(65536):
        found += part
    return found


def connect(hub: HubProcess) -> socket.socket:
    return socket.create_connection(("127.0.0.1", hub.http_port), timeout=10)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_all_that_a_proxy_sends_is_taken_and_then_the_answer_comes(hub: HubProcess, method: str) -> None:
    with connect(hub) as wire:
        wire.sendall(head(hub, BROUGHT, method=method))
        for _ in range(SIZE >> 16):
            wire.sendall(b" " * (1 << 16))
            time.sleep(0.001)  # a reset on its way is seen by the next piece
        assert answer(wire).startswith(b"HTTP/1.1 401 ")


def test_so_is_what_comes_in_chunks(hub: HubProcess) -> None:
    with connect(hub) as wire:
        wire.sendall(head(hub, BROUGHT, length="Transfer-Encoding: chunked"))
        for _ in range(SIZE >> 16):
            wire.sendall(b"10000\r\n" + b" " * (1 << 16) + b"\r\n")
            time.sleep(0.001)
        wire.sendall(b"0\r\n\r\n")
        assert answer(wire).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("more", [(), (BROUGHT, "Expect: 100-continue")], ids=["a stranger", "who waits"])
def test_who_sends_nothing_is_answered_at_once(hub: HubProcess, more: tuple[str, ...]) -> None:
    with connect(hub) as wire:
        wire.sendall(head(hub, *more))
        assert answer(wire).startswith(b"HTTP/1.1 401 ")


def test_others_are_answered_while_many_of_a_proxy_stall(hub: HubProcess) -> None:
    """Half of the threads wait for bodies that do not come, and the rest answers."""
    with ExitStack() as all_of_them:
        for _ in range(3 * THREADS):
            all_of_them.enter_context(connect(hub)).sendall(head(hub, BROUGHT))
        assert requests.get(f"{hub.base}/fhir/metadata", timeout=30).status_code == 200
