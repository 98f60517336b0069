"""Attacks that were tried on the authorization server and went through once: each is refused now."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection, func, select

from auth import apps_pages, clients, known_tokens, passwords, scopes, sign_in, sign_in_pages, tokens, users
from auth.assertion import Proof
from auth.exchange import Exchange, Lives
from auth.guard import Guard
from auth.id_token import Issuer
from auth.signing_keys import SigningKeys
from hub.clock import micros
from hub.clock import now as real
from hub.problems import Problem
from hub.rest import peers
from hub.store import tables
from hub.store.engine import Database
from tests.auth import apps as of_apps
from tests.auth import browsing
from tests.auth.apps import PUBLIC, SYMMETRIC, Apps
from tests.auth.browsing import Browser, address, emptied, have, have_user, patient, site, told
from tests.auth.conftest import BASE, EHR, SECRET_KEY, Forge, HandClock
from tests.auth.test_registration import Registrar

NUL = "a\0b"  # PostgreSQL holds no such text
WATCHER = "watcher"


@pytest.fixture
def apps(registered: Database, web: FlaskClient, clock: HandClock, rsa_key: dict[str, Any]) -> Apps:
    found = Apps(registered, web, clock, rsa_key)
    found.register()
    secret = {"secret_hash": of_apps.hashed_secret(), "resource_server": True}
    found.register_more(of_apps.app_client(WATCHER, "confidential-symmetric", **secret))
    return found


@pytest.fixture
def registrar(registered: Database, clock: HandClock, forge: Forge, tmp_path: Any) -> Registrar:
    return Registrar(registered, clock, forge, tmp_path)


@pytest.fixture
def people(database: Database) -> Iterator[Database]:
    emptied(database)
    have_user(database)
    with database.write() as connection:
        clients.add(connection, browsing.app_client(), real())
    yield database
    emptied(database)


@pytest.fixture
def browser(people: Database, clock: HandClock) -> Browser:
    return Browser(site(people, clock))


# --- what is under way while access ends -------------------------------------------------------------------------


def meanwhile(database: Database, first: Callable[[Connection], Any], change: Callable[[Connection], Any]) -> Any:
    """What `first` gave, in a transaction that is still open when `change` comes, and ends before it."""
    other = threading.Thread(target=lambda: database.writing(change))
    with database.write() as connection:
        found = first(connection)
        other.start()
        other.join(0.3)
    other.join()
    return found


def by_person(apps: Apps, _: dict[str, Any]) -> Callable[[Connection], Any]:
    return lambda c: apps_pages.revoke(c, apps.user, PUBLIC, micros(apps.clock()))


def by_thief_found_out(_: Apps, answer: dict[str, Any]) -> Callable[[Connection], Any]:
    def end(connection: Connection) -> None:
        known = known_tokens.find(connection, answer["refresh_token"])
        assert known
        tokens.end_family(connection, known.row.family)

    return end


def by_operator(apps: Apps, _: dict[str, Any]) -> Callable[[Connection], Any]:
    def off_and_on(connection: Connection) -> None:
        users.set_active(connection, "robin", False, apps.clock())
        users.set_active(connection, "robin", True, apps.clock())

    return off_and_on


def by_register(_: Apps, __: dict[str, Any]) -> Callable[[Connection], Any]:
    def off_and_on(connection: Connection) -> None:
        clients.disable(connection, PUBLIC)
        clients.enable(connection, PUBLIC)

    return off_and_on


@pytest.mark.parametrize("end", [by_person, by_thief_found_out, by_operator, by_register])
def test_an_app_that_refreshes_all_the_time_does_not_outlive_the_end_of_its_access(
    apps: Apps, registered: Database, guard: Guard, clock: HandClock, end: Any
) -> None:
    exchange = Exchange(Issuer(BASE, f"{BASE}/fhir"), Lives(3600, 86400))
    signer = SigningKeys(registered, SECRET_KEY.encode(), clock).signer()
    answer = apps.tokens()
    with registered.read() as connection:
        client = clients.find(connection, PUBLIC)
    assert client
    form = {"refresh_token": answer["refresh_token"], "scope": ""}
    newest = meanwhile(
        registered,
        lambda c: exchange.of_refresh(c, Proof(client, "", 0), form, signer, clock()),
        end(apps, answer),
    )
    assert apps.refresh(newest["refresh_token"]).status_code == 400
    with pytest.raises(Problem) as refused:
        guard.access_of({"HTTP_AUTHORIZATION": f"Bearer {newest['access_token']}"})
    assert refused.value.status == 401


def test_a_token_got_with_old_keys_is_gone_with_them_also_when_both_come_at_once(
    registered: Database, clock: HandClock
) -> None:
    with registered.read() as connection:
        client = clients.find(connection, EHR)
    assert client
    assert client.jwks
    token = {"scope": "system/Patient.rs", "access_token": tokens.new_token(), "expires_in": 300}

    def issue(connection: Connection) -> bool:
        return tokens.issue(connection, token, Proof(client, "jti", 1), clock())

    def rotate(connection: Connection) -> Any:
        return clients.rotate(connection, EHR, {"keys": client.jwks["keys"][:1]})  # type: ignore[index]

    assert meanwhile(registered, issue, rotate)
    with registered.read() as connection:
        assert connection.execute(select(func.count()).select_from(tables.token)).scalar() == 0
    assert not registered.writing(lambda c: tokens.issue(c, token, Proof(client, "jti-2", 1), clock()))


def test_a_sign_in_with_the_old_password_that_is_under_way_opens_nothing(
    browser: Browser, people: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide = sign_in.decide

    def slow(*words: Any) -> Any:
        found = decide(*words)
        another = passwords.hashed("another long password", "robin", 12)
        people.writing(lambda c: users.set_password(c, "robin", another, real()))
        return found

    monkeypatch.setattr(sign_in_pages, "decide", slow)
    assert browser.sign_in(browser.get("/auth/sign-in")).status_code == 403
    assert browser.get("/auth/apps").status_code == 303


def test_who_is_linked_to_somebody_else_is_signed_out(browser: Browser, people: Database) -> None:
    browser.sign_in(browser.get("/auth/sign-in"))
    assert browser.get("/auth/apps").status_code == 200
    people.writing(lambda c: users.link(c, "robin", "https://op.example", "robin-there", real()))
    assert browser.get("/auth/apps").status_code == 303


# --- what a database cannot hold ---------------------------------------------------------------------------------


def test_a_login_with_nul_is_nobody(browser: Browser) -> None:
    assert browser.sign_in(browser.get("/auth/sign-in"), "robin\0").status_code == 403


def test_the_access_of_an_app_with_nul_is_ended_already(browser: Browser) -> None:
    browser.sign_in(browser.get("/auth/sign-in"))
    found = re.search(r'name="form_token" value="([^"]+)"', browser.get("/auth/apps").text)
    assert found
    assert browser.post("/auth/apps", {"form_token": found[1], "client": NUL}).status_code == 200


@pytest.mark.parametrize("nonce", [NUL, "n" * 2049, "é"])
def test_a_nonce_is_visible_characters(browser: Browser, nonce: str) -> None:
    assert told(browser.get(address(nonce=nonce)))["error"] == "invalid_request"


@pytest.mark.parametrize(("field", "status"), [("search", 200), ("patient", 403)])
def test_a_patient_with_nul_is_nobody(browser: Browser, people: Database, field: str, status: int) -> None:
    have(people, patient("p-1", "Avery", "Demo"))
    page = browser.to(address(scope="launch/patient patient/*.rs"))
    assert browser.send(page, "/auth/patient", having="search", **{field: NUL}).status_code == status


# --- apps that register themselves -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [{"aud": "https://other.example/register"}, {"aud": [f"{BASE}.evil.example"]}, {"aud": 7}, {"jti": NUL}],
)
def test_a_statement_that_is_not_for_here_is_not_trusted(registrar: Registrar, said: dict[str, Any]) -> None:
    before = registrar.count()
    answer = registrar.ask(registrar.statement(**said))
    assert (answer.status_code, registrar.count()) == (400, before)


def test_a_statement_that_is_not_good_yet_is_not_trusted(registrar: Registrar, clock: HandClock) -> None:
    at = int(clock().timestamp())
    assert registrar.ask(registrar.statement(nbf=at + 120)).status_code == 400
    assert registrar.ask(registrar.statement(nbf=at + 30)).status_code == 201


@pytest.mark.parametrize("audience", [BASE, [f"{BASE}/auth/register", "https://other.example"]])
def test_a_statement_for_here_is_trusted_and_told_back(registrar: Registrar, audience: Any) -> None:
    statement = registrar.statement(aud=audience)
    answer = registrar.ask(statement)
    assert answer.status_code == 201, answer.text
    assert answer.get_json()["software_statement"] == statement  # RFC 7591 section 3.2.1


@pytest.mark.parametrize("name", [NUL, "Chart\u202eppA", "Chart\nApp", " ", "\u200b"])
def test_a_name_that_people_cannot_read_is_no_name(registrar: Registrar, name: str) -> None:
    assert registrar.ask(registrar.statement(), client_name=name).status_code == 400


@pytest.mark.parametrize(
    "host", ["app.example;sandbox", "app.example,x", "app.example'", "*.example", "app%2e.example"]
)
def test_an_address_adds_nothing_to_the_policy_of_a_page(registrar: Registrar, host: str) -> None:
    answer = registrar.ask(registrar.statement(), redirect_uris=[f"https://{host}/back"])
    assert answer.get_json()["error"] == "invalid_redirect_uri"


# --- introspection -----------------------------------------------------------------------------------------------


def test_a_refresh_token_is_no_token_to_a_resource_server(apps: Apps) -> None:
    answer = apps.tokens()
    for name, active in (("access_token", True), ("refresh_token", False)):
        found = apps.ask(SYMMETRIC, told_by(WATCHER, answer[name]), "/auth/introspect").get_json()
        assert found["active"] is active, name


def test_a_resource_server_is_told_of_the_certificate_a_token_is_bound_to(
    apps: Apps, registered: Database, web: FlaskClient, clock: HandClock
) -> None:
    token, grant = tokens.new_token(), tokens.Grant(SYMMETRIC, "user/Task.rs", apps.user, certificate="c" * 43)
    registered.writing(lambda c: tokens.store(c, token, grant, clock(), 300))
    found = apps.ask(SYMMETRIC, told_by(WATCHER, token), "/auth/introspect").get_json()
    assert found["cnf"] == {"x5t#S256": "c" * 43}
    answer = web.post("/auth/introspect", data={"token": token}, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401  # stolen: nobody showed the certificate


def test_a_persons_token_at_a_resource_server_tells_of_its_own_only(apps: Apps, web: FlaskClient) -> None:
    bearer = apps.tokens(WATCHER)["access_token"]
    for token, active in ((apps.tokens()["access_token"], False), (bearer, True)):
        answer = web.post("/auth/introspect", data={"token": token}, headers={"Authorization": f"Bearer {bearer}"})
        assert answer.get_json()["active"] is active


def test_a_public_client_is_no_resource_server(apps: Apps) -> None:
    with pytest.raises(clients.ClientError, match="confidential"):
        apps.register_more(of_apps.app_client("app-watching", "public", resource_server=True))


def told_by(client: str, token: str) -> dict[str, str | None]:
    return {"client_id": client, "client_secret": of_apps.SECRET, "token": token}


# --- the rest ----------------------------------------------------------------------------------------------------


def test_a_stranger_does_not_fill_the_memory_with_forwarded_addresses() -> None:
    for number in range(3):
        environ = {"REMOTE_ADDR": "198.51.100.7", "HTTP_X_FORWARDED_FOR": f"{number}" * 40_000}
        assert peers.Peers().of(environ) == "198.51.100.7"
    kept: list[int] = []
    peers._behind.cache_clear()
    original = peers._behind
    try:
        peers._behind = lambda *words: kept.append(max(map(len, words[1:]))) or ""  # type: ignore[assignment, func-returns-value]
        peers.Peers().of({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "9," * 20_000 + "x" * 40_000})
    finally:
        peers._behind = original
    assert kept[0] <= 17 * 65


def test_hundreds_of_granular_scopes_cost_little() -> None:
    asked = scopes.parse(" ".join(f"user/Task.r?code={number}" for number in range(380)))
    began = time.process_time()
    assert scopes.covers(asked, scopes.granted(asked, scopes.parse("user/*.rs")))
    assert time.process_time() - began < 0.3


def test_the_costs_of_a_password_are_what_owasp_wants_at_least() -> None:
    """https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#argon2id"""
    assert (passwords.COSTS.time_cost, passwords.COSTS.parallelism) == (2, 1)
    assert passwords.COSTS.memory_cost >= 19 * 1024
