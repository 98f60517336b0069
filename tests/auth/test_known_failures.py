"""How the tokens of other servers failed, tried here: what needs more than a row of a table (T06, T18, T25)."""

import io
import re
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import make_url

from auth import assertion as assertions
from auth import clients
from auth.blueprint import blueprint
from auth.guard import Guard
from hub.problems import Problem
from hub.store.engine import Database
from tests.auth.conftest import EHR, SETTINGS, TOKEN_URL, Forge, HandClock, b64, node
from tests.hub.asking import app_of


@pytest.mark.parametrize("size", [16_385, 1 << 20, 1 << 26])
def test_t18_a_large_assertion_is_refused_before_it_is_decoded_sec_04(
    web: FlaskClient, forge: Forge, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    decoded: list[str] = []
    decode = assertions._decoded
    monkeypatch.setattr(assertions, "_decoded", lambda part: decoded.append(part) or decode(part))
    assert web.post("/auth/token", data=forge.form()).status_code == 200
    assert decoded
    decoded.clear()
    answer = web.post("/auth/token", data=forge.form(f"{'x' * size}.y.z"))
    assert answer.status_code == (401 if size < 32_000 else 413)
    assert decoded == []


class Endless(io.RawIOBase):
    """A form with a long assertion, which is made while it is read: what grows is the hub's memory."""

    def __init__(self, start: str, size: int):
        self.start, self.left = start.encode(), size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        given, self.start = self.start[: len(buffer)], self.start[len(buffer) :]
        if not given:
            given = b"x" * min(self.left, len(buffer))
            self.left -= len(given)
        buffer[: len(given)] = given
        return len(given)


def memory(line: str) -> int:
    """VmRSS or VmHWM of this process, in bytes."""
    (found,) = re.findall(rf"^{line}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found) * 1024


@pytest.mark.parametrize("size", [16_385, 1 << 20, 1 << 26])
@pytest.mark.parametrize("told", [True, False])
def test_a_large_assertion_takes_no_memory_and_no_time_sec_04(
    app: Flask, forge: Forge, size: int, told: bool
) -> None:
    web = app.test_client()
    start = urlencode(forge.form("") | {"client_assertion": ""})
    assert web.post("/auth/token", data=forge.form("a.b.c")).status_code == 401
    length: dict[str, Any] = {"CONTENT_LENGTH": str(len(start) + size)}
    environ = {"wsgi.input": Endless(start, size), "CONTENT_TYPE": "application/x-www-form-urlencoded"}
    environ |= length if told else {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
    before, began = memory("VmRSS"), time.perf_counter()
    answer = web.post("/auth/token", environ_overrides=environ)
    assert answer.status_code in ((413,) if told and size > 32_000 else (401, 413)), answer.text
    assert time.perf_counter() - began < 0.5
    assert memory("VmHWM") - before < 20 * 1024 * 1024


def test_a_header_of_10000_members_is_refused_in_no_time_sec_04(web: FlaskClient, forge: Forge) -> None:
    header = b64(b"{" + b",".join(b'"h%d":1' % number for number in range(10_000)) + b"}")
    began = time.perf_counter()
    answer = web.post("/auth/token", data=forge.form(f"{header}.{b64(b'{}')}.x"))
    assert answer.status_code in (401, 413)
    assert time.perf_counter() - began < 0.5


def test_an_assertion_does_not_work_again_after_a_restart_sec_06(
    registered: Database, auth_url: str, clock: HandClock, forge: Forge
) -> None:
    form = forge.form()
    assert node(registered, clock).test_client().post("/auth/token", data=form).status_code == 200
    restarted = Database(auth_url)
    again = node(restarted, clock).test_client().post("/auth/token", data=form)
    restarted.close()
    assert (again.status_code, again.get_json()["error"]) == (401, "invalid_client")


def test_a_token_outlives_a_restart_and_ends_on_every_node_sec_12(
    token: str, auth_url: str, clock: HandClock, registered: Database
) -> None:
    other = Database(auth_url)
    guards = [Guard(database, clock) for database in (registered, other)]
    environ = {"HTTP_AUTHORIZATION": f"Bearer {token}"}
    assert {guard.access_of(environ).who for guard in guards} == {EHR}
    with registered.write() as connection:
        clients.disable(connection, EHR)
    clock.move(10)
    for guard in guards:
        with pytest.raises(Problem) as raised:
            guard.access_of(environ)
        assert raised.value.status == 401
    other.close()


ADDRESSES = (
    "http://127.0.0.1:{port}/jwks",
    "http://169.254.169.254/latest/meta-data/",
    "file:///etc/passwd",
    "https://ehr.example@127.0.0.1:{port}/jwks",
    "https://ehr.example.evil.example/jwks",
    "https://ehr.example/jwks/../../other",
)


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("member", ["jku", "x5u"])
def test_no_socket_is_opened_for_an_address_in_an_assertion_sec_07(
    web: FlaskClient, forge: Forge, auth_url: str, monkeypatch: pytest.MonkeyPatch, address: str, member: str
) -> None:
    opened = []
    connect = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", lambda self, to: opened.append(to) or connect(self, to))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        url = address.format(port=listener.getsockname()[1])
        answer = web.post("/auth/token", data=forge.form(forge.assertion(header={member: url})))
        assert (answer.status_code, answer.get_json()["error"]) == (401, "invalid_client")
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert not [to for to in opened if isinstance(to, tuple) and to[1] != database_port(auth_url)]


def database_port(url: str) -> int | None:
    """The database is reached over a socket, and nobody else."""
    return make_url(url).port


def test_a_token_for_another_audience_is_none_of_ours_sec_10(guard: Guard, forge: Forge) -> None:
    for claims in ({"aud": "https://other.example/fhir"}, {"aud": TOKEN_URL}, {"typ": "at+jwt"}):
        with pytest.raises(Problem) as raised:
            guard.access_of({"HTTP_AUTHORIZATION": f"Bearer {forge.assertion(**claims)}"})
        assert 'error="invalid_token"' in raised.value.headers["WWW-Authenticate"]


def test_a_public_answer_allows_an_origin_once_where_origins_are_listed(registered: Database) -> None:
    app = app_of(registered, origins=("https://app.example",))
    app.register_blueprint(blueprint(registered, SETTINGS))
    for path, allowed in (("/.well-known/smart-configuration", "*"), ("/fhir/Patient", "https://app.example")):
        answer = app.test_client().get(path, headers={"Origin": "https://app.example"})
        assert answer.headers.getlist("Access-Control-Allow-Origin") == [allowed], path
