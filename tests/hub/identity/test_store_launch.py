"""A token of somebody who was merged: a launch about a former Patient, and a member's own app."""

import json
from typing import Any

import pytest
from sqlalchemy import delete, insert

from auth.guard import CACHE_MICROSECONDS, Guard
from auth.tokens import token_hash
from hub import clock
from hub.identity.desk import Registry
from hub.store import tables, tables_auth
from hub.store.engine import Database
from tests.hub.asking import Api, app_of, token_of
from tests.hub.identity_world import county, merged, registry_of, unmerged

HOUR = 3_600_000_000
SCOPES = "patient/*.rs"


@pytest.fixture
def api(swept: Database) -> Api:
    """A hub with the guard of the front door, and the app of Anna and that of Bob."""
    county(swept)
    now = clock.micros(clock.now())
    with swept.write() as connection:
        connection.execute(delete(tables.token).where(tables.token.c.client == "self-app"))
        connection.execute(delete(tables_auth.user_account).where(tables_auth.user_account.c.id.like("person-%")))
        connection.execute(delete(tables.client).where(tables.client.c.id == "self-app"))
        row = {"id": "self-app", "name": "Invented app", "role": "member", "scopes": SCOPES, "active": True}
        connection.execute(insert(tables.client).values(row | {"created": now, "purposes": "PATRQT"}))
        for who in ("anna", "bob"):
            _person(connection, who, now)
    return Api(app_of(swept, guard=Guard(swept).access_of), swept)


def _person(connection: Any, who: str, now: int) -> None:
    row = {"id": f"person-{who}", "login": who, "name": "Invented", "password_hash": "", "roles": "member"}
    row |= {"fhir_user": f"Patient/{who}", "organization": "", "active": True, "created": now, "changed": now}
    connection.execute(insert(tables_auth.user_account).values(row))
    row = {"hash": token_hash(token_of(who)), "client": "self-app", "scopes": SCOPES, "issued": now}
    row |= {"expires": now + HOUR, "context": json.dumps({"patient": who}), "user_id": f"person-{who}"}
    connection.execute(insert(tables.token).values(row))


@pytest.fixture
def registry(api: Api) -> Registry:
    return registry_of(api.database)


def later(api: Api) -> Api:
    """When the guard has forgotten what it knew of the tokens."""
    return Api(app_of(api.database, guard=Guard(api.database).access_of), api.database)


def seen(api: Api, who: str) -> list[str]:
    return sorted(api.as_(who).found("/Observation"))


def test_an_app_of_a_former_patient_reads_the_members_data_until_the_unmerge(api: Api, registry: Registry) -> None:
    assert seen(api, "anna") == ["o-anna"]
    merged(registry, "ann", "anna")
    now = later(api)
    assert seen(now, "anna") == ["o-ann", "o-anna"]
    assert sorted(now.as_("anna").found("/Observation?patient=anna")) == ["o-ann", "o-anna"]
    assert now.as_("anna").get("/Patient/anna").json["active"] is False
    assert now.as_("anna").get("/Patient/ann").status_code == 200
    assert seen(now, "bob") == ["o-bob"]
    unmerged(registry, "anna")
    assert seen(later(api), "anna") == ["o-anna"]
    assert later(api).as_("anna").get("/Patient/ann").status_code == 404


def test_a_token_that_is_known_already_follows_within_ten_seconds(api: Api, registry: Registry) -> None:
    assert seen(api, "anna") == ["o-anna"]
    merged(registry, "ann", "anna")
    assert seen(api, "anna") == []  # nobody's but the member's, until it is looked up again
    assert CACHE_MICROSECONDS <= 10_000_000
    assert seen(later(api), "anna") == ["o-ann", "o-anna"]


def test_a_chain_of_merges_leads_the_app_to_its_end(api: Api, registry: Registry) -> None:
    merged(registry, "bob", "anna")
    merged(registry, "ann", "bob")
    for who in ("anna", "bob"):
        assert seen(later(api), who) == ["o-ann", "o-anna", "o-bob"]
