"""Two people who may be one: Ann and Anna, of two panels, each with a record; and the registry that merges them."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from hub.access import Access
from hub.fhir import json
from hub.identity.desk import Registry
from hub.identity.merge import Merged, merge
from hub.identity.unmerge import Unmerged, unmerge
from hub.store import merges
from hub.store.engine import Database
from hub.store.tables import index_about, index_consent, index_patient, index_relation, resource
from hub.transactions import Transactions
from tests.hub.asking import BASE, Api, mrn, observation, patient
from tests.hub.sighted import api_of, caller, panel, to
from tests.hub.smallest import smallest

PIER = "Organization/pier"


def cleared(database: Database) -> Database:
    merges.look_again()
    merges.look(database)
    return database


def registry_of(database: Database) -> Registry:
    return Registry(database, Transactions(database, lambda *_: (), lambda changes: (), BASE), BASE)


def callers() -> dict[str, Access]:
    from hub.rights.facts import client_number, source_number

    pier = source_number(PIER)
    holders = (pier, client_number("pier"))
    return {
        "harbor": caller(),
        "pier": caller("pier", holders=holders, own=pier, recipients=(pier,), source=PIER),
    }


def record(who: str) -> list[dict[str, Any]]:
    """What belongs to a person: an Observation, a Task, an Encounter, a note on it, and a stored Bundle."""
    of = to("Patient", who)
    return [
        patient(who, identifier=mrn(f"{who}-1"), name=[{"family": "Invented", "given": [who]}], active=True),
        observation(f"o-{who}", subject=of, performer=[of]),
        smallest("Task", f"t-{who}") | {"for": of, "status": "requested", "intent": "order"},
        smallest("Encounter", f"e-{who}") | {"subject": of},
        smallest("Provenance", f"p-{who}") | {"target": [to("Encounter", f"e-{who}"), of]},
        {
            "resourceType": "Bundle",
            "id": f"b-{who}",
            "type": "collection",
            "entry": [
                {"fullUrl": f"{BASE}/Observation/in-{who}", "resource": observation(f"in-{who}", subject=of)}
            ],
        },
    ]


def county(database: Database, sees: Mapping[str, Access] | None = None) -> Api:
    """Ann is of Harbor's panel, Anna of the Pier's, Bob of both."""
    api = api_of(cleared(database), sees or callers())
    for who in ("ann", "anna", "bob"):
        api.have(*record(who))
    api.have(panel("ann", "bob"), panel("bob", "anna", of=PIER, identity="pier-panel"))
    return api


def contents(database: Database) -> dict[str, Any]:
    """What every resource says, without what the hub says of it; and whose it is."""
    with database.read() as connection:
        rows = connection.execute(select(resource).where(~resource.c.deleted)).all()
    return {f"{row.type}/{row.id}": (_said(json.stored(row.body)), row.patient, row.labels) for row in rows}


def _said(content: dict[str, Any]) -> dict[str, Any]:
    meta = {
        name: each for name, each in content.get("meta", {}).items() if name not in ("versionId", "lastUpdated")
    }
    return {name: each for name, each in content.items() if name != "meta"} | ({"meta": meta} if meta else {})


def merged(registry: Registry, survivor: str, absorbed: str) -> Merged:
    return registry.decide(lambda desk: merge(desk, survivor, absorbed, "test"))


def unmerged(registry: Registry, absorbed: str) -> Unmerged:
    return registry.decide(lambda desk: unmerge(desk, absorbed, "test"))


def rights(database: Database) -> list[Any]:
    """The rows of who may see what."""
    with database.read() as connection:
        tables = (index_patient, index_about, index_relation, index_consent)
        return [sorted(tuple(row) for row in connection.execute(select(table))) for table in tables]
