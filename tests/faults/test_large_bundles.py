"""R24: Bundles without end. They are refused at once, and cost no memory."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from auth.development_token import new_key
from hub.store.engine import Database
from tests.flows.hub_process import HubProcess, running
from tests.hub.asking import FHIR_JSON, register, token_of

MOST = 64_000_000  # bytes of memory that a refusal may cost
LIMIT = 10 * 2**20  # HUB_MAX_BODY_BYTES
GIGABYTE = 1 << 30
PIECE = b"x" * 65_536


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    folder = tmp_path_factory.mktemp("large")
    with running(folder) as found:
        database = Database(f"sqlite:///{folder / 'hub.db'}")
        register(database, new_key("ES384"))
        database.close()
        post(found, bundle(1))  # what is loaded by the first one
        yield found


def memory(hub: HubProcess) -> int:
    """The most that any of its processes has ever had."""
    told = [Path(f"/proc/{pid}/status").read_text() for pid in hub.pids()]
    return sum(int(each.partition("VmHWM:")[2].split()[0]) * 1024 for each in told)


def bundle(entries: int) -> bytes:
    one = '{"resource":{"resourceType":"Basic","code":{"text":"x"}},"request":{"method":"POST","url":"Basic"}}'
    return f'{{"resourceType":"Bundle","type":"transaction","entry":[{",".join([one] * entries)}]}}'.encode()


def post(hub: HubProcess, body: bytes) -> tuple[int, str, float]:
    """Status, the issue's code, and the seconds from the last byte to the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", hub.http_port, timeout=60)
    headers = {"Authorization": f"Bearer {token_of('all')}", "Content-Type": FHIR_JSON}
    connection.request("POST", "/fhir", body, headers)
    sent = time.monotonic()
    answer = connection.getresponse()
    took = time.monotonic() - sent
    said = json.loads(answer.read())
    connection.close()
    return answer.status, said.get("issue", [{}])[0].get("code", ""), took


@pytest.mark.parametrize("entries", [501, 5_000, 100_000])
def test_a_bundle_of_too_many_entries_is_refused(hub: HubProcess, entries: int) -> None:
    before = memory(hub)
    status, code, took = post(hub, bundle(entries))
    assert (status, code) == (413, "too-costly")
    assert took < 5, "100 ms on a machine that does nothing else"
    assert memory(hub) - before < MOST
    print(f"{entries} entries: {took * 1000:.0f} ms, +{(memory(hub) - before) / 1e6:.0f} MB")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_a_gigabyte_is_refused_long_before_its_end(hub: HubProcess, chunked: bool) -> None:
    before = memory(hub)
    wanted = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {GIGABYTE}"
    head = f"POST /fhir HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {token_of('all')}\r\n"
    with socket.create_connection(("127.0.0.1", hub.http_port), 60) as wire:
        wire.sendall(f"{head}Content-Type: {FHIR_JSON}\r\n{wanted}\r\n\r\n".encode())
        sent = _sent(wire, chunked)
        try:
            answer = wire.recv(65_536)
        except ConnectionResetError:
            answer = b""
    assert not answer or b" 413 " in answer[:20], answer[:200]
    assert sent < 100 * LIMIT, "it was read to the end"
    assert memory(hub) - before < MOST
    print(f"{'chunks' if chunked else 'length'}: {sent / 1e6:.0f} MB sent, +{(memory(hub) - before) / 1e6:.0f} MB")
    assert post(hub, bundle(1))[0] == 200


def _sent(wire: socket.socket, chunked: bool) -> int:
    """How much left until the hub answered or hung up."""
    piece = b"10000\r\n" + PIECE + b"\r\n" if chunked else PIECE
    sent = 0
    wire.settimeout(5)
    try:
        while sent < GIGABYTE and not _answered(wire):
            wire.sendall(piece)
            sent += len(PIECE)
    except (ConnectionError, TimeoutError):
        pass
    wire.settimeout(60)
    return sent


def _answered(wire: socket.socket) -> bool:
    wire.setblocking(False)
    try:
        return bool(wire.recv(1, socket.MSG_PEEK)) or True
    except BlockingIOError:
        return False
    finally:
        wire.settimeout(5)


def test_a_body_in_chunks_is_refused_and_not_cut_off(hub: HubProcess) -> None:
    """What stands before the limit would be a resource by itself."""
    body = b'{"resourceType":"Basic","code":{"text":"x"}}'.ljust(LIMIT) + b"and more"
    head = f"POST /fhir/Basic HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {token_of('all')}\r\n"
    with socket.create_connection(("127.0.0.1", hub.http_port), 60) as wire:
        wire.sendall(f"{head}Content-Type: {FHIR_JSON}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        wire.sendall(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        assert b" 413 " in wire.recv(65_536)[:20]
