"""$export of patients and of a Group, and ATR's $davinci-data-export. STU2 export.html, Da Vinci ATR 2.1.0."""

from typing import Any

import pytest

from hub.store.engine import Database
from tests.hub.asking import BASE, entry, observation, patient, refused
from tests.hub.bulk.bulk_world import Bulk, bulk_hub
from tests.hub.sighted import day, panel, to
from tests.hub.smallest import smallest

ASYNC = {"Prefer": "respond-async"}
ATR = "_type=Group,Patient,Coverage"


@pytest.fixture(params=[5000, 2])
def bulk(request: pytest.FixtureRequest, swept: Database) -> Bulk:
    """Ann, Ben and Cy with an Observation each, one of Ann and Ben together, and what belongs to nobody."""
    made = bulk_hub(swept, {}, window=request.param)
    made.api.have(*(patient(name) for name in ("ann", "ben", "cy")), smallest("Practitioner", "dr"))
    made.api.have(smallest("Organization", "harbor"), observation("nobodys"))
    made.api.have(*(observation(f"o-{name}", subject=to("Patient", name)) for name in ("ann", "ben", "cy")))
    made.api.have(observation("both", subject=to("Patient", "ann"), performer=[to("Patient", "ben")]))
    made.api.have(smallest("Provenance", "prov") | {"target": [to("Observation", "o-ann")]})
    made.api.have(panel("ann", "ben", identity="g", left={"end": day(-1)}))
    return made


ANN_AND_BEN = {"Patient/ann", "Patient/ben", "Observation/o-ann", "Observation/o-ben", "Observation/both"}


def without(names: set[str], *kinds: str) -> set[str]:
    return {name for name in names if name.partition("/")[0] not in kinds}


def test_patients_are_exported_with_their_compartments_and_nothing_else(bulk: Bulk) -> None:
    assert without(bulk.names("/Patient/$export"), "Group") == {
        *ANN_AND_BEN,
        "Patient/cy",
        "Observation/o-cy",
        "Provenance/prov",
    }


def test_a_group_is_exported_with_its_members_compartments(bulk: Bulk) -> None:
    assert bulk.names("/Group/g/$export") == ANN_AND_BEN | {"Provenance/prov"}


def test_what_belongs_to_several_members_comes_once(bulk: Bulk) -> None:
    found = bulk.exported("/Group/g/$export?_type=Observation")["Observation"]
    assert sorted(each["id"] for each in found) == ["both", "o-ann", "o-ben"]


def test_a_group_is_exported_as_it_is_now(bulk: Bulk) -> None:
    bulk.api.have(panel("ann", identity="g", ben={"end": day(-1)}, cy={"start": day(1)}))
    found = bulk.names("/Group/g/$export?_type=Patient,Observation")
    assert found == {"Patient/ann", "Observation/o-ann", "Observation/both"}


def test_inactive_members_are_not_exported(bulk: Bulk) -> None:
    group = panel("ann", "ben", identity="g")
    group["member"][1]["inactive"] = True
    bulk.api.have(group)
    assert bulk.names("/Group/g/$export?_type=Patient") == {"Patient/ann"}


def test_an_empty_group_exports_nothing(bulk: Bulk) -> None:
    bulk.api.have({"resourceType": "Group", "id": "e", "type": "person", "actual": True})
    assert bulk.names("/Group/e/$export") == set()


def test_the_group_itself_is_in_where_it_is_asked_for(bulk: Bulk) -> None:
    assert "Group/g" in bulk.names("/Group/g/$export?_type=Group,Patient")
    assert "Group/g" not in bulk.names("/Group/g/$export")


def parameters(*names: str) -> dict[str, Any]:
    given = [{"name": "patient", "valueReference": to("Patient", name)} for name in names]
    return {"resourceType": "Parameters", "parameter": given}


def posted(bulk: Bulk, path: str, body: dict[str, Any]) -> set[str]:
    job = bulk.api.post(path, body, **ASYNC).headers["Content-Location"].removeprefix(BASE)
    bulk.work()
    return {f"{f['type']}/{each['id']}" for f in bulk.manifest(job)["output"] for each in bulk.lines(f["url"])}


def test_patients_may_be_named(bulk: Bulk) -> None:
    assert posted(bulk, "/Patient/$export", parameters("cy")) == {"Patient/cy", "Observation/o-cy"}


def test_of_those_named_a_group_gives_its_members(bulk: Bulk) -> None:
    found = posted(bulk, "/Group/g/$export", parameters("ben", "cy"))
    assert found == {"Patient/ben", "Observation/o-ben", "Observation/both"}


def test_patients_are_named_in_a_body_only(bulk: Bulk) -> None:
    refused(bulk.api.get("/Patient/$export?patient=Patient/ann", **ASYNC), 400, "value")


def test_since_and_filters_hold_for_members_too(bulk: Bulk) -> None:
    since = bulk.moment()
    bulk.api.have(observation("new", subject=to("Patient", "ann"), status="amended"))
    bulk.api.have(observation("others", subject=to("Patient", "cy")))
    assert bulk.names(f"/Group/g/$export?_since={since}") == {"Observation/new"}
    asked = "_type=Observation&_typeFilter=Observation%3Fstatus%3Damended"
    assert bulk.names(f"/Group/g/$export?{asked}") == {"Observation/new"}


def test_deletions_are_told_of_members(bulk: Bulk) -> None:
    since = bulk.moment()
    bulk.api.bundle("transaction", entry("DELETE", "Observation/o-ann"), entry("DELETE", "Observation/o-cy"))
    found = bulk.exported(f"/Group/g/$export?_since={since}")["deleted"]
    assert [each["entry"][0]["request"]["url"] for each in found] == ["Observation/o-ann"]


def test_types_beside_patients_are_left_out_and_told(bulk: Bulk) -> None:
    found = bulk.exported("/Group/g/$export?_type=Patient,Practitioner")
    assert {each["id"] for each in found["Patient"]} == {"ann", "ben"}
    assert found["error"][0]["issue"][0]["expression"] == ["_type=Practitioner"]
    assert "Practitioner" not in found


def attribution(bulk: Bulk) -> None:
    bulk.api.have(smallest("Coverage", "c-ann") | {"beneficiary": to("Patient", "ann")})
    group = panel("ann", identity="list", of="Organization/harbor")
    url = "http://hl7.org/fhir/us/davinci-atr/StructureDefinition/ext-attributedProvider"
    group["member"][0]["extension"] = [{"url": url, "valueReference": to("Practitioner", "dr")}]
    bulk.api.have(group)


def test_an_attribution_list_is_exported_with_itself_and_its_providers(bulk: Bulk) -> None:
    attribution(bulk)
    path = f"/Group/list/$davinci-data-export?exportType=hl7.fhir.us.davinci-atr&{ATR}"
    assert bulk.names(path) == {"Group/list", "Patient/ann", "Coverage/c-ann"}
    found = bulk.names(f"{path},Practitioner,Organization,Observation")
    assert found == {
        *("Group/list", "Patient/ann", "Coverage/c-ann", "Practitioner/dr", "Organization/harbor"),
        *("Observation/o-ann", "Observation/both"),
    }


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("", "required"),
        ("?_type=Patient,Coverage", "required"),
        (f"?{ATR}&exportType=hl7.fhir.us.davinci-pdex", "not-supported"),
    ],
)
def test_an_attribution_list_is_refused_without_its_types(bulk: Bulk, asked: str, code: str) -> None:
    attribution(bulk)
    refused(bulk.api.get(f"/Group/list/$davinci-data-export{asked}", **ASYNC), 400, code)
