"""A plan asks for a member who came from another one: $member-match, then $everything or $export.

Rules: Da Vinci PDex 2.0.0, payer-to-payer exchange. The match opens nothing: the record is there once the plan has
a coverage of the member (docs/access.md).
"""

from dataclasses import replace
from typing import Any

import pytest

from hub.access import Access
from hub.search.edges import address
from hub.sight import COVERAGE
from hub.store.engine import Database
from tests.hub.asking import BASE, observation, patient, refused
from tests.hub.bulk.bulk_world import Bulk, bulk_hub
from tests.hub.sighted import caller, to
from tests.hub.smallest import smallest

NUMBER = "91234567A"
PLAN = "Organization/newplan"


def plan() -> Access:
    holders = (address("Organization", "newplan"),)
    return replace(caller("plan", source=PLAN, holders=holders, kinds=COVERAGE), role="plan")


@pytest.fixture
def bulk(swept: Database) -> Bulk:
    made = bulk_hub(swept, {"plan": plan()})
    made.api.have(person("anna"), patient("other"))
    made.api.have(*(observation(f"o-{name}", subject=to("Patient", name)) for name in ("anna", "other")))
    made.api.have(smallest("Provenance", "prov") | {"target": [to("Observation", "o-anna")]})
    return made


def person(identity: str) -> dict[str, Any]:
    name = [{"family": "Quillamore", "given": ["Zephyrine"]}]
    parts = {"birthDate": "1981-03-14", "gender": "female", "identifier": [{"system": "urn:x", "value": NUMBER}]}
    return patient(identity, name=name, **parts)


def matched(bulk: Bulk) -> str:
    """The member's id here."""
    coverage = {"resourceType": "Coverage", "status": "active", "subscriberId": NUMBER}
    given = [{"name": "MemberPatient", "resource": person("x")}, {"name": "CoverageToMatch", "resource": coverage}]
    answer = bulk.as_("plan").post("/Patient/$member-match", {"resourceType": "Parameters", "parameter": given})
    assert answer.status_code == 200, answer.text
    told = {part["name"]: part for part in answer.json["parameter"]}
    return str(told["MemberId"]["valueReference"]["reference"].partition("/")[2])


def everything(bulk: Bulk, identity: str) -> set[str]:
    answer = bulk.as_("plan").get(f"/Patient/{identity}/$everything")
    assert answer.status_code == 200, answer.text
    return {f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in answer.json["entry"]}


def exported(bulk: Bulk, identity: str) -> set[str]:
    given = [{"name": "patient", "valueReference": to("Patient", identity)}]
    body = {"resourceType": "Parameters", "parameter": given}
    kicked = bulk.as_("plan").post("/Patient/$export", body, Prefer="respond-async")
    job = kicked.headers["Content-Location"].removeprefix(BASE)
    bulk.work()
    files = bulk.manifest(job, "plan")["output"]
    return {f"{file['type']}/{each['id']}" for file in files for each in bulk.lines(file["url"], "plan")}


def test_a_match_alone_opens_nothing(bulk: Bulk) -> None:
    member = matched(bulk)
    refused(bulk.as_("plan").get(f"/Patient/{member}/$everything"), 404, "not-found")
    assert exported(bulk, member) == set()


def test_who_covers_the_matched_member_gets_the_record_both_ways(bulk: Bulk) -> None:
    member = matched(bulk)
    payor = [{"reference": PLAN}]
    bulk.api.have(smallest("Coverage", "c") | {"beneficiary": to("Patient", member), "payor": payor})
    bulk.api.have({**bulk.api.get("/Coverage/c").json, "status": "active"})
    found = exported(bulk, member)
    assert found == {"Patient/anna", "Observation/o-anna", "Coverage/c", "Provenance/prov"}
    assert found == everything(bulk, member)
