"""Who gets past the guard, and that nobody does when the guard cannot know (RFC 6750)."""

import time
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete, update

from auth import clients
from auth import guard as guards
from auth.guard import Guard
from hub.problems import Problem
from hub.store import tables
from hub.store.engine import Database

EHR = "ehr-riverbend"


def bearer(token: str, query: str = "") -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": f"Bearer {token}", "QUERY_STRING": query}


def refusal(guard: Guard, environ: dict[str, str]) -> Problem:
    with pytest.raises(Problem) as raised:
        guard.access_of(environ)
    return raised.value


def test_a_token_gives_the_clients_access_and_no_more(guard: Guard, token: str) -> None:
    access = guard.access_of(bearer(token))
    assert (access.who, access.role) == (EHR, "ehr")
    assert access.grants == {("Patient", "r"), ("Patient", "s")}
    assert not access.may("update", "Patient")


def test_a_scope_too_small_is_403_insufficient_scope_t26(guard: Guard, token: str) -> None:
    with pytest.raises(Problem) as raised:
        guard.access_of(bearer(token)).require("create", "Patient")
    assert (raised.value.status, raised.value.kind) == (403, "forbidden")
    assert 'error="insufficient_scope"' in raised.value.headers["WWW-Authenticate"]


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
def test_the_scheme_may_be_in_any_case(guard: Guard, token: str, scheme: str) -> None:
    assert guard.access_of({"HTTP_AUTHORIZATION": f"{scheme} {token}"}).who == EHR


@pytest.mark.parametrize("header", [None, "", "Basic ZWhyOng=", "Negotiate x", "DPoP x", "token"])
def test_no_bearer_token_is_401_with_a_challenge_h01(guard: Guard, header: str | None) -> None:
    problem = refusal(guard, {} if header is None else {"HTTP_AUTHORIZATION": header})
    assert (problem.status, problem.kind) == (401, "login")
    assert problem.headers["WWW-Authenticate"] == 'Bearer realm="calaim-fhir-hub"'


@pytest.mark.parametrize("query", ["access_token=x", "a=b&access_token=", "access%5Ftoken=x", "%61ccess_token=x"])
def test_a_token_in_the_url_is_400_with_or_without_a_header_h11(guard: Guard, token: str, query: str) -> None:
    for environ in (bearer(token, query), {"QUERY_STRING": query}):
        problem = refusal(guard, environ)
        assert (problem.status, problem.kind) == (400, "invalid")
        assert 'error="invalid_request"' in problem.headers["WWW-Authenticate"]


@pytest.mark.parametrize("query", ["name=access", "_tag=x%7Caccess_token", "code=access_token"])
def test_a_query_that_only_speaks_of_tokens_passes(guard: Guard, token: str, query: str) -> None:
    assert guard.access_of(bearer(token, query)).who == EHR


def test_two_authorization_headers_are_400_h12(guard: Guard, token: str) -> None:
    for joined in (f"Bearer {token},Bearer {token}", f"Bearer {token}, Basic x", f"Basic x,Bearer {token}"):
        problem = refusal(guard, {"HTTP_AUTHORIZATION": joined})
        assert (problem.status, problem.kind) == (400, "invalid")


def invalid_tokens(token: str, assertion: str) -> dict[str, str]:
    return {
        "unknown": "A" * 43,
        "one character changed": ("B" if token[0] == "A" else "A") + token[1:],
        "shortened": token[:-1],
        "lengthened": token + "A",
        "with a space": f"{token} x",
        "empty": "",
        "client assertion": assertion,
        "64 KB": "A" * 65_536,
        "not ASCII": "é" * 43,
    }


def test_anything_but_our_token_is_401_invalid_token_t25(guard: Guard, token: str, forge: Any) -> None:
    for what, wrong in invalid_tokens(token, forge.assertion()).items():
        problem = refusal(guard, bearer(wrong))
        assert (problem.status, problem.kind) == (401, "login"), what
        assert 'error="invalid_token"' in problem.headers["WWW-Authenticate"], what


@pytest.mark.parametrize("cached", [True, False])
def test_a_token_ends_at_its_expiry_cached_or_not_t25(guard: Guard, token: str, clock: Any, cached: bool) -> None:
    clock.move(299)
    if cached:
        assert guard.access_of(bearer(token)).who == EHR
    clock.move(1)
    assert 'error="invalid_token"' in refusal(guard, bearer(token)).headers["WWW-Authenticate"]


@pytest.mark.parametrize("how", ["disabled", "rotated", "switched off behind our back", "token deleted"])
def test_a_cached_token_is_forgotten_within_10_seconds(
    guard: Guard, token: str, clock: Any, registered: Database, ec_key: dict[str, Any], how: str
) -> None:
    from auth.development_token import public_jwks

    guard.access_of(bearer(token))
    with registered.write() as connection:
        if how == "disabled":
            clients.disable(connection, EHR)
        elif how == "rotated":
            clients.rotate(connection, EHR, public_jwks(ec_key))
        elif how == "token deleted":
            connection.execute(delete(tables.token))
        else:
            connection.execute(update(tables.client).values(active=False))
    clock.move(10)
    assert 'error="invalid_token"' in refusal(guard, bearer(token)).headers["WWW-Authenticate"]


def test_the_cache_saves_the_look_up_for_10_seconds_only(
    guard: Guard, token: str, clock: Any, registered: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookups = []
    look_up = registered.read
    monkeypatch.setattr(registered, "read", lambda: lookups.append(1) or look_up())
    for seconds in (0, 9.9, 0.1, 0):
        clock.move(seconds)
        guard.access_of(bearer(token))
    assert len(lookups) == 2


def test_a_clock_set_back_does_not_keep_a_token_cached(
    guard: Guard, token: str, clock: Any, registered: Database
) -> None:
    guard.access_of(bearer(token))
    with registered.write() as connection:
        clients.disable(connection, EHR)
    clock.move(-3600)
    assert refusal(guard, bearer(token)).status == 401


def test_the_cache_is_bounded(guard: Guard, web: FlaskClient, forge: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "CACHE_SIZE", 3)
    for _ in range(5):
        token = web.post("/auth/token", data=forge.form()).get_json()["access_token"]
        assert guard.access_of(bearer(token)).who == EHR
    assert len(guard._known) == 3


@pytest.mark.parametrize("fault", [RuntimeError("CANARY"), Problem("busy", "away"), TimeoutError(), MemoryError()])
def test_nobody_gets_in_when_the_lookup_cannot_be_made(
    guard: Guard, token: str, registered: Database, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def broken() -> None:
        raise fault

    monkeypatch.setattr(registered, "read", broken)
    problem = refusal(guard, bearer(token))
    assert (problem.status, problem.kind) == (503, "busy")
    assert "CANARY" not in str(problem)


def test_nobody_gets_in_on_scopes_that_cannot_be_read(guard: Guard, token: str, registered: Database) -> None:
    with registered.write() as connection:
        connection.execute(update(tables.token).values(scopes="everything"))
    assert refusal(guard, bearer(token)).status == 503


def test_nobody_gets_in_when_the_clock_fails(registered: Database, token: str) -> None:
    def broken() -> Any:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        Guard(registered, broken).access_of(bearer(token))


def test_a_cached_token_costs_less_than_20_microseconds(guard: Guard, token: str) -> None:
    environ = bearer(token, "patient=Patient/1&status=active")
    guard.access_of(environ)

    def once() -> float:
        start = time.perf_counter()
        for _ in range(500):
            guard.access_of(environ)
        return (time.perf_counter() - start) / 500

    assert min(once() for _ in range(10)) < 20e-6
