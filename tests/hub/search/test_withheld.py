"""What a client is not shown, it does not search by: at the resource, in chains, `_has`, `_filter` and `_sort`."""

import pytest

from hub.access import Access
from hub.sight import COVERAGE, PANEL
from hub.store.engine import Database
from tests.hub.asking import BASE, Api, observation, patient, refused
from tests.hub.sighted import api_of, caller, panel, to
from tests.hub.smallest import smallest

SHOWN = {
    "Observation": frozenset(("code", "status", "subject")),
    "Patient": frozenset(("name", "gender")),
}


@pytest.fixture
def county(swept: Database) -> Api:
    api = api_of(
        swept,
        {
            "masked": caller("masked", elements=SHOWN),
            "harbor": caller(),
            "auditor": caller("auditor", all_patients=True, kinds=COVERAGE | PANEL),
            "masked auditor": Access("x", caller().grants, sight=caller(all_patients=True, elements=SHOWN).sight),
        },
    )
    api.have(
        patient("seen", birthDate="1980-01-01", gender="female"),
        panel("seen"),
        observation("o", subject=to("Patient", "seen"), valueQuantity={"value": 7}),
        smallest("DiagnosticReport", "d") | {"subject": to("Patient", "seen"), "result": [to("Observation", "o")]},
    )
    return api


REFUSED = [
    "/Observation?value-quantity=7",
    "/Observation?value-quantity=gt1",
    "/Observation?value-quantity:missing=true",
    "/Observation?code=x&value-quantity=7",
    "/Observation?combo-value-quantity=7",
    "/Observation?code-value-quantity=x$7",
    "/Observation?encounter=Encounter/e",
    "/Observation?_sort=value-quantity",
    "/Observation?_sort=code,-value-quantity",
    "/Observation?_filter=value-quantity gt 1",
    "/Observation?_filter=status eq final and not (value-quantity gt 1)",
    "/Observation?subject:Patient.birthdate=1980-01-01",
    "/Observation?patient.birthdate=gt1900",
    "/Observation?_filter=patient.birthdate gt 1900-01-01",
    "/DiagnosticReport?result.value-quantity=7",
    "/DiagnosticReport?result.patient.birthdate=1980-01-01",
    "/Patient?birthdate=1980-01-01",
    "/Patient?_has:Observation:patient:value-quantity=7",
    "/Encounter?_has:Observation:encounter:status=final",
    "/Patient?_has:DiagnosticReport:subject:result.value-quantity=7",
    "/Patient/seen/Observation?value-quantity=7",
    "/?_type=Patient&_has:Observation:patient:value-quantity=7",
    "/Observation?value-quantity=7&_summary=count",
]


@pytest.mark.parametrize("path", REFUSED)
@pytest.mark.parametrize("who", ["masked", "masked auditor"])
def test_a_search_by_what_is_not_shown_is_refused(county: Api, who: str, path: str) -> None:
    refused(county.as_(who).get(path), 403, "forbidden")


@pytest.mark.parametrize("path", REFUSED)
def test_who_is_shown_all_searches_by_all(county: Api, path: str) -> None:
    for who in ("harbor", "auditor"):
        answer = county.as_(who).get(path)
        assert answer.status_code == 200, answer.text


ALLOWED = [
    "/Observation?code=x",
    "/Observation?status=final&_sort=status",
    "/Observation?subject=Patient/seen",
    "/Observation?patient=seen",
    "/Observation?_id=o",
    "/Observation?_lastUpdated=gt2000-01-01&_sort=-_lastUpdated",
    "/Observation?patient.gender=female",
    "/Patient?gender=female",
    "/Patient?_has:Observation:patient:status=final",
    "/DiagnosticReport?result.status=final",
    "/DiagnosticReport?issued=gt2000",
]


@pytest.mark.parametrize("path", ALLOWED)
def test_a_search_by_what_is_shown_is_served(county: Api, path: str) -> None:
    answer = county.as_("masked").get(path)
    assert answer.status_code == 200, answer.text


CONDITIONS = {"If_None_Exist": "value-quantity=7"}


