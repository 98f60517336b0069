"""Signing in at another OpenID Provider: a small real one on a socket, and one that lies in every way it can."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from auth import clients, users
from auth.oidc import Begun, OidcError, Provider
from hub.clock import now as real
from hub.store.engine import Database
from tests.auth.browsing import BASE, Browser, Page, address, app_client, emptied, have_user, site, told
from tests.auth.conftest import HandClock, b64

CALLBACK = f"{BASE}/auth/oidc/callback"
CLIENT, SECRET = "hub at op", "s/e:cret"
SUBJECT = "248289761001"


@dataclass
class OpenIdProvider:
    """Honest unless a test changes something. `claims`, `document`, `answer` are laid over what it says."""

    issuer: str
    key: Any
    algorithm: str = "RS256"
    claims: dict[str, Any] = field(default_factory=dict)
    document: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, Any] = field(default_factory=dict)
    token: str | None = None
    signs_with: Any = None
    status: int = 200
    redirect: str = ""
    asked: list[str] = field(default_factory=list)
    requests: dict[str, dict[str, str]] = field(default_factory=dict)
    seconds: float = 0

    def configuration(self) -> dict[str, Any]:
        places = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
        return {"issuer": self.issuer, **{k: f"{self.issuer}/{v}" for k, v in places.items()}, **self.document}

    def sign_in(self, where: str, **changes: str) -> str:
        """Somebody signs in there; the query that their browser brings back."""
        given = {name: values[0] for name, values in parse_qs(urlsplit(where).query).items()}
        assert where.startswith(f"{self.issuer}/authorize?")
        assert (given["response_type"], given["client_id"], given["redirect_uri"]) == ("code", CLIENT, CALLBACK)
        assert given["code_challenge_method"] == "S256"
        self.requests["code-1"] = given
        return urlencode({"code": "code-1", "state": given["state"], "iss": self.issuer, **changes})

    def id_token(self, given: dict[str, str]) -> str:
        at = int(self.seconds or real().timestamp())
        claims = {"iss": self.issuer, "sub": SUBJECT, "aud": CLIENT, "exp": at + 300, "iat": at}
        claims |= {"nonce": given["nonce"], **self.claims}
        claims = {name: value for name, value in claims.items() if value is not None}
        key = self.signs_with or self.key
        header = {"alg": self.algorithm, "kid": self.key.kid}
        if self.algorithm == "HS256":  # libraries refuse to forge this
            signed = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
            return f"{signed}.{b64(hmac.digest(key.as_pem(private=False), signed.encode(), hashlib.sha256))}"
        return str(jwt.encode(header, claims, key, algorithms=[self.algorithm]))

    def exchanged(self, form: dict[str, str], authorization: str) -> dict[str, Any]:
        given = self.requests.pop(form.get("code", ""), None)
        login = f"{_quoted(CLIENT)}:{_quoted(SECRET)}"
        assert base64.b64decode(authorization.removeprefix("Basic ")).decode() == login
        if given is None:
            self.status = 400
            return {"error": "invalid_grant"}
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == given["code_challenge"]
        assert form["redirect_uri"] == CALLBACK
        return {"id_token": self.token or self.id_token(given), "token_type": "Bearer", **self.answer}


def _quoted(text: str) -> str:
    return text.replace(" ", "%20").replace("/", "%2F").replace(":", "%3A")


KEY = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)
OTHER = RSAKey.generate_key(2048, auto_kid=True)


@pytest.fixture
def op() -> Iterator[OpenIdProvider]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            said = found.configuration() if "openid" in self.path else {"keys": [found.key.as_dict(private=False)]}
            self._say(said)

        def do_POST(self) -> None:
            found.asked.append(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._say(found.exchanged(form, self.headers.get("Authorization", "")))

        def _say(self, said: dict[str, Any]) -> None:
            body = json.dumps(said).encode()
            self.send_response(302 if found.redirect else found.status)
            if found.redirect:
                self.send_header("Location", found.redirect)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = OpenIdProvider(f"http://127.0.0.1:{server.server_address[1]}", KEY)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def people(database: Database, op: OpenIdProvider) -> Iterator[Database]:
    emptied(database)
    have_user(database)
    with database.write() as connection:
        clients.add(connection, app_client(), real())
        users.link(connection, "robin", op.issuer, SUBJECT, real())
    yield database
    emptied(database)


def browser_at(people: Database, op: OpenIdProvider, clock: HandClock, **more: str) -> Browser:
    chosen = {"HUB_OIDC_ISSUER": op.issuer, "HUB_OIDC_CLIENT_ID": CLIENT, "HUB_OIDC_CLIENT_SECRET": SECRET, **more}
    return Browser(site(people, clock, ("127.0.0.1",), **chosen))


@pytest.fixture
def browser(people: Database, op: OpenIdProvider, clock: HandClock) -> Browser:
    return browser_at(people, op, clock)


def away(browser: Browser, path: str = "/auth/sign-in") -> str:
    """Where the other service's link leads."""
    page = browser.send(browser.get(path), "/auth/oidc/start")
    assert page.status_code == 200, page.text
    (link,) = Page(page.text).links
    return link


