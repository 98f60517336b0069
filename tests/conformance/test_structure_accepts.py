"""What R4 allows must pass: each row is a form of content that a careless validator refuses."""

from decimal import Decimal
from typing import Any

import pytest

from conformance.validation import schema
from conformance.validation.structure import validate, validate_bundle_shell
from hub.fhir.json import read

ABSENT = {
    "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
}
OBSERVATION = {"resourceType": "Observation", "status": "final", "code": {"text": "invented"}}
URN = "urn:uuid:00000000-0000-4000-8000-000000000001"


def patient(**content: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", **content}


def observation(**content: Any) -> dict[str, Any]:
    return {**OBSERVATION, **content}


ROWS: list[tuple[str, dict[str, Any]]] = [
    ("nothing but its type", patient()),
    ("TAB, LF and CR", patient(name=[{"text": "a\tb\r\nc"}])),
    ("bidi override and zero-width", patient(name=[{"family": "a\u202eb\u200bc"}])),
    ("no-break space, astral character", patient(name=[{"family": "a\u00a0b \U0001f600"}])),
    ("a string of 1 MB", patient(name=[{"text": "x" * 2**20}])),
    ("id of 64", patient(id="A-z.0" + "9" * 59)),
    ("a decimal with its digits", observation(valueQuantity={"value": Decimal("72.50")})),
    ("a whole decimal", observation(valueQuantity={"value": Decimal("72.0")})),
    ("a decimal with an exponent", observation(valueQuantity={"value": Decimal("1.2e-7")})),
    ("an integer decimal", observation(valueQuantity={"value": 72})),
    ("leap day", patient(birthDate="2000-02-29")),
    ("month and year", patient(birthDate="1980-02")),
    ("year", patient(birthDate="0001")),
    ("dateTime with many digits", observation(effectiveDateTime="2026-01-01T10:00:00.123456789-08:00")),
    ("leap second of the specification's expression", observation(issued="2016-12-31T23:59:60Z")),
    ("offset +14:00", observation(issued="2026-01-01T10:00:00+14:00")),
    ("base64 with line ends", patient(photo=[{"contentType": "image/png", "data": "YWJj\r\nYWI=\n"}])),
    ("a primitive by its sibling only", patient(_birthDate=ABSENT)),
    ("a required primitive by its sibling only", {**OBSERVATION, "status": "final", "_status": {"id": "s"}}),
    ("a required code by extension", {"resourceType": "Observation", "_status": ABSENT, "code": {"text": "x"}}),
    ("value and sibling of one choice", patient(deceasedBoolean=True, _deceasedBoolean={"id": "d"})),
    ("aligned lists", patient(name=[{"given": ["A", None], "_given": [None, ABSENT]}])),
    ("siblings only", patient(name=[{"_given": [ABSENT]}])),
    ("extension of extensions with relative urls", patient(extension=[
        {"url": "http://a.invalid/race", "extension": [{"url": "text", "valueString": "x"}]}])),
    ("extension with an id", patient(extension=[{"id": "e", "url": "urn:oid:1.2.3", "valueBoolean": False}])),
    ("extension on a value by its sibling", patient(
        extension=[{"url": "http://a.invalid/x", "_valueCode": ABSENT}])),
    ("extensible binding, other code", patient(
        maritalStatus={"coding": [{"system": "http://a.invalid", "code": "Q"}]})),
    ("relative reference with version", observation(subject={"reference": "Patient/1/_history/2"})),
    ("absolute reference", observation(subject={"reference": "https://a.invalid/fhir/Patient/1"})),
    ("urn:uuid and urn:oid", observation(subject={"reference": URN}, focus=[{"reference": "urn:oid:1.2.3"}])),
    ("absolute reference to what is no FHIR server", observation(subject={"reference": "https://a.invalid/d?id=7"})),
    ("reference by identifier", observation(subject={"type": "Patient", "identifier": {"value": "x"}})),
    ("a logical type that is no R4 resource", observation(subject={"type": "http://a.invalid/T", "display": "x"})),
    ("itself", patient(link=[{"type": "refer", "other": {"reference": "#"}}])),
    ("period open at one end", patient(name=[{"text": "x", "period": {"start": "2026"}}])),
    ("period of one day", patient(name=[{"text": "x", "period": {"start": "2026-01-01", "end": "2026-01"}}])),
    ("period whose order is open", observation(
        effectivePeriod={"start": "2026-01-02T01:00:00+14:00", "end": "2026-01-01"})),
    ("content reference", {"resourceType": "Questionnaire", "status": "draft", "item": [
        {"linkId": "1", "type": "group", "item": [{"linkId": "1.1", "type": "string"}]}]}),
    ("contained that refers to its container", patient(contained=[
        {"resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "x"},
         "subject": {"reference": "#"}}])),
    ("contained that another contained refers to", patient(
        contained=[
            {"resourceType": "Organization", "id": "a", "name": "x", "partOf": {"reference": "#b"}},
            {"resourceType": "Organization", "id": "b", "name": "y"},
        ],
        managingOrganization={"reference": "#a"})),
    ("an element named resourceType", {"resourceType": "ExampleScenario", "status": "draft", "instance": [
        {"resourceId": "a", "resourceType": "Patient", "name": "x"}]}),
]  # fmt: skip


@pytest.mark.parametrize("resource", [row[1] for row in ROWS], ids=[row[0] for row in ROWS])
def test_what_r4_allows_passes(resource: dict[str, Any]) -> None:
    assert validate(resource) == []


def test_an_integer_written_with_a_fraction_is_refused() -> None:
    body = read(b'{"resourceType":"Patient","multipleBirthInteger":2.0}')
    assert [(i.kind, i.where) for i in validate(body)] == [("value", "Patient.multipleBirthInteger")]


def test_a_conditional_reference_passes_inside_a_transaction_only() -> None:
    resource = observation(subject={"reference": "Patient?identifier=http://a.invalid|1"})
    assert validate(resource, "Observation", conditional_references=True) == []
    assert [i.kind for i in validate(resource, "Observation")] == ["value"]


def test_a_conditional_reference_to_a_wrong_type_is_refused_even_there() -> None:
    resource = observation(subject={"reference": "Practitioner?identifier=1"})
    assert [i.kind for i in validate(resource, conditional_references=True)] == ["reference-target"]


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    request = {"method": "POST", "url": "Patient"}
    entries = [
        {"fullUrl": f"{URN[:-2]}{place:02}", "resource": resource, "request": request}
        for place, resource in enumerate(resources)
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def test_a_bundle_is_refused_for_what_is_in_its_entries() -> None:
    found = validate(bundle(patient(), patient(gender="M"), {"resourceType": "Nothing"}))
    assert [(i.kind, i.where) for i in found] == [
        ("structure", "Bundle.entry[2].resource"),
        ("code-invalid", "Bundle.entry[1].resource.gender"),
    ]


def test_the_shell_of_a_bundle_is_checked_without_the_content_of_its_entries() -> None:
    assert validate_bundle_shell(bundle(patient(gender="M"))) == []
    broken = bundle(patient())
    broken["entry"][0]["request"]["method"] = "FETCH"
    broken["entry"][0]["fullUri"] = URN
    assert [(i.kind, i.where) for i in validate_bundle_shell(broken)] == [
        ("structure", "Bundle.entry[0]"),
        ("code-invalid", "Bundle.entry[0].request.method"),
    ]


def test_the_shell_of_a_bundle_must_be_a_bundle_whose_entries_hold_resources() -> None:
    assert [i.kind for i in validate_bundle_shell(patient())] == ["invalid"]
    assert [i.kind for i in validate_bundle_shell({"resourceType": "Bundle"})] == ["required"]
    assert [(i.kind, i.where) for i in validate_bundle_shell(bundle({"id": "a"}))] == [
        ("structure", "Bundle.entry[0].resource")
    ]


def test_local_references_stay_inside_their_own_resource_in_a_bundle() -> None:
    holder = patient(
        contained=[{"resourceType": "Organization", "id": "o", "name": "x"}],
        managingOrganization={"reference": "#o"},
    )
    stranger = patient(managingOrganization={"reference": "#o"})
    assert [i.where for i in validate(bundle(holder, stranger))] == [
        "Bundle.entry[1].resource.managingOrganization.reference"
    ]


def test_every_resource_type_has_a_schema_that_compiles() -> None:
    assert len(schema.resource_types()) == 146
    assert set(schema.TOGETHER) <= schema.resource_types()
    assert '"Patient.contact":' in schema.document(("Patient",))
    assert '"Claim.item":' not in schema.document(("Patient",)), "only what a type can reach is compiled"


def test_a_type_outside_the_common_ones_is_compiled_when_first_seen() -> None:
    assert "VisionPrescription" not in schema.TOGETHER
    found = validate({"resourceType": "VisionPrescription", "status": "M"})
    assert {i.kind for i in found} == {"required", "code-invalid"}