def test_a_condition_of_a_write_is_a_search(county: Api) -> None:
    masked = county.as_("masked")
    body = observation(subject=to("Patient", "seen"))
    refused(masked.post("/Observation", body, **CONDITIONS), 403, "forbidden")
    refused(masked.put("/Observation?value-quantity=7", body), 403, "forbidden")
    refused(masked.delete("/Observation?value-quantity=7"), 403, "forbidden")
    assert county.get("/Observation?_summary=count").json["total"] == 1


BY_MEMBER = [
    "/Group?member=Patient/seen",
    "/Group?member=Patient/stranger",
    "/Group?member:missing=true",
    "/Group?member:identifier=urn:x|y",
    "/Group?_filter=member eq Patient/seen",
    "/Patient?_has:Group:member:member=Patient/stranger",
    "/Patient?_has:Group:member:member:missing=true",
    "/List?item:Group.member=Patient/stranger",
]


@pytest.mark.parametrize("path", BY_MEMBER)
def test_who_is_in_a_group_is_not_asked_by_who_sees_some_members_only(county: Api, path: str) -> None:
    refused(county.as_("harbor").get(path), 403, "forbidden")
    assert county.as_("auditor").get(path).status_code == 200
    assert county.get(path).status_code == 200


def test_by_a_chain_through_ones_own_people_a_group_is_found(county: Api) -> None:
    harbor = county.as_("harbor")
    assert harbor.found("/Group?member:Patient.gender=female") == ["panel"]
    assert harbor.found("/Patient?_has:Group:member:_id=panel") == ["seen"]
    county.have(patient("stranger", gender="male"), panel("seen", stranger={"end": "2020-01-01"}))
    assert harbor.found("/Group?member:Patient.gender=male") == []
    assert harbor.found("/Patient?_has:Group:member:_id=panel") == ["seen"]
    assert county.found("/Group?member:Patient.gender=male") == ["panel"]


INCLUDING = [
    "/Observation?_id=q&_include=Observation:performer",
    "/Observation?_id=q&_include=Observation:*",
    "/Observation?_id=q&_include=*",
    "/Practitioner?_id=dr&_revinclude=Observation:performer",
    "/DiagnosticReport?_id=e&_include=DiagnosticReport:result&_include:iterate=Observation:performer",
    "/DiagnosticReport?_id=e&_include=DiagnosticReport:result&_include:iterate=*",
    "/Patient/seen/$everything",
]


@pytest.mark.parametrize("path", INCLUDING)
def test_what_is_not_shown_brings_nothing_with_it(county: Api, path: str) -> None:
    """Whom an element refers to is what it says."""
    of = {"subject": to("Patient", "seen")}
    county.have(
        smallest("Practitioner", "dr"),
        observation("q", performer=[to("Practitioner", "dr")], **of),
        smallest("DiagnosticReport", "e") | of | {"result": [to("Observation", "q")]},
    )
    linked = {"Practitioner/dr", "Observation/q"}
    for who, both in (("harbor", True), ("masked", False)):
        answer = county.as_(who).get(path)
        assert answer.status_code == 200, answer.text
        found = {each["fullUrl"].removeprefix(BASE + "/") for each in answer.json["entry"] if "fullUrl" in each}
        assert (linked <= found) is both, who


def test_of_all_that_belongs_to_somebody_those_are_left_out_by_which_one_may_not_search(county: Api) -> None:
    county.have(
        smallest("Practitioner", "dr"),
        panel("seen") | {"member": [{"entity": to("Patient", "seen")}, {"entity": to("Practitioner", "dr")}]},
        observation("p", subject=to("Patient", "seen"), performer=[to("Practitioner", "dr")]),
        smallest("DiagnosticReport", "r")
        | {"subject": to("Patient", "seen"), "performer": [to("Practitioner", "dr")]},
    )
    assert set(county.found("/Practitioner/dr/*")) == {"panel", "p", "r", "dr"}
    assert set(county.as_("harbor").found("/Practitioner/dr/*")) == {"p", "r", "dr"}
    assert set(county.as_("masked").found("/Practitioner/dr/*")) == {"r", "dr"}
