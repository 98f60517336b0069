"""Keys behind a registered address, served by a real server on this machine."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from flask import Flask

from auth import clients, keys
from auth.assertion import verified
from auth.blueprint import blueprint
from auth.development_token import new_key, public_jwks
from auth.keys import FetchError, Keys, cache_time, fetch
from hub.settings import read_settings
from hub.store.engine import Database

EHR = "ehr-riverbend"
SETTINGS = read_settings({"HUB_BASE_URL": "https://hub.example", "HUB_SECRET_KEY": "s" * 32})


class JwksHost:
    """Serves one answer, which a test may change, and counts who asked."""

    def __init__(self) -> None:
        self.status, self.headers, self.body = 200, {"Cache-Control": "max-age=600"}, b"{}"
        self.asked: list[dict[str, str]] = []
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host.asked.append(dict(self.headers))
                self.send_response(host.status)
                for name, value in host.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(host.body)

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.netloc = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.netloc}/jwks.json"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def serve(self, *private_keys: dict[str, Any]) -> None:
        self.body = json.dumps(public_jwks(*private_keys)).encode()


@pytest.fixture
def host(rsa_key: dict[str, Any]) -> Iterator[JwksHost]:
    found = JwksHost()
    found.serve(rsa_key)
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def by_url(host: JwksHost) -> clients.Client:
    return clients.Client(EHR, "Demo", "ehr", "system/Patient.rs", jwks_url=host.url)


@pytest.fixture
def fetching(host: JwksHost) -> Keys:
    return Keys((host.netloc,))


def test_a_token_is_issued_to_a_client_that_publishes_its_keys(
    registered: Database, clock: Any, forge: Any, host: JwksHost
) -> None:
    with registered.write() as connection:
        clients.rotate(connection, EHR, jwks_url=host.url, jwks_hosts=(host.netloc,))
    app = Flask("test")
    app.register_blueprint(blueprint(registered, SETTINGS, clock, (host.netloc,)))
    web = app.test_client()
    own_jku = forge.assertion(header={"jku": host.url})
    assert web.post("/auth/token", data=forge.form(own_jku)).status_code == 200
    assert web.post("/auth/token", data=forge.form()).status_code == 200
    assert len(host.asked) == 1
    for near in (
        host.url + "?",
        host.url.replace("http:", "https:"),
        f"http://{host.netloc}@evil.example/jwks.json",
    ):
        other = forge.assertion(header={"jku": near})
        assert web.post("/auth/token", data=forge.form(other)).status_code == 401
    assert len(host.asked) == 1


def test_no_address_is_asked_for_a_client_that_is_disabled_or_registered_by_value(
    registered: Database, forge: Any, host: JwksHost, web: Any
) -> None:
    with registered.write() as connection:
        clients.rotate(connection, "plan-asleep", jwks_url=host.url, jwks_hosts=(host.netloc,))
    asleep = forge.assertion(iss="plan-asleep", sub="plan-asleep")
    assert web.post("/auth/token", data=forge.form(asleep)).status_code == 401
    named = forge.assertion(header={"jku": host.url})
    assert web.post("/auth/token", data=forge.form(named)).status_code == 401
    assert host.asked == []


def test_a_set_is_kept_as_long_as_max_age_and_not_longer(
    fetching: Keys, by_url: clients.Client, rsa_key: dict[str, Any], host: JwksHost, clock: Any
) -> None:
    for seconds, asked in ((0, 1), (599, 1), (1, 2)):
        clock.move(seconds)
        assert fetching.key(by_url, rsa_key["kid"], clock()) is not None
        assert len(host.asked) == asked


def test_a_key_that_is_withdrawn_is_gone_with_the_cache_even_when_the_host_is_down(
    fetching: Keys, by_url: clients.Client, rsa_key: dict[str, Any], host: JwksHost, clock: Any
) -> None:
    assert fetching.key(by_url, rsa_key["kid"], clock()) is not None
    host.status = 500
    clock.move(600)
    assert fetching.key(by_url, rsa_key["kid"], clock()) is None


def test_a_host_that_is_down_is_asked_every_10_seconds_at_most(
    fetching: Keys, by_url: clients.Client, rsa_key: dict[str, Any], host: JwksHost, clock: Any
) -> None:
    host.status = 500
    for seconds, asked in ((0, 1), (9, 1), (1, 2)):
        clock.move(seconds)
        assert fetching.key(by_url, rsa_key["kid"], clock()) is None
        assert len(host.asked) == asked
    host.status = 200
    clock.move(10)
    assert fetching.key(by_url, rsa_key["kid"], clock()) is not None


def test_a_kid_the_set_does_not_hold_is_asked_for_once_a_minute(
    fetching: Keys, by_url: clients.Client, rsa_key: dict[str, Any], host: JwksHost, clock: Any
) -> None:
    fetching.key(by_url, rsa_key["kid"], clock())
    for seconds, asked in ((0, 2), (0, 2), (59, 2), (1, 3)):
        clock.move(seconds)
        assert fetching.key(by_url, "unknown", clock()) is None
        assert len(host.asked) == asked


def test_a_new_key_is_found_before_the_cache_ends(
    fetching: Keys,
    by_url: clients.Client,
    rsa_key: dict[str, Any],
    ec_key: dict[str, Any],
    host: JwksHost,
    clock: Any,
) -> None:
    fetching.key(by_url, rsa_key["kid"], clock())
    host.serve(rsa_key, ec_key)
    assert fetching.key(by_url, ec_key["kid"], clock()) is not None


def test_a_fault_while_asking_for_an_unknown_kid_leaves_the_known_keys(
    fetching: Keys, by_url: clients.Client, rsa_key: dict[str, Any], host: JwksHost, clock: Any
) -> None:
    fetching.key(by_url, rsa_key["kid"], clock())
    host.status = 500
    assert fetching.key(by_url, "unknown", clock()) is None
    assert fetching.key(by_url, rsa_key["kid"], clock()) is not None
    assert len(host.asked) == 2


def test_one_fetch_serves_all_who_wait(
    fetching: Keys, by_url: clients.Client, rsa_key: dict[str, Any], host: JwksHost, clock: Any
) -> None:
    found: list[object] = []
    waiting = [
        threading.Thread(target=lambda: found.append(fetching.key(by_url, rsa_key["kid"], clock())))
        for _ in range(8)
    ]
    for thread in waiting:
        thread.start()
    for thread in waiting:
        thread.join()
    assert len([key for key in found if key]) == 8
    assert len(host.asked) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"Cache-Control": "max-age=60"}, 60),
        ({"Cache-Control": 'public, Max-Age="60"'}, 60),
        ({"Cache-Control": "max-age=60, no-store"}, 0),
        ({"Cache-Control": "no-cache, max-age=60"}, 0),
        ({"Cache-Control": "s-maxage=60"}, 0),
        ({"Cache-Control": "max-age=60", "Age": "50"}, 10),
        ({"Cache-Control": "max-age=60", "Age": "70"}, 0),
        ({"Cache-Control": "max-age=60", "Age": "x"}, 0),
        ({"Cache-Control": "max-age=-1"}, 0),
        ({"Cache-Control": "max-age=999999999"}, 3600),
    ],
)
def test_the_time_in_the_cache_is_what_the_answer_allows(headers: dict[str, str], seconds: int) -> None:
    assert cache_time(headers) == timedelta(seconds=seconds)


def test_keys_for_other_uses_are_left_aside_in_a_published_set(rsa_key: dict[str, Any], host: JwksHost) -> None:
    right = public_jwks(rsa_key)["keys"][0]
    host.body = json.dumps(
        {"keys": [{**right, "kid": "enc", "use": "enc"}, right, {"kty": "OKP", "kid": "ed"}]}
    ).encode()
    assert [jwk["kid"] for jwk in fetch(host.url, (host.netloc,))[0]["keys"]] == [right["kid"]]


def wrong_answers(rsa_key: dict[str, Any]) -> dict[str, tuple[str, int, dict[str, str], bytes]]:
    right = json.dumps(public_jwks(rsa_key)).encode()
    return {
        "a redirect": ("status-302", 302, {"Location": "http://127.0.0.1:9/"}, right),
        "not found": ("status-404", 404, {}, right),
        "over 64 KB": ("too-long", 200, {}, right + b" " * 65_536),
        "no JSON": ("not-a-jwks", 200, {}, b"<html>"),
        "no keys": ("not-a-jwks", 200, {}, b'{"keys": []}'),
        "a private key": ("not-a-jwks", 200, {}, json.dumps({"keys": [rsa_key]}).encode()),
        "a private key among right ones": (
            "not-a-jwks",
            200,
            {},
            json.dumps({"keys": [*public_jwks(rsa_key)["keys"], new_key("ES384")]}).encode(),
        ),
        "two keys of one kid": ("not-a-jwks", 200, {}, json.dumps(public_jwks(rsa_key, rsa_key)).encode()),
        "gzip though nobody asked": ("not-a-jwks", 200, {"Content-Encoding": "gzip"}, b"\x1f\x8b\x08"),
    }


def test_an_answer_that_is_no_jwk_set_is_refused(host: JwksHost, rsa_key: dict[str, Any]) -> None:
    for what, (reason, host.status, host.headers, host.body) in wrong_answers(rsa_key).items():
        with pytest.raises(FetchError) as raised:
            fetch(host.url, (host.netloc,))
        assert str(raised.value) == reason, what


def test_an_address_that_is_not_allowed_is_not_asked(host: JwksHost) -> None:
    with pytest.raises(FetchError, match="address"):
        fetch(host.url)
    assert host.asked == []


def test_no_credential_goes_along(host: JwksHost, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password CANARY\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    fetch(host.url, (host.netloc,))
    assert "Authorization" not in host.asked[0]


def test_a_host_that_drips_is_left(host: JwksHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "TIMEOUT_SECONDS", 0)
    monkeypatch.setattr(keys, "_get", lambda url: (keys._body(Dripping()), {}))
    with pytest.raises(FetchError, match="too-slow"):
        fetch(host.url, (host.netloc,))


class Dripping:
    """An answer that sends a byte at a time and never ends."""

    @property
    def raw(self) -> "Dripping":
        return self

    def read1(self, _size: int) -> bytes:
        return b" "


def test_a_missing_key_is_an_error_and_never_the_key_in_the_header(forge: Any) -> None:
    with pytest.raises(TypeError):
        verified(forge.assertion(), None)  # type: ignore[arg-type]


def test_new_keys_have_different_kids() -> None:
    assert new_key("ES384")["kid"] != new_key("ES384")["kid"]
