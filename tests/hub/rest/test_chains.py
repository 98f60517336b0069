"""Chains and `_has`: what they find, what they refuse, and that they follow every change."""

import pytest

from hub.search.chains import touched
from hub.search.query import Limits, parse
from tests.hub.asking import Api, mrn, observation, patient, refused


def ref(text: str) -> dict[str, str]:
    return {"reference": text}


@pytest.fixture
def county(api: Api) -> Api:
    api.have(
        {"resourceType": "Organization", "id": "north", "name": "North County"},
        {"resourceType": "Organization", "id": "clinic", "name": "Clinic", "partOf": ref("Organization/north")},
        {"resourceType": "Practitioner", "id": "dr", "name": [{"family": "Yellow"}]},
        patient(
            "ann", name=[{"family": "Apple"}], gender="female", managingOrganization=ref("Organization/clinic")
        ),
        patient("bob", name=[{"family": "Bee"}], gender="male", managingOrganization=ref("Organization/north")),
        patient("cy", name=[{"family": "Cee"}]),
        {
            "resourceType": "Group",
            "id": "g",
            "type": "person",
            "actual": True,
            "name": "Apple pickers",
            "member": [{"entity": ref("Patient/bob")}],
        },
        observation(
            "a1",
            subject=ref("Patient/ann"),
            code={"coding": [{"system": "s", "code": "1"}]},
            performer=[ref("Practitioner/dr"), ref("Organization/clinic")],
        ),
        observation("a2", subject=ref("https://hub.example/fhir/Patient/ann"), status="amended"),
        observation("b1", subject=ref("Patient/bob"), code={"coding": [{"system": "s", "code": "2"}]}),
        observation("g1", subject=ref("Group/g")),
        observation("elsewhere", subject=ref("https://other.invalid/fhir/Patient/ann")),
        observation("nobody"),
        {
            "resourceType": "Provenance",
            "id": "log",
            "recorded": "2026-01-01T00:00:00Z",
            "agent": [{"who": ref("Practitioner/dr")}],
            "target": [ref("Observation/a1")],
        },
        {
            "resourceType": "List",
            "id": "l",
            "status": "current",
            "mode": "working",
            "entry": [{"item": ref("Patient/ann")}, {"item": ref("Patient/cy")}, {"item": ref("Observation/b1")}],
        },
    )
    return api


FOUND = {
    "Observation?subject:Patient.name=apple": {"a1", "a2"},
    "Observation?patient.name=apple": {"a1", "a2"},
    "Observation?patient.name=apple,bee": {"a1", "a2", "b1"},
    "Observation?patient.name=apple&status=final": {"a1"},
    "Observation?patient.name=apple&patient.gender=male": set(),
    "Observation?patient.name:exact=Apple": {"a1", "a2"},
    "Observation?patient.name:exact=apple": set(),
    "Observation?patient.name:contains=ppl": {"a1", "a2"},
    "Observation?patient.gender:not=male": {"a1", "a2"},
    "Observation?subject.identifier:missing=true": {"a1", "a2", "b1", "g1"},
    "Observation?patient._id=ann,nobody": {"a1", "a2"},
    "Observation?patient._lastUpdated=gt2020": {"a1", "a2", "b1"},
    "Observation?patient._lastUpdated=lt2020": set(),
    "Observation?subject.name=apple": {"a1", "a2"},  # a Group has no such parameter
    "Observation?patient.organization.name=north": {"b1"},
    "Observation?patient.organization.partof.name=north": {"a1", "a2"},
    "Observation?patient:Patient.organization:Organization.partof:Organization.name=north": {"a1", "a2"},
    "Observation?performer.name=clinic,yellow": {"a1"},
    "Observation?performer:Practitioner.family=yellow": {"a1"},
    "Observation?performer:Organization.name=yellow": set(),
    "Patient?organization=Organization/clinic": {"ann"},
    "Patient?_has:Observation:patient:code=1": {"ann"},
    "Patient?_has:Observation:patient:code=s|1,s|2": {"ann", "bob"},
    "Patient?_has:Observation:patient:code=s|1&gender=male": set(),
    "Patient?_has:Observation:patient:status=amended&_has:Observation:patient:code=1": {"ann"},
    "Patient?_has:Observation:subject:_id=b1": {"bob"},
    "Patient?_has:Observation:patient:status:not=final": {"ann"},
    "Patient?_has:Group:member:_id=g": {"bob"},
    "Patient?_has:Observation:patient:_has:Provenance:target:agent=Practitioner/dr": {"ann"},
    "Patient?_has:Observation:patient:performer:Practitioner.name=yellow": {"ann"},
    "Patient?_has:Observation:patient:performer.name=clinic": {"ann"},
    "Practitioner?_has:Observation:performer:patient.name=apple": {"dr"},
    "Observation?patient._has:Group:member:_id=g": {"b1"},
    "Observation?patient:Patient._has:Group:member:_id=g": {"b1"},
    "Patient?_list=l": {"ann", "cy"},
    "Observation?_list=l": {"b1"},
    "Patient?_list=none": set(),
    "Observation?patient._list=l": {"a1", "a2"},
}  # fmt: skip


