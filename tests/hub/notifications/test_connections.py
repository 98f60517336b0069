"""POSTs to strangers: pinned addresses, no redirects, bounded time and answers (W02, W05, SEC-30, R11)."""

import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hub.notifications.connections import Refused, Route, Unreachable, post
from tests.hub.notifications.conftest import Receiver


def call(receiver: Receiver, seconds: float = 2, **headers: str) -> int:
    return post(receiver.url, b"{}", headers, seconds, Route((receiver.host,)))


def named(receiver: Receiver, name: str = "receiver.test") -> tuple[str, str]:
    """(URL, entry of the list) of the receiver under a name."""
    return f"http://{name}:{receiver.server_port}/hook", f"{name}:{receiver.server_port}"


@pytest.mark.parametrize("status", [200, 202, 204, 400, 410, 500])
def test_the_status_is_handed_back(receiver: Receiver, status: int) -> None:
    receiver.status = status
    assert call(receiver) == status


def test_only_the_given_headers_are_sent(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert call(receiver, **{"X-A": "b", "Content-Type": "application/fhir+json"}) == 200
    (got,) = receiver.received
    assert got.path == "/hook"
    assert got.headers.pop("host") == receiver.host
    assert got.headers == {
        "accept-encoding": "identity",
        "connection": "close",
        "content-length": "2",
        "content-type": "application/fhir+json",
        "user-agent": "CalAIM-FHIR-Hub",
        "x-a": "b",
    }


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    def redirect(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Location", f"http://{receiver.host}/inside")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    receiver.answer = redirect
    assert call(receiver) == status
    assert [got.path for got in receiver.received] == ["/hook"]


def test_an_endpoint_that_is_not_fit_is_refused_before_any_name_is_looked_up() -> None:
    asked: list[str] = []
    route = Route((), lambda host, port: asked.append(host) or [])  # type: ignore[func-returns-value]
    with pytest.raises(Refused):
        post("http://127.0.0.1/", b"", {}, 1, route)
    assert asked == []


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"], ["::1"], ["::ffff:127.0.0.1"], ["8.8.8.8", "127.0.0.1"]],
)
def test_a_name_that_leads_inside_is_refused_and_not_called(receiver: Receiver, addresses: list[str]) -> None:
    url = f"https://receiver.example.org:{receiver.server_port}/hook"
    with pytest.raises(Refused, match="not public"):
        post(url, b"{}", {}, 1, Route((), lambda host, port: addresses))
    assert receiver.received == []


def test_a_name_is_looked_up_once_and_the_connection_goes_to_what_was_checked(receiver: Receiver) -> None:
    """Rebinding: the second answer leads elsewhere, and nobody asks for it."""
    url, entry = named(receiver)
    answers = iter([["127.0.0.1"], ["127.0.0.9"]])
    looked: list[tuple[str, int]] = []

    def lookup(host: str, port: int) -> list[str]:
        looked.append((host, port))
        return next(answers)

    assert post(url, b"{}", {}, 2, Route((entry,), lookup)) == 200
    assert looked == [("receiver.test", receiver.server_port)]
    assert receiver.received[0].headers["host"] == entry


def test_a_name_that_rebinds_between_two_sends_is_refused_at_the_second(receiver: Receiver) -> None:
    url = f"https://receiver.example.org:{receiver.server_port}/hook"
    answers = iter([["192.0.2.1"], ["127.0.0.1"]])
    route = Route((), lambda host, port: next(answers))
    for _ in range(2):
        with pytest.raises(Refused):
            post(url, b"{}", {}, 1, route)
    assert receiver.received == []


def test_the_next_address_is_tried_where_one_does_not_answer(receiver: Receiver) -> None:
    url, entry = named(receiver)
    with socket.socket() as taken:  # bound and not listening: refuses connections on 127.0.0.9
        taken.bind(("127.0.0.9", receiver.server_port))
        assert post(url, b"{}", {}, 2, Route((entry,), lambda *_: ["127.0.0.9", "127.0.0.1"])) == 200


@pytest.mark.parametrize("lookup", [lambda *_: [], lambda *_: ["127.0.0.9"]])
def test_no_address_and_no_answer_are_unreachable(receiver: Receiver, lookup: object) -> None:
    url, entry = named(receiver)
    with pytest.raises(Unreachable, match="ConnectionError"):
        post(url, b"{}", {}, 1, Route((entry,), lookup))  # type: ignore[arg-type]


def test_a_name_nobody_knows_is_unreachable() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror("no such name")

    with pytest.raises(Unreachable):
        post("https://receiver.example.org/", b"", {}, 1, Route((), unknown))


def _trickle(handler: BaseHTTPRequestHandler, start: bytes) -> None:
    try:
        handler.wfile.write(start)
        for _ in range(100):
            handler.wfile.write(b"a")
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        pass


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nX-A: "])
def test_a_receiver_that_trickles_its_answer_is_cut_off_in_time(receiver: Receiver, start: bytes) -> None:
    receiver.answer = lambda handler: _trickle(handler, start)
    began = time.monotonic()
    with pytest.raises(Unreachable):
        call(receiver, seconds=0.3)
    assert time.monotonic() - began < 1


def test_a_body_that_trickles_behind_its_status_is_cut_off_and_the_status_counts(receiver: Receiver) -> None:
    receiver.answer = lambda handler: _trickle(handler, b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
    began = time.monotonic()
    assert call(receiver, seconds=0.3) == 200
    assert time.monotonic() - began < 1


def test_a_receiver_that_says_nothing_is_left_in_time(receiver: Receiver) -> None:
    receiver.answer = lambda handler: time.sleep(1)
    began = time.monotonic()
    with pytest.raises(Unreachable):
        call(receiver, seconds=0.3)
    assert time.monotonic() - began < 0.9


def test_an_endless_answer_is_read_for_64_kb_at_most(receiver: Receiver) -> None:
    written = threading.Event()
    sent = 0

    def endless(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        try:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
            while True:
                handler.wfile.write(b"a" * 65536)
                sent += 65536
        except OSError:
            written.set()

    receiver.answer = endless
    assert call(receiver, seconds=5) == 200
    assert written.wait(2)
    assert sent < 16 * 1024 * 1024


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A key and a self-signed certificate for receiver.test, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("receiver.test")]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path = tmp_path / "receiver.pem"
    path.write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()) + made.public_bytes(pem))
    return path


@pytest.fixture
def tls(receiver: Receiver, certificate: Path) -> Receiver:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    receiver.socket = context.wrap_socket(receiver.socket, server_side=True)
    return receiver


def over_tls(receiver: Receiver, name: str, verify: str | bool) -> int:
    entry = f"{name}:{receiver.server_port}"
    return post(f"https://{entry}/hook", b"{}", {}, 2, Route((entry,), lambda *_: ["127.0.0.1"], verify))


def test_a_certificate_is_checked_against_the_name_not_the_address(tls: Receiver, certificate: Path) -> None:
    assert over_tls(tls, "receiver.test", str(certificate)) == 200
    with pytest.raises(Unreachable, match="SSLError"):
        over_tls(tls, "other.test", str(certificate))


def test_a_certificate_of_an_unknown_authority_is_refused(tls: Receiver) -> None:
    with pytest.raises(Unreachable, match="SSLError"):
        over_tls(tls, "receiver.test", True)
    assert tls.received == []


def test_a_tls_handshake_that_stalls_is_left_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        entry = f"127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(Unreachable):
            post(f"https://{entry}/", b"{}", {}, 0.3, Route((entry,)))
        assert time.monotonic() - began < 0.9
