"""A decision that cannot be made is no (SEC-11), and what one node takes away is gone on the other (SEC-12)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete
from werkzeug.test import TestResponse

from auth import clients
from auth.clients import Client
from auth.development_token import public_jwks
from auth.guard import Guard
from auth.tokens import token_hash
from hub.clock import micros
from hub.clock import now as real
from hub.problems import Problem
from hub.store import tables
from hub.store.engine import Database
from tests.auth.browsing import emptied, have, have_user, patient
from tests.auth.conftest import HandClock
from tests.hub.asking import app_of, observation
from tests.hub.consenting import complete, consent
from tests.hub.sighted import labelled, panel

CANARY = "Zanzibarovich"
NOTE = "canary-of-a-program"
BACKEND, APP = "harbor-backend", "harbor-app"
TOKENS = {name: f"token-of-{name}".ljust(43, "x") for name in (BACKEND, APP)}
SCOPES = {BACKEND: "system/*.rs", APP: "user/*.rs"}
ORGANIZATION = "Organization/harbor"
DENIED = {401, 403, 404, 410, 500, 503}


@dataclass
class Node:
    """One process of the hub, with a database connection of its own."""

    app: Flask

    def ask(self, who: str, path: str) -> TestResponse:
        headers = {"Authorization": f"Bearer {TOKENS[who]}"}
        return self.app.test_client().get(f"/fhir{path}", headers=headers)


def node(database: Database, clock: HandClock) -> Node:
    return Node(app_of(database, guard=Guard(database, clock).access_of))


@pytest.fixture
def county(database: Database, ec_key: dict[str, Any], clock: HandClock) -> Iterator[Database]:
    """A member on Harbor's panel, who consented that Harbor reads what a program wrote."""
    emptied(database)
    user = have_user(database, roles=("ecm-provider",), organization=ORGANIZATION)
    at = micros(clock())
    with database.write() as connection:
        keys = public_jwks(ec_key)
        parts: dict[str, Any] = {"organization": ORGANIZATION}
        clients.add(connection, Client(BACKEND, "B", "ecm-provider", SCOPES[BACKEND], keys, **parts), real())
        parts |= {
            "kind": "public",
            "redirect_uris": ("https://app.example/",),
            "grant_types": ("authorization_code",),
        }
        clients.add(connection, Client(APP, "A", "ecm-provider", SCOPES[APP], **parts), real())
        for name, person in ((BACKEND, ""), (APP, user)):
            row = {"hash": token_hash(TOKENS[name]), "client": name, "scopes": SCOPES[name], "user_id": person}
            connection.execute(tables.token.insert().values(row | {"issued": at, "expires": at + 10**10}))
    have(database, {"resourceType": "Organization", "id": "harbor", "name": "Harbor"}, source="Organization/county")
    have(database, patient("p1", "Ann", CANARY), panel("p1"), source="Organization/county")
    subject = {"subject": {"reference": "Patient/p1"}}
    note = observation("note", meta=labelled("42CFRPart2"), valueString=NOTE, **subject)
    permit = consent(complete(period={"start": "2020-01-01", "end": "2099-01-01"}), form="42-cfr-part-2", id="yes")
    have(database, note, permit, source="Organization/county")
    yield database
    emptied(database)


PATHS = ("/Patient/p1", "/Patient?family=Zan", "/Observation/note", "/Observation", "/Patient/p1/_history")


@pytest.mark.parametrize("who", [BACKEND, APP])
def test_when_all_is_known_the_answer_is_yes(county: Database, clock: HandClock, who: str) -> None:
    there = node(county, clock)
    for path in PATHS:
        answer = there.ask(who, path)
        assert answer.status_code == 200, answer.text
        assert (NOTE if "Observation" in path else CANARY) in answer.text, path


