"""What US Core asks of a server: its searches one by one, provenance, scopes and refusals, on both databases.

Rules: https://hl7.org/fhir/us/core/CapabilityStatement-us-core-server.html; docs/requirements.csv names the ids.
"""

import json
from typing import Any

import pytest

from tests.hub.asking import Api, entry, patient, refused
from tests.hub.rest.us_core_cast import ALL, LOINC, MEMBER, OF_MEMBER, SNOMED, TERMS, concept, made

Json = dict[str, Any]
WHEN = "2026-03-04T09:30:00-08:00"


@pytest.fixture
def cast(api: Api) -> Api:
    """The hub with both members and those around them."""
    shelf = list(ALL)
    for start in range(0, len(shelf), 20):
        entries = [entry("PUT", f"{r['resourceType']}/{r['id']}", r) for r in shelf[start : start + 20]]
        answer = api.bundle("transaction", *entries)
        assert answer.status_code == 200, answer.text
    return api


# type -> its combinations of search parameters, each of which finds the member's one; `{p}` is the member
OF_A_PATIENT: dict[str, tuple[str, ...]] = {
    "AllergyIntolerance": ("{p}", "{p}&clinical-status=active"),
    "CarePlan": (
        "{p}&category=assess-plan",
        "{p}&category=assess-plan&date=ge2026-03-01",
        "{p}&category=assess-plan&status=active",
        "{p}&category=assess-plan&status=active&date=ge2026-03",
    ),
    "CareTeam": ("{p}&status=active", "{p}&status=proposed,active"),
    "Condition": (
        "{p}",
        "{p}&category=problem-list-item",
        f"{{p}}&category={TERMS}/condition-category|problem-list-item",
        "{p}&clinical-status=resolved",
        "{p}&category=problem-list-item&clinical-status=resolved",
        "{p}&category=problem-list-item&encounter=encounter-imagina",
        f"{{p}}&code={SNOMED}|59621000",
        "{p}&onset-date=ge2025-12-01&onset-date=le2025-12-31",
        "{p}&abatement-date=2026-03-10",
        "{p}&recorded-date=gt2026-03-01",
        "{p}&_lastUpdated=gt2026-01-01T00:00:00Z",
    ),
    "Coverage": ("{p}",),
    "Device": ("{p}", "{p}&type=14106009", "{p}&status=active"),
    "DiagnosticReport": (
        "{p}",
        "{p}&category=LAB",
        f"{{p}}&category={TERMS}/v2-0074|LAB",
        f"{{p}}&code={LOINC}|24323-8",
        f"{{p}}&category=LAB&date=ge{WHEN}",
        "{p}&code=24323-8&date=le2026-03-04T17:30:00Z",
        "{p}&category=LAB&_lastUpdated=gt2026-01-01T00:00:00Z",
        "{p}&status=final,amended",
    ),
    "DocumentReference": (
        "{p}",
        "_id=documentreference-imagina",
        "{p}&category=clinical-note",
        "{p}&category=clinical-note&date=ge2026-03-04&date=lt2026-03-05",
        f"{{p}}&type={LOINC}|18842-5",
        "{p}&type=18842-5&period=ge2026-03-04",
        "{p}&status=current",
    ),
    "Encounter": (
        "{p}",
        "_id=encounter-imagina",
        "{p}&date=ge2026-03-04&date=le2026-03-06",
        f"{{p}}&date=ge{WHEN}",
        "{p}&class=IMP",
        "{p}&type=32485007",
        "{p}&location=ward",
        "{p}&status=finished",
        "{p}&_lastUpdated=gt2026-01-01T00:00:00Z",
        "identifier=urn:invented|visit-imagina",
    ),
    "Goal": ("{p}", "{p}&lifecycle-status=active", "{p}&target-date=2026-09-01"),
    "Immunization": ("{p}", "{p}&status=completed", "{p}&date=ge2026-02-01"),
    "MedicationDispense": ("{p}", "{p}&status=completed", "{p}&status=completed&type=FF"),
    "MedicationRequest": (
        "{p}&intent=order",
        "{p}&intent=order,plan",
        "{p}&intent=order,plan&status=active",
        "{p}&intent=order&encounter=encounter-imagina",
        "{p}&intent=order&authoredon=ge2026-03-04",
    ),
    "Observation": (
        "{p}",
        "{p}&category=survey",
        f"{{p}}&category={TERMS}/observation-category|survey",
        f"{{p}}&code={LOINC}|88122-7",
        f"{{p}}&code={LOINC}|88122-7,{LOINC}|72166-2",
        f"{{p}}&category=survey&date=ge{WHEN}",
        "{p}&category=survey&status=final,amended",
        "{p}&category=survey&_lastUpdated=gt2026-01-01T00:00:00Z",
        "{p}&code=88122-7&date=2026-03-04",
    ),
    "Procedure": ("{p}", "{p}&date=2026-03-04", "{p}&status=completed", "{p}&code=386053000&date=ge2026"),
    "QuestionnaireResponse": (
        "{p}",
        "_id=questionnaireresponse-imagina",
        "{p}&authored=ge2026-03-04",
        "{p}&status=completed",
        "{p}&questionnaire=https://invented.invalid/Questionnaire/needs",
    ),
    "RelatedPerson": ("{p}", "_id=relatedperson-imagina", "{p}&name=erfunden"),
    "ServiceRequest": (
        "{p}",
        "_id=servicerequest-imagina",
        f"{{p}}&category={SNOMED}|410606002",
        "{p}&category=410606002&authored=ge2026-03-04",
        "{p}&code=410606002",
        "{p}&code=410606002&authored=ge2026-03-04",
        "{p}&status=active",
    ),
    "Specimen": ("{p}", "_id=specimen-imagina"),
}
# type -> combination -> what it finds
OF_OTHERS: dict[str, dict[str, list[str]]] = {
    "Patient": {
        "_id=imagina": ["imagina"],
        "identifier=urn:invented|IMAGINA-1": ["imagina"],
        "identifier=IMAGINA-1": ["imagina"],
        "name=vymyslena": ["imagina"],
        "name=fantasia": ["imagina"],
        "birthdate=1957-05-06&name=imagina": ["imagina"],
        "gender=female&name=imagina": ["imagina"],
        "gender=male&name=imagina": [],
        "family=vymyslena&gender=female": ["imagina"],
        "birthdate=1957-05-06&family=vymyslena": ["imagina"],
        "death-date=2026-06-07&family=vymyslena": ["imagina"],
        "birthdate=ge1957": ["imagina", "nadie"],
    },
    "Practitioner": {
        "_id=doctor": ["doctor"],
        "name=inventada": ["doctor"],
        "identifier=http://hl7.org/fhir/sid/us-npi|0000000000": ["doctor"],
    },
    "PractitionerRole": {
        "_id=role": ["role"],
        "specialty=207Q00000X": ["role"],
        "practitioner=Practitioner/doctor": ["role"],
        "practitioner.identifier=http://hl7.org/fhir/sid/us-npi|0000000000": ["role"],
        "practitioner.name=inventada": ["role"],
    },
    "Organization": {"_id=plan": ["plan"], "name=plan": ["plan"], "address=nirgends": ["plan"]},
    "Location": {
        "name=ward": ["ward"],
        "address=nowhere": [],
        "address=1 nowhere": ["ward"],
        "address-city=nirgends": ["ward"],
        "address-state=CA": ["ward"],
        "address-postalcode=00000": ["ward"],
    },
}
SEARCHES = [
    *((kind, text, [f"{kind.lower()}-imagina"]) for kind, texts in OF_A_PATIENT.items() for text in texts),
    *((kind, text, ids) for kind, texts in OF_OTHERS.items() for text, ids in texts.items()),
]