def back(browser: Browser, query: str) -> Any:
    return browser.get(f"/auth/oidc/callback?{query}")


def is_in(browser: Browser) -> bool:
    return browser.get("/auth/apps").status_code == 200


def test_who_is_linked_signs_in_and_goes_on_to_the_app(browser: Browser, op: OpenIdProvider) -> None:
    answer = back(browser, op.sign_in(away(browser, address())))
    page = browser.follow(answer)
    assert "Allow" in page.text
    assert "Robin Demo" in page.text
    assert "code" in told(browser.allow(page))


def test_an_elliptic_key_is_as_good(browser: Browser, op: OpenIdProvider) -> None:
    op.key, op.algorithm = ECKey.generate_key("P-256", auto_kid=True), "ES256"
    assert back(browser, op.sign_in(away(browser))).status_code == 303
    assert is_in(browser)


def test_keys_that_changed_are_fetched_again(people: Database, op: OpenIdProvider, clock: HandClock) -> None:
    browser = browser_at(people, op, clock)
    back(browser, op.sign_in(away(browser)))
    op.key = RSAKey.generate_key(2048, auto_kid=True)
    clock.move(120)
    op.seconds = clock().timestamp()
    other = Browser(browser.web.application)
    assert back(other, op.sign_in(away(other))).status_code == 303
    assert op.asked.count("/jwks") == 2
    assert sum("openid" in path for path in op.asked) == 1


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "somebody else"},
        {"aud": "another-client"},
        {"aud": None},
        {"aud": []},
        {"aud": [CLIENT, "another-client"]},  # without azp
        {"aud": [CLIENT, "another-client"], "azp": "another-client"},
        {"azp": "another-client"},
        {"exp": None},
        {"exp": 1},
        {"exp": "tomorrow"},
        {"iat": None},
        {"iat": 4102444800},
        {"nonce": None},
        {"nonce": "another"},
        {"nonce": "é"},
    ],
)
def test_an_id_token_that_is_not_for_this_sign_in_gives_nobody(
    browser: Browser, op: OpenIdProvider, claims: dict[str, Any]
) -> None:
    op.claims = claims
    answer = back(browser, op.sign_in(away(browser)))
    assert answer.status_code == 403
    assert not is_in(browser)


@pytest.mark.parametrize(
    "change",
    [
        {"signs_with": OTHER},
        {"algorithm": "HS256"},  # SEC-02
        {"token": f"{b64(json.dumps({'alg': 'none'}).encode())}.e30."},
        {"token": "not.a.token"},
        {"answer": {"id_token": None}},
        {"answer": {"id_token": {"sub": SUBJECT}}},
        {"document": {"issuer": "https://evil.example"}},
        {"document": {"token_endpoint": "https://user@evil.example/"}},
        {"document": {"jwks_uri": "http://evil.example/jwks"}},
        {"document": {"jwks_uri": "file:///etc/passwd"}},
        {"document": {"authorization_endpoint": "javascript:alert(1)"}},
        {"status": 500},
        {"redirect": "http://127.0.0.1:1/"},
    ],
)
def test_a_provider_that_lies_or_fails_gives_nobody(
    people: Database, op: OpenIdProvider, clock: HandClock, change: dict[str, Any]
) -> None:
    browser = browser_at(people, op, clock)
    where = away(browser)
    for name, value in change.items():
        setattr(op, name, value)
    late = {"document", "status", "redirect"} & set(change)
    if late:
        clock.move(3700)  # what it said before is not asked again sooner
        page = browser.send(browser.get("/auth/sign-in"), "/auth/oidc/start")
        assert page.status_code == 403
    else:
        assert back(browser, op.sign_in(where)).status_code == 403
    assert not is_in(browser)


