"""SEC-13: nothing that hides a second request in the first is read as two, by the web server as it runs."""

from collections.abc import Iterator

import pytest

from tests.flows.hub_process import HubProcess, running
from tests.flows.test_bad_http_over_sockets import request, talk

HIDDEN = request("GET", "/fhir/metadata")
CHUNKED = b"0\r\n\r\n" + HIDDEN
POST = ("POST", "/fhir/Patient")

SMUGGLED: dict[str, bytes] = {
    "CL and TE": request(*POST, "Content-Length: 5", "Transfer-Encoding: chunked", body=CHUNKED),
    "TE and CL": request(*POST, "Transfer-Encoding: chunked", "Content-Length: 5", body=CHUNKED),
    "two TE": request(*POST, "Transfer-Encoding: chunked", "Transfer-Encoding: identity", body=CHUNKED),
    "xchunked": request(*POST, "Transfer-Encoding: xchunked", "Content-Length: 5", body=CHUNKED),
    "a space before the colon": request(*POST, "Transfer-Encoding : chunked", "Content-Length: 5", body=CHUNKED),
    "a folded header": request(*POST, "Content-Length: 5", "Transfer-Encoding:\r\n chunked", body=CHUNKED),
    "two lengths": request(*POST, "Content-Length: 0", f"Content-Length: {len(HIDDEN)}", body=HIDDEN),
    "a list of lengths": request(*POST, f"Content-Length: 0, {len(HIDDEN)}", body=HIDDEN),
    "a signed length": request(*POST, f"Content-Length: +{len(HIDDEN)}", body=HIDDEN),
    "a bare LF in a chunk's size": request(*POST, "Transfer-Encoding: chunked", body=b"0\n\n" + HIDDEN),
    "a chunk of a negative size": request(*POST, "Transfer-Encoding: chunked", body=b"-1\r\n\r\n" + HIDDEN),
    "a huge chunk": request(*POST, "Transfer-Encoding: chunked", body=b"f" * 17 + b"\r\n\r\n" + HIDDEN),
    "a NUL in a header": request(*POST, "Content-Length: 5", "X-A: b\0c", body=CHUNKED),
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with running(tmp_path_factory.mktemp("smuggling"), HUB_WEB_THREADS="2") as found:
        yield found


@pytest.mark.parametrize("sent", SMUGGLED.values(), ids=SMUGGLED)
def test_no_second_request_is_seen(hub: HubProcess, sent: bytes) -> None:
    answer, ended = talk(hub, sent)
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert b"CapabilityStatement" not in answer
    assert ended
    assert not answer or answer.startswith((b"HTTP/1.1 40", b"HTTP/1.1 501"))