def test_every_search_of_the_guide_finds_the_members_own_by_get_and_by_post(cast: Api) -> None:
    for kind, text, ids in SEARCHES:
        for member in ("patient=imagina", "patient=Patient/imagina"):
            asked = text.format(p=member).replace("+", "%2B")
            assert sorted(cast.found(f"/{kind}?{asked}")) == ids, asked
            posted = cast.form(f"/{kind}/_search", asked)
            assert posted.status_code == 200, posted.text
            assert sorted(e["resource"]["id"] for e in posted.json.get("entry", [])) == ids, asked


@pytest.mark.parametrize("kind", [one["resourceType"] for one in (MEMBER, *OF_MEMBER)])
def test_provenance_comes_along_and_is_kept_for_every_profiled_type(cast: Api, kind: str) -> None:
    identity = "imagina" if kind == "Patient" else f"{kind.lower()}-imagina"
    answer = cast.get(f"/{kind}?_id={identity}&_revinclude=Provenance:target").json
    found = [(e["resource"]["resourceType"], e["search"]["mode"]) for e in answer["entry"]]
    assert found == [(kind, "match"), ("Provenance", "include")]


@pytest.mark.parametrize("kind", [one["resourceType"] for one in (MEMBER, *OF_MEMBER)])
def test_a_scope_of_one_type_reads_and_searches_that_type_only(cast: Api, kind: str) -> None:
    """The client `tasks` may search Observation and read Patient; `reader` may read and not search."""
    identity = "imagina" if kind == "Patient" else f"{kind.lower()}-imagina"
    some = cast.as_("tasks")
    assert some.get(f"/{kind}/{identity}").status_code == (200 if kind == "Patient" else 403)
    assert some.get(f"/{kind}?_id={identity}").status_code == (200 if kind == "Observation" else 403)
    assert cast.as_("reader").get(f"/{kind}/{identity}").status_code == 200
    assert cast.as_("reader").get(f"/{kind}?_id={identity}").status_code == 403