@pytest.mark.parametrize(
    "changes",
    [{"state": "another"}, {"state": ""}, {"iss": "https://evil.example"}, {"code": "code-2"}],
)
def test_an_answer_to_another_question_gives_nobody(
    browser: Browser, op: OpenIdProvider, changes: dict[str, str]
) -> None:
    assert back(browser, op.sign_in(away(browser), **changes)).status_code == 403
    assert not is_in(browser)


def test_an_answer_counts_at_the_browser_that_asked_and_once(
    browser: Browser, people: Database, op: OpenIdProvider, clock: HandClock
) -> None:
    """Else somebody could be signed in to another's account without noticing."""
    query = op.sign_in(away(browser))
    stranger = Browser(browser.web.application)
    assert back(stranger, query).status_code == 403
    assert back(browser, query).status_code == 303
    assert back(browser, query).status_code == 403


def test_an_answer_that_takes_too_long_gives_nobody(browser: Browser, op: OpenIdProvider, clock: HandClock) -> None:
    query = op.sign_in(away(browser))
    clock.move(601)
    assert back(browser, query).status_code == 403
    assert not is_in(browser)


def test_a_refusal_there_is_a_refusal_here(browser: Browser, op: OpenIdProvider) -> None:
    where = away(browser, address())
    state = parse_qs(urlsplit(where).query)["state"][0]
    answer = back(browser, urlencode({"error": "access_denied", "state": state}))
    assert answer.status_code == 403
    assert "Sign in" in answer.text


def test_who_is_not_linked_is_nobody_whatever_else_is_claimed(
    browser: Browser, people: Database, op: OpenIdProvider
) -> None:
    with people.write() as connection:
        users.link(connection, "robin", op.issuer, "", real())
    op.claims = {"email": "robin", "email_verified": True, "preferred_username": "robin", "name": "Robin Demo"}
    assert back(browser, op.sign_in(away(browser))).status_code == 403
    assert not is_in(browser)


def test_a_disabled_account_does_not_get_in_this_way(
    browser: Browser, people: Database, op: OpenIdProvider
) -> None:
    with people.write() as connection:
        users.set_active(connection, "robin", False, real())
    assert back(browser, op.sign_in(away(browser))).status_code == 403
    assert not is_in(browser)


@pytest.mark.parametrize(("amr", "ok"), [(None, False), (["pwd"], False), ("mfa", False), (["pwd", "mfa"], True)])
def test_a_role_that_needs_a_second_factor_needs_it_there(
    people: Database, op: OpenIdProvider, clock: HandClock, amr: Any, ok: bool
) -> None:
    browser = browser_at(people, op, clock, HUB_MFA_ROLES="custodian")
    op.claims = {"amr": amr}
    back(browser, op.sign_in(away(browser)))
    assert is_in(browser) is ok


def test_without_a_provider_there_is_no_such_way(people: Database, clock: HandClock) -> None:
    browser = Browser(site(people, clock))
    page = browser.get("/auth/sign-in")
    assert "/auth/oidc/start" not in page.text
    assert back(browser, "code=x&state=y").status_code == 403
    data = {"form_token": dict(Page(page.text).form("/auth/sign-in").fields)["form_token"], "request": ""}
    assert browser.post("/auth/oidc/start", data).status_code == 403


def test_leaving_for_the_other_service_needs_the_forms_token(browser: Browser) -> None:
    page = browser.get("/auth/sign-in")
    assert browser.send(page, "/auth/oidc/start", form_token="0" * 64).status_code == 403


def test_what_is_kept_meanwhile_is_sealed_and_not_for_scripts(browser: Browser) -> None:
    answer = browser.send(browser.get(address()), "/auth/oidc/start")
    (kept,) = (c for c in answer.headers.getlist("Set-Cookie") if c.startswith("__Host-hub-elsewhere="))
    assert {part.strip() for part in kept.split(";")[1:]} >= {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"}
    assert "nonce" not in kept
    assert "chart-app" not in kept


@pytest.mark.parametrize(
    "issuer", ["http://op.example", "https://user@op.example", "https://op.example/#x", "op.example", "file:///x"]
)
def test_an_issuer_is_an_https_address(issuer: str) -> None:
    with pytest.raises(OidcError):
        Provider(issuer, CLIENT, SECRET, CALLBACK)


def test_an_answer_without_end_is_not_read_to_its_end(op: OpenIdProvider) -> None:
    provider = Provider(op.issuer, CLIENT, SECRET, CALLBACK, ("127.0.0.1",))
    op.document = {"padding": "x" * 400_000}
    with pytest.raises(OidcError):
        provider.authorize_url(Begun.new(), real())
