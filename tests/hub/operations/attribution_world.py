"""A plan, its members and the list of a clinic, for the operations of attribution lists, over HTTP."""

from typing import Any

from sqlalchemy import insert

from auth.tokens import token_hash
from hub import clock
from hub.access import Access
from hub.fhir.bundles import Entry
from hub.operations.member_list import ATR
from hub.store import merges, tables
from hub.store.engine import Database
from hub.transactions import Transactions
from tests.hub.asking import BASE, Api, token_of, validator
from tests.matrix.callers import application

CIN = "urn:example:cin"
NPI = "http://hl7.org/fhir/sid/us-npi"
PLAN, CLINIC = "Organization/plan", "Organization/clinic"
ROLES = {
    "plan": "plan",
    "clinic": "ecm-provider",
    "county": "county-behavioral-health",
    "feeder": "hospital-feeder",
}
HOUR = 3_600_000_000
SPAN = {"start": "2026-01-01", "end": "2099-12-31"}


def listed(database: Database) -> Api:
    """A plan with members Ann and Bob, a stranger, and the list of a clinic with nobody on it."""
    merges.look_again()
    _register(database)
    api = Api(application(database), database, "plan")
    have(database, *_people(), source="Organization/registry")
    have(database, group())
    return api


def _register(database: Database) -> None:
    now = clock.micros(clock.now())
    with database.write() as connection:
        for name, role in ROLES.items():
            client = {"id": name, "name": f"Invented {name}", "role": role, "scopes": "system/*.cruds"}
            about = {"organization": f"Organization/{name}", "purposes": "", "active": True, "created": now}
            connection.execute(insert(tables.client).values(client | about))
            token = {"hash": token_hash(token_of(name)), "client": name, "scopes": "system/*.cruds"}
            connection.execute(insert(tables.token).values(token | {"issued": now, "expires": now + HOUR}))


def have(database: Database, *resources: dict[str, Any], source: str = PLAN) -> None:
    """The plan's own: a list with nobody on it is there for who wrote it."""
    own = Transactions(database, validator, lambda changes: (), BASE)
    entries = [Entry("PUT", one["resourceType"], id=one["id"], resource=one) for one in resources]
    own.commit(entries, Access.system("the world", source=source), many=True)


def _people() -> list[dict[str, Any]]:
    patients = [
        {"resourceType": "Patient", "id": name, "identifier": [{"system": CIN, "value": name.upper()}]}
        for name in ("ann", "bob", "stranger")
    ]
    coverages = [
        {
            "resourceType": "Coverage",
            "id": name,
            "status": "active",
            "identifier": [{"system": "urn:example:card", "value": f"CARD-{name}"}],
            "beneficiary": {"reference": f"Patient/{name}"},
            "payor": [{"reference": PLAN}],
        }
        for name in ("ann", "bob")
    ]
    organizations = [
        {"resourceType": "Organization", "id": name, "name": name, "identifier": [{"system": NPI, "value": number}]}
        for name, number in (("plan", "1"), ("clinic", "2"), ("twin", "3"), ("twin2", "3"))
    ]
    doctor = {"resourceType": "Practitioner", "id": "dr", "identifier": [{"system": NPI, "value": "4"}]}
    return [*patients, *coverages, *organizations, doctor]


def group(**parts: Any) -> dict[str, Any]:
    made = {"resourceType": "Group", "id": "list", "type": "person", "actual": True, "active": True}
    return {**made, "managingEntity": {"reference": CLINIC}, **parts}


def status(code: str) -> list[dict[str, Any]]:
    return [{"url": f"{ATR}ext-attributionListStatus", "valueCode": code}]


def said(**parameters: Any) -> dict[str, Any]:
    return {
        "resourceType": "Parameters",
        "parameter": [
            {"name": name.partition("__")[0], KEYS[name.partition("__")[0]]: value}
            for name, value in parameters.items()
        ],
    }


KEYS = {
    "memberId": "valueIdentifier",
    "providerNpi": "valueIdentifier",
    "patientReference": "valueReference",
    "providerReference": "valueReference",
    "coverageReference": "valueReference",
    "attributionPeriod": "valuePeriod",
    "other": "valueString",
}
ANN = {"patientReference": {"reference": "Patient/ann"}, "providerReference": {"reference": CLINIC}}
ANN_BY_NUMBERS = {"memberId": {"system": CIN, "value": "ANN"}, "providerNpi": {"value": "2"}}