def test_all_medications_come_with_what_they_refer_to(cast: Api) -> None:
    path = "/MedicationRequest?patient=imagina&intent=order,plan&_include=MedicationRequest:medication"
    found = [(e["resource"]["resourceType"], e["search"]["mode"]) for e in cast.get(path).json["entry"]]
    assert found == [("MedicationRequest", "match"), ("Medication", "include")]
    active = f"{path}&status=active"
    assert len(cast.get(active).json["entry"]) == 2
    assert "entry" not in cast.get(active.replace("active", "completed")).json


def test_a_practitioners_role_comes_with_endpoint_and_practitioner(cast: Api) -> None:
    both = "_include=PractitionerRole:endpoint&_include=PractitionerRole:practitioner"
    answer = cast.get(f"/PractitionerRole?specialty=207Q00000X&{both}")
    kinds = sorted(e["resource"]["resourceType"] for e in answer.json["entry"])
    assert kinds == ["Endpoint", "Practitioner", "PractitionerRole"]


def test_no_status_is_needed_and_none_is_hidden(cast: Api) -> None:
    """Nothing is filtered that the client did not ask for; a status nobody has finds nothing, with 200."""
    wrong = made("Observation", "wrong", status="entered-in-error", code={"text": "Invented"})
    cast.have(wrong | {"subject": {"reference": "Patient/imagina"}})
    assert sorted(cast.found("/Observation?patient=imagina")) == ["observation-imagina", "wrong"]
    assert cast.found("/Observation?patient=imagina&status=entered-in-error") == ["wrong"]
    assert cast.found("/Observation?patient=imagina&status=nobody-has-this") == []


def test_a_change_of_status_moves_the_time_it_is_found_by(cast: Api) -> None:
    before = cast.get("/Encounter/encounter-imagina").json
    since = before["meta"]["lastUpdated"]
    cast.have(before | {"status": "cancelled"})
    assert cast.found(f"/Encounter?patient=imagina&_lastUpdated=gt{since}") == ["encounter-imagina"]
    assert cast.get("/Encounter/encounter-imagina").json["meta"]["lastUpdated"] > since