@pytest.mark.parametrize("path", FOUND)
def test_chains_find(county: Api, path: str) -> None:
    assert sorted(county.found(f"/{path}")) == sorted(FOUND[path])
    total = county.get(f"/{path}&_summary=count").json["total"]
    assert total == len(FOUND[path])


def test_a_chain_follows_every_change(county: Api) -> None:
    path = "/Observation?patient.name=apple"
    county.have(observation("a1", subject=ref("Patient/bob")))
    assert county.found(path) == ["a2"]
    county.have(patient("bob", name=[{"family": "Apple"}]))
    assert sorted(county.found(path)) == ["a1", "a2", "b1"]
    county.delete("/Patient/ann")
    assert sorted(county.found(path)) == ["a1", "b1"]
    assert county.found("/Observation?patient._id=ann") == []
    county.delete("/Observation/b1")
    assert county.found("/Patient?_has:Observation:patient:status=final") == ["bob"]
    county.have(observation("early", subject=ref("Patient/late")))
    assert county.found("/Observation?patient:Patient.name=late") == []
    county.have(patient("late", name=[{"family": "Late"}]))
    assert county.found("/Observation?patient:Patient.name=late") == ["early"]


REFUSED = {
    "S10 chain": ("/Observation?" + "subject." * 11 + "name=x", 400, "too-costly"),
    "S10 _has": ("/Patient?" + "_has:Observation:patient:" * 12 + "code=x", 400, "too-costly"),
    "six steps": ("/Organization?" + "partof." * 6 + "name=x", 400, "too-costly"),
    "untyped over any type": ("/Provenance?target._id=x", 400, "too-costly"),
    "no reference": ("/Patient?name.family=x", 400, "not-supported"),
    "unknown": ("/Patient?foo.bar=x", 400, "not-supported"),
    "no target has it": ("/Observation?subject.foo=x", 400, "not-supported"),
    "no target type": ("/Observation?subject:Organization.name=x", 400, "not-supported"),
    "no type": ("/Observation?subject:Foo.name=x", 400, "not-supported"),
    "nothing behind the point": ("/Observation?subject.=x", 400, "not-supported"),
    "modifier": ("/Observation?patient.name:foo=x", 400, "not-supported"),
    "value": ("/Observation?patient.birthdate=zz2020", 400, "value"),
    "_has no type": ("/Patient?_has:Foo:patient:code=x", 400, "not-supported"),
    "_has no reference": ("/Patient?_has:Observation:code:code=x", 400, "not-supported"),
    "_has of another type": ("/Organization?_has:Observation:patient:code=x", 400, "not-supported"),
    "_has unknown": ("/Patient?_has:Observation:patient:foo=x", 400, "not-supported"),
    "_has too short": ("/Patient?_has:Observation:patient=x", 400, "not-supported"),
    "_has empty": ("/Patient?_has:Observation:patient:=x", 400, "not-supported"),
    "_list functional": ("/Patient?_list=$current-allergies", 400, "not-supported"),
}


@pytest.mark.parametrize(("path", "status", "code"), REFUSED.values(), ids=REFUSED)
def test_what_a_chain_refuses(api: Api, path: str, status: int, code: str) -> None:
    refused(api.get(path), status, code)


def test_five_steps_are_taken(api: Api) -> None:
    for number in range(6):
        api.have(
            {"resourceType": "Organization", "id": f"o{number}", "name": f"n{number}"}
            | ({"partOf": ref(f"Organization/o{number - 1}")} if number else {})
        )
    assert api.found("/Organization?" + "partof." * 5 + "name=n0") == ["o5"]


FORBIDDEN = (
    "/Patient?_has:Observation:patient:code=x",
    "/Patient?_has:Observation:patient:code=x&_count=0",
    "/Patient?organization.name=x",
    "/Patient?organization:Organization.name=x",
    "/Patient?general-practitioner.name=x",
    "/Patient?_list=x",
    "/Patient?link:Patient._has:Observation:patient:code=x",
    "/Patient?_filter=organization.name eq x",
)


