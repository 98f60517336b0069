"""Ways round the predicate and round what is shown of a resource, each of which was open once."""

from typing import Any

import pytest

from hub.rights.labels import SUD
from hub.search.edges import address
from hub.sight import PANEL, TEAM
from hub.store.engine import Database
from tests.hub.asking import Api, observation, patient
from tests.hub.sighted import api_of, caller, labelled, panel, to
from tests.hub.smallest import smallest

JSON_PATCH = "application/json-patch+json"
SHOWN = {
    "Task": frozenset(("status", "intent", "for", "businessStatus", "owner")),
    "Observation": frozenset(("code", "status", "subject")),
}


@pytest.fixture
def county(swept: Database) -> Api:
    callers = {
        "harbor": caller(),
        "masked": caller("masked", elements=SHOWN),
        "guarded": caller("guarded", own=0, guarded=SUD, never=0),
        "staff": caller("staff", holders=(address("Practitioner", "p1"),), kinds=PANEL | TEAM),
    }
    api = api_of(swept, callers)
    api.have(*(patient(each) for each in ("seen", "too", "stranger", "other")), panel("seen", "too"))
    return api


def patched(api: Api, where: str, *operations: dict[str, Any], **headers: str) -> Any:
    return api.ask("PATCH", where, list(operations), Content_Type=JSON_PATCH, **headers)


def test_a_provenance_is_as_sensitive_as_all_that_it_is_about(county: Api) -> None:
    county.have(observation("o", subject=to("Patient", "seen"), meta=labelled("SUD")))
    targets = [to("Patient", "seen"), to("Observation", "o")]
    county.have(smallest("Provenance", "p") | {"target": targets})
    assert county.as_("guarded").get("/Observation/o").status_code == 404
    assert county.as_("guarded").get("/Provenance/p").status_code == 404


def test_one_does_not_hand_a_patient_to_ones_own_staff_for_good(county: Api) -> None:
    team = smallest("CareTeam", "x") | {"status": "active", "subject": to("Patient", "seen")}
    team |= {"participant": [{"member": to("Practitioner", "p1")}]}
    assert county.as_("harbor").post("/CareTeam", team).status_code == 201
    county.have(panel("too"))
    assert county.as_("harbor").get("/Patient/seen").status_code == 404
    assert county.as_("staff").get("/Patient/seen").status_code == 404


def test_nobody_hides_the_directory_by_a_label(county: Api) -> None:
    county.have(smallest("Organization", "org"))
    org: Any = county.get("/Organization/org").json
    meta = {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "V"}]}
    assert county.as_("staff").put("/Organization/org", org | {"meta": meta}).status_code == 403
    assert county.as_("guarded").get("/Organization/org").status_code == 200


def test_a_lapsed_proxy_is_not_revived_by_the_recipient(county: Api) -> None:
    person = {"resourceType": "RelatedPerson", "id": "rp", "patient": to("Patient", "seen"), "active": False}
    county.have(person)
    assert county.as_("harbor").put("/RelatedPerson/rp", person | {"active": True}).status_code == 200
    from sqlalchemy import select

    from hub.store.tables import index_relation

    with county.database.read() as c:
        rows = c.execute(
            select(index_relation.c.kind).where(index_relation.c.holder == address("RelatedPerson", "rp"))
        ).all()
    assert rows == []