# what a source may have to say where it knows little: kept and given back as it was sent
MISSING = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
UNKNOWN = concept(f"{TERMS}/data-absent-reason", "unknown")
SAID = {
    "the reason on a primitive": patient("1", name=[{"_family": {"extension": [MISSING]}}]),
    "only a text": made("Procedure", "1", status="unknown", subject={"display": "x"}, code={"text": "Invented"}),
    "unknown of the value set": made("Procedure", "1", status="unknown", subject={"display": "x"}, code=UNKNOWN),
    "a component without a value": made(
        "Observation",
        "1",
        status="final",
        code=concept(LOINC, "85354-9"),
        component=[{"code": concept(LOINC, "8480-6"), "dataAbsentReason": UNKNOWN}],
    ),
    "not given": made(
        "Immunization",
        "1",
        status="not-done",
        patient={"display": "x"},
        vaccineCode={"text": "Invented"},
        occurrenceDateTime="2026",
    ),
    "more codings than one": made(
        "Condition",
        "1",
        subject={"display": "x"},
        code={"coding": [*concept(SNOMED, "59621000")["coding"], {"system": "urn:local", "code": "x"}]},
    ),
    "entered in error, without a clinical status": made(
        "AllergyIntolerance",
        "1",
        patient={"display": "x"},
        verificationStatus=concept(f"{TERMS}/allergyintolerance-verification", "entered-in-error"),
    ),
    "an old name with its period": patient("1", name=[{"use": "old", "family": "x", "period": {"end": "2020"}}]),
    "a preferred language": patient(
        "1", communication=[{"language": concept("urn:ietf:bcp:47", "es"), "preferred": True}]
    ),
    "a contained Medication": made(
        "MedicationRequest",
        "1",
        status="active",
        intent="order",
        subject={"display": "x"},
        contained=[made("Medication", "m", code={"text": "Invented"})],
        medicationReference={"reference": "#m"},
    ),
}


@pytest.mark.parametrize("sent", SAID.values(), ids=SAID)
def test_what_a_source_says_of_missing_and_other_data_is_kept(api: Api, sent: Json) -> None:
    api.have(sent)
    held = api.get(f"/{sent['resourceType']}/1").json
    assert {name: part for name, part in held.items() if name != "meta"} == sent


def test_an_allergy_has_a_clinical_status_unless_it_was_entered_in_error(api: Api) -> None:
    said = made("AllergyIntolerance", "1", patient={"display": "x"})
    active = {"clinicalStatus": concept(f"{TERMS}/allergyintolerance-clinical", "active")}
    in_error = {"verificationStatus": concept(f"{TERMS}/allergyintolerance-verification", "entered-in-error")}
    refused(api.put("/AllergyIntolerance/1", said), 422, "invariant")
    refused(api.put("/AllergyIntolerance/1", said | active | in_error), 422, "invariant")
    api.have(said | active, said | in_error)


def test_a_required_code_may_not_be_replaced_by_text(api: Api) -> None:
    bad = made("Condition", "1", subject={"display": "x"}, clinicalStatus={"text": "active"})
    refused(api.put("/Condition/1", bad), 422, "code-invalid")
    refused(api.put("/Patient/1", patient("1", gender="M")), 422, "code-invalid")


def test_a_profile_that_a_resource_claims_is_kept_and_found(api: Api) -> None:
    claim = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"
    api.have(patient("1", meta={"profile": [claim]}), patient("2"))
    assert api.get("/Patient/1").json["meta"]["profile"] == [claim]
    assert api.found(f"/Patient?_profile={claim}") == ["1"]


def test_json_and_xml_hold_the_same(cast: Api) -> None:
    for one in OF_MEMBER:
        path = f"/{one['resourceType']}/{one['id']}"
        as_xml = cast.get(path, Accept="application/fhir+xml")
        cast.ask("PUT", path, as_xml.data, Content_Type="application/fhir+xml")
        assert json.loads(cast.get(path).data)["meta"]["versionId"] == "1"  # nothing had changed