@pytest.mark.parametrize("path", FORBIDDEN)
def test_types_that_may_not_be_searched_are_not_looked_at(api: Api, path: str) -> None:
    """S12: whatever is stored."""
    refused(api.as_("patients").get(path), 403, "forbidden")


@pytest.fixture
def linked(api: Api) -> Api:
    api.have(
        patient("1", name=[{"family": "Apple"}]),
        {"resourceType": "RelatedPerson", "id": "r", "patient": ref("Patient/1"), "name": [{"family": "Apple"}]},
        patient("2", link=[{"other": ref("Patient/1"), "type": "seealso"}]),
        patient("3", link=[{"other": ref("RelatedPerson/r"), "type": "seealso"}]),
    )
    return api


def test_an_untyped_chain_is_answered_whole_or_asks_for_the_type(linked: Api) -> None:
    """Who may not search RelatedPersons would get a part of the answer, and not know."""
    assert sorted(linked.found("/Patient?link.name=apple")) == ["2", "3"]
    mine = linked.as_("patients")
    for path in (
        "/Patient?link.name=apple",
        "/Patient?link.name=apple&_count=0",
        "/Patient?_filter=link.name eq apple",
    ):
        answer = mine.get(path)
        told = refused(answer, 403, "forbidden")["diagnostics"]
        assert "RelatedPerson" in told
        assert "link:Patient" in told
        assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
    assert mine.found("/Patient?link:Patient.name=apple") == ["2"]
    assert mine.found("/Patient?_filter=link:Patient.name eq apple") == ["2"]


def test_inside_not_no_type_is_left_out(linked: Api) -> None:
    """Without RelatedPersons, Patient 3 would seem to be linked to nobody of that name."""
    path = "/Patient?_filter=not (link.name eq apple)"
    assert linked.found(path) == ["1"]
    refused(linked.as_("patients").get(path), 403, "forbidden")
    assert linked.as_("patients").found("/Patient?_filter=not (link:Patient.name eq apple)") == ["1", "3"]


def test_a_condition_of_a_write_is_not_narrowed(linked: Api) -> None:
    """It would create what is there already."""
    sent = patient(link=[{"other": ref("RelatedPerson/r"), "type": "seealso"}])
    answer = linked.as_("patients").post("/Patient", sent, If_None_Exist="link.name=apple&_id=3")
    refused(answer, 403, "forbidden")


def test_not_behind_a_chain_finds_what_leads_to_another(county: Api) -> None:
    assert sorted(county.found("/Observation?subject._id:not=ann")) == ["b1", "g1"]
    refused(county.as_("tasks").get("/Observation?subject._id:not=ann"), 403, "forbidden")


def test_patient_leads_to_patients_without_naming_them(county: Api) -> None:
    """US Core: a client with scopes for Patient and Observation has none for Group, which R4 lists as a target."""
    for name in ("patient.name", "patient.identifier:missing", "patient:Patient.gender"):
        (chain,) = parse("Observation", [(name, "true")], Limits()).conditions
        assert set(touched(chain)) == {"Patient"}
    assert sorted(county.as_("chart").found("/Observation?patient.name=apple")) == ["a1", "a2"]
    refused(county.as_("chart").get("/Observation?subject.name=apple"), 403, "forbidden")


def test_lenient_handling_leaves_a_broken_chain_out(county: Api) -> None:
    answer = county.get("/Observation?patient.foo=x&_summary=false", Prefer="handling=lenient")
    assert answer.json["entry"][-1]["search"]["mode"] == "outcome"


def test_conditions_of_writes_take_chains(county: Api) -> None:
    sent = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": ref("Patient/ann")}
    assert county.post("/Observation", sent, If_None_Exist="patient.name=bee").status_code == 200
    assert county.post("/Observation", sent, If_None_Exist="patient.name=none").status_code == 201
    refused(county.post("/Observation", sent, If_None_Exist="patient.name=apple"), 412, "multiple-matches")
    refused(county.as_("patients").put("/Patient?organization.name=clinic", patient()), 403, "forbidden")
    changed = county.put("/Patient?organization.name=clinic", patient(identifier=mrn("1")))
    assert changed.json["id"] == "ann"
    bundle = county.bundle(
        "transaction",
        {
            "resource": sent | {"subject": ref("Patient?_has:Group:member:_id=g")},
            "request": {"method": "POST", "url": "Observation"},
        },
    )
    assert bundle.status_code == 200, bundle.text
    assert bundle.json["entry"][0]["resource"]["subject"] == ref("Patient/bob")