# what the decision hangs on, whose token asks for it, and for which answer
DEPENDENCIES: tuple[tuple[str, str, str, str], ...] = (
    ("the scopes", "auth.guard.scopes.parse", BACKEND, "/Patient/p1"),
    ("the client", "auth.guard.client_of", BACKEND, "/Patient/p1"),
    ("the role", "auth.guard.sights.access_for", BACKEND, "/Patient?family=Zan"),
    ("the account", "auth.guard.users.by_id", APP, "/Patient/p1"),
    ("whom the app is for", "auth.guard.persons.client_of", APP, "/Patient/p1"),
    ("the launch", "auth.guard.tokens.read", APP, "/Patient/p1"),
    ("the relations", "hub.store.sight.values_of", BACKEND, "/Patient/p1"),
    ("the relations in a search", "hub.store.sight.values_of", BACKEND, "/Patient?family=Zan"),
    ("the consents", "hub.leaving.consents.relied_on", BACKEND, "/Observation/note"),
    ("the consents in a search", "hub.leaving.consents.relied_on", BACKEND, "/Observation"),
    ("what leaves", "hub.leaving.release.released", BACKEND, "/Observation/note"),
    ("the clock", "hub.clock.now", BACKEND, "/Patient/p1"),
    ("the clock in a search", "hub.clock.now", BACKEND, "/Observation"),
)


@pytest.mark.parametrize("fault", [RuntimeError(CANARY), TimeoutError(CANARY), Problem("busy", "away"), None])
@pytest.mark.parametrize(
    ("where", "who", "path"), [row[1:] for row in DEPENDENCIES], ids=[row[0] for row in DEPENDENCIES]
)
def test_what_cannot_be_known_is_denied_sec_11(
    county: Database,
    clock: HandClock,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    who: str,
    path: str,
    fault: Exception | None,
) -> None:
    there, asked = node(county, clock), []

    def broken(*_: Any, **__: Any) -> None:
        asked.append(where)
        if fault:
            raise fault

    monkeypatch.setattr(where, broken)
    answer = there.ask(who, path)
    assert asked, "the decision does not hang on it"
    assert answer.status_code in DENIED, answer.text
    assert CANARY not in answer.text
    assert NOTE not in answer.text


def test_glass_of_which_nobody_knows_whether_it_is_broken_is_whole_sec_11(
    county: Database, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auth.guard.break_glass.is_broken", lambda *_: None)
    with county.write() as connection:
        connection.execute(delete(tables.index_relation))
    assert node(county, clock).ask(BACKEND, "/Patient/p1").status_code == 404


def test_a_database_that_is_away_in_the_middle_answers_nothing_sec_11(
    county: Database, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = node(county, clock)
    assert there.ask(BACKEND, "/Patient/p1").status_code == 200  # the token is remembered, the record is not

    def away() -> None:
        raise TimeoutError(CANARY)

    monkeypatch.setattr(county, "read", away)
    answer = there.ask(BACKEND, "/Patient/p1")
    assert answer.status_code in {500, 503}
    assert CANARY not in answer.text


def revoked(connection: Any) -> None:
    connection.execute(delete(tables.token).where(tables.token.c.client == BACKEND))


def new_keys(connection: Any) -> None:
    clients.rotate(connection, BACKEND, public_jwks(_key()))


def _key() -> dict[str, Any]:
    from auth.development_token import new_key

    return new_key("ES384")


Change = Callable[[Database], object]
RELATION = panel()
WITHDRAWN = consent(complete(), form="42-cfr-part-2", id="yes", status="inactive")
# what is taken away, how, what was open until then, and after how many seconds it is closed at the latest
CHANGES: dict[str, tuple[Change, str, float]] = {
    "a token": (lambda there: there.writing(revoked), "/Patient/p1", 10),
    "a client": (lambda there: there.writing(lambda c: clients.disable(c, BACKEND)), "/Patient/p1", 10),
    "a key": (lambda there: there.writing(new_keys), "/Patient/p1", 10),
    "a relation": (lambda there: have(there, RELATION, source="Organization/county"), "/Patient/p1", 0),
    "a consent": (lambda there: have(there, WITHDRAWN, source="Organization/county"), "/Observation/note", 0),
    "a label": (
        lambda there: have(
            there,
            observation("note", meta=labelled("PSYTHPN"), subject={"reference": "Patient/p1"}),
            source="Organization/county",
        ),
        "/Observation/note",
        0,
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_taken_away_on_one_node_is_closed_on_the_other_within_seconds_sec_12(
    county: Database, auth_url: str, clock: HandClock, what: str
) -> None:
    change, path, seconds = CHANGES[what]
    elsewhere = Database(auth_url)
    there = node(elsewhere, clock)
    assert there.ask(BACKEND, path).status_code == 200
    change(county)
    clock.move(seconds)
    answers = {there.ask(BACKEND, path).status_code for _ in range(20)}
    assert answers == ({401} if seconds else {404})
    elsewhere.close()
