"""Bad HTTP that only a socket can send: what the running hub answers, by the rows H01 to H20 of the catalogue.

TRACE says where each row is tested. Some answers are the web server's own (no body): there it closes.
Deviations, because granian offers no more: H08, a head that stalls is closed after 30 s without a 408, and a body
that stalls holds its thread until its sender goes away; in both cases nothing is stored. H18, one limit holds for
the URL and the headers together (hub.processes), so a URL of 64 KB is told 431. H07, a body in chunks with a length
beside is read by its chunks (RFC 9112 section 6.3 allows it) and the connection is closed behind the answer.
"""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.hub_process import ROOT, HubProcess, running

HOST = b"Host: hub.example\r\n"
IN_PROCESS = "tests/hub/rest/test_bad_http.py"
HERE = "tests/flows/test_bad_http_over_sockets.py"
# row: where it is tested
TRACE = {
    "H01": IN_PROCESS,
    "H02": IN_PROCESS,
    "H03": IN_PROCESS,
    "H04": IN_PROCESS,
    "H05": HERE,
    "H06": IN_PROCESS,
    "H07": HERE,
    "H08": HERE,
    "H09": IN_PROCESS,
    "H10": HERE,
    "H11": HERE,
    "H12": HERE,
    "H13": HERE,
    "H14": IN_PROCESS,
    "H15": IN_PROCESS,
    "H16": IN_PROCESS,
    "H17": IN_PROCESS,
    "H18": HERE,
    "H19": "not the hub's: it listens on 127.0.0.1 and the proxy before it ends TLS (docs/runbook.md)",
    "H20": "tests/hub/rest/test_idempotency.py",
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with running(tmp_path_factory.mktemp("sockets"), HUB_WEB_THREADS="2") as found:
        yield found


def talk(hub: HubProcess, sent: bytes, seconds: float = 5) -> tuple[bytes, bool]:
    """All that comes back until the hub closes or an answer is complete; and whether it closed."""
    with socket.create_connection(("127.0.0.1", hub.http_port)) as wire:
        wire.settimeout(seconds)
        wire.sendall(sent)
        found = b""
        try:
            while part := wire.recv(65536):
                found += part
                if _complete(found):
                    wire.settimeout(0.3)  # does it close now?
        except TimeoutError:
            return found, False
        except ConnectionResetError:
            return found, True
        return found, True


def _complete(found: bytes) -> bool:
    length = re.search(rb"content-length: (\d+)", found)
    return length is not None and len(found.partition(b"\r\n\r\n")[2]) >= int(length[1])


def request(method: str, target: str, *headers: str, body: bytes = b"") -> bytes:
    lines = "".join(f"{header}\r\n" for header in headers).encode()
    return f"{method} {target} HTTP/1.1\r\n".encode() + HOST + lines + b"\r\n" + body


# row: what is sent, the status, what the answer holds, whether the connection is closed
ROWS: dict[str, tuple[bytes, int, bytes, bool]] = {
    "H05 TRACE": (request("TRACE", "/fhir/Patient/1"), 405, b"allow: DELETE, GET, HEAD", False),
    "H05 an unknown verb": (request("BREW", "/fhir/Patient/1"), 405, b'"not-supported"', False),
    "H05 CONNECT": (request("CONNECT", "hub.example:443"), 404, b'"not-supported"', False),
    "H07 two lengths": (request("POST", "/fhir/Patient", "Content-Length: 3", "Content-Length: 4"), 400, b"", True),
    "H07 no length": (request("POST", "/fhir/Patient", "Content-Length: x"), 400, b"", True),
    "H10 a header line of 64 KB": (request("GET", "/fhir/metadata", f"X-Long: {'a' * 65536}"), 431, b"", True),
    "H11 a token in the URL": (
        request("GET", f"/fhir/Patient?access_token={'x' * 43}", f"Authorization: Bearer {'x' * 43}"),
        400,
        b"invalid_request",
        False,
    ),
    "H12 two Authorization headers": (
        request("GET", "/fhir/Patient", "Authorization: Bearer a", "Authorization: Bearer b"),
        400,
        b"invalid_request",
        False,
    ),
    "H13 out of the tree": (request("GET", "/fhir/Patient/..%2f..%2fetc%2fpasswd"), 400, b'"value"', False),
    "H13 out of the tree, not escaped": (request("GET", "/fhir/../../etc/passwd"), 400, b'"value"', False),
    "H13 NUL": (request("GET", "/fhir/Patient/%00"), 401, b'"login"', False),
    "H13 NUL, not escaped": (request("GET", "/fhir/Patient/\0"), 400, b"", True),
    "H18 a URL of 64 KB": (request("GET", f"/fhir/metadata?{'a' * 65536}"), 431, b"", True),
}


@pytest.mark.parametrize(("sent", "status", "holds", "closed"), ROWS.values(), ids=ROWS)
def test_the_running_hub_answers_bad_http(
    hub: HubProcess, sent: bytes, status: int, holds: bytes, closed: bool
) -> None:
    answer, ended = talk(hub, sent)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer[:300]
    assert holds in answer
    assert ended == closed
    assert b"Traceback" not in answer
    assert b"<html" not in answer.lower()


def test_both_lengths_end_the_connection_so_that_nothing_can_be_smuggled(hub: HubProcess) -> None:
    """H07: what follows the chunked body is not taken for a request."""
    smuggled = request("GET", "/fhir/metadata")
    sent = request(
        "POST", "/fhir/Patient", "Content-Length: 3", "Transfer-Encoding: chunked", body=b"0\r\n\r\n" + smuggled
    )
    answer, ended = talk(hub, sent)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.startswith(b"HTTP/1.1 40")
    assert ended


def test_a_stalled_body_stores_nothing_and_leaves_others_their_answers(hub: HubProcess) -> None:
    """H08"""
    with socket.create_connection(("127.0.0.1", hub.http_port)) as wire:
        wire.sendall(request("POST", "/auth/token", "Content-Length: 100", body=b"a" * 50))
        assert talk(hub, request("GET", "/fhir/metadata"))[0].startswith(b"HTTP/1.1 200")
    assert talk(hub, request("GET", "/fhir/metadata"))[0].startswith(b"HTTP/1.1 200")


def test_head_has_the_headers_of_get_and_no_body(hub: HubProcess) -> None:
    got, headed = (talk(hub, request(method, "/fhir/metadata"))[0] for method in ("GET", "HEAD"))
    length = re.search(rb"content-length: (\d+)", headed)
    assert length
    assert length[0] in got
    assert headed.endswith(b"\r\n\r\n")


def test_every_row_of_the_table_is_traced_to_its_test() -> None:
    assert list(TRACE) == [f"H{number:02}" for number in range(1, 21)]
    for row, place in TRACE.items():
        if place.startswith("tests/"):
            assert row in (Path(ROOT) / place).read_text(), row
