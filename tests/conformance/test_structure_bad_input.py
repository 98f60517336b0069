"""Bad content of one resource: each row names the rule, what is sent, the kind it answers and where.

Rows: https://hl7.org/fhir/R4/json.html, /datatypes.html, /references.html, /narrative.html, /domainresource.html
"""

import copy
from typing import Any

import pytest

from conformance.validation.structure import MAX_ISSUES, validate
from hub.problems import KINDS

XHTML = 'xmlns="http://www.w3.org/1999/xhtml"'
PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "zz-1",
    "name": [{"family": "Qwertyson", "given": ["Testina"]}],
    "gender": "female",
    "birthDate": "1980-02-29",
}
OBSERVATION: dict[str, Any] = {"resourceType": "Observation", "status": "final", "code": {"text": "invented"}}


def patient(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(PATIENT), **changes}


def observation(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(OBSERVATION), **changes}


def extension(**content: Any) -> dict[str, Any]:
    return patient(extension=[content])


def contained(inner: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return patient(contained=[inner], **changes)


def narrative(inside: str) -> dict[str, Any]:
    return patient(text={"status": "generated", "div": f"<div {XHTML}>{inside}</div>"})


ORGANIZATION = {"resourceType": "Organization", "id": "o", "name": "Invented"}
TO_O = {"reference": "#o"}

ROWS: list[tuple[str, dict[str, Any], str, str]] = [
    # characters
    ("U+0000 in a string", patient(name=[{"family": "a\0b"}]), "value", "Patient.name[0].family"),
    ("U+FFFE in a string", patient(name=[{"text": "a\ufffeb"}]), "value", "Patient.name[0].text"),
    ("U+FFFF in a code", patient(language="e\uffffn"), "value", "Patient.language"),
    ("U+FFFF in a uri", patient(implicitRules="urn:\uffff"), "value", "Patient.implicitRules"),
    ("U+0001 in a string", patient(name=[{"text": "a\x01b"}]), "value", "Patient.name[0].text"),
    ("U+001F in a uri", patient(implicitRules="a\x1fb"), "value", "Patient.implicitRules"),
    ("U+000B in markdown", observation(note=[{"text": "a\x0bb"}]), "value", "Observation.note[0].text"),
    ("U+0008 in a narrative", narrative("\x08"), "value", "Patient.text.div"),
    # the type
    ("no resourceType", {"id": "a"}, "structure", ""),
    ("resourceType unknown", {"resourceType": "Patiant"}, "structure", ""),
    ("resourceType abstract", {"resourceType": "DomainResource"}, "structure", ""),
    ("resourceType not a string", {"resourceType": ["Patient"]}, "structure", ""),
    # nothing there
    ("null", patient(gender=None), "structure", "Patient.gender"),
    ("null object", patient(maritalStatus=None), "structure", "Patient.maritalStatus"),
    ("empty string", patient(name=[{"family": ""}]), "structure", "Patient.name[0].family"),
    ("empty code", patient(gender=""), "structure", "Patient.gender"),
    ("empty array", patient(name=[]), "structure", "Patient.name"),
    ("empty object", patient(maritalStatus={}), "structure", "Patient.maritalStatus"),
    ("empty object in an array", patient(name=[{}]), "structure", "Patient.name[0]"),
    ("element with an id only", patient(name=[{"id": "n1"}]), "structure", "Patient.name[0]"),
    ("null in a list of objects", patient(name=[None]), "structure", "Patient.name[0]"),
    # unknown elements
    ("unknown element", patient(nickname="x"), "structure", "Patient"),
    ("__proto__", patient(__proto__={"a": 1}), "structure", "Patient"),
    ("constructor", patient(constructor={"a": 1}), "structure", "Patient"),
    ("unknown in a datatype", patient(name=[{"first": "x"}]), "structure", "Patient.name[0]"),
    ("sibling of an object", patient(_name=[{"id": "x"}]), "structure", "Patient"),
    # choice, array or single
    (
        "two types of a choice",
        observation(valueString="x", valueQuantity={"value": 1}),
        "structure",
        "Observation",
    ),
    (
        "a choice and the sibling of another",
        patient(
            deceasedBoolean=True, _deceasedDateTime={"extension": [{"url": "http://a.invalid/x", "valueCode": "a"}]}
        ),
        "structure",
        "Patient",
    ),
    (
        "two types in an extension",
        extension(url="http://a.invalid/x", valueString="x", valueCode="x"),
        "structure",
        "Patient.extension[0]",
    ),
    ("single where array", patient(name={"family": "x"}), "structure", "Patient.name"),
    ("array where single", patient(gender=["female"]), "structure", "Patient.gender"),
    ("object where primitive", patient(birthDate={"value": "1980"}), "structure", "Patient.birthDate"),
    (
        "lists of unequal length",
        patient(name=[{"given": ["A", "B"], "_given": [{"id": "x"}]}]),
        "structure",
        "Patient.name[0].given",
    ),
    ("null without a sibling", patient(name=[{"given": ["A", None]}]), "structure", "Patient.name[0].given"),
    (
        "null in both lists",
        patient(name=[{"given": ["A", None], "_given": [{"id": "x"}, None]}]),
        "structure",
        "Patient.name[0].given",
    ),
    ("null alone in the siblings", patient(name=[{"_given": [None]}]), "structure", "Patient.name[0].given"),
    # ids
    ("id of 65", patient(id="a" * 65), "value", "Patient.id"),
    ("id a_b", patient(id="a_b"), "value", "Patient.id"),
    ("id a/b", patient(id="a/b"), "value", "Patient.id"),
    ("id empty", patient(id=""), "value", "Patient.id"),
    ("id with a line end", patient(id="abc\n"), "value", "Patient.id"),
    ("element id with a space", patient(name=[{"id": "a b", "family": "x"}]), "value", "Patient.name[0].id"),
    # dates and times
    *[
        (f"date {text}", patient(birthDate=text), "value", "Patient.birthDate")
        for text in (
            "2026-02-30",
            "2026-04-31",
            "2023-02-29",
            "1900-02-29",
            "2026-13",
            "2026-00",
            "26-1-1",
            "2026-1-1",
            "2026-W01-1",
            "20260102",
            "0000",
            "2026-01-01T00:00:00Z",
            " 2026-01-01",
            "2026-01-01\n",
        )
    ],
    *[
        (f"dateTime {text}", observation(effectiveDateTime=text), "value", "Observation.effectiveDateTime")
        for text in (
            "2026-01-01T10:00:00",
            "2026-01-01T10:00Z",
            "2026-01-01T10Z",
            "2026-02-30T10:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T10:00:61Z",
            "2026-01-01T10:00:00+14:30",
            "2026-01-01 10:00:00Z",
        )
    ],
    *[
        (f"instant {text}", observation(issued=text), "value", "Observation.issued")
        for text in ("2026-01-01", "2026-01-01T24:00:00Z", "2026-01-01T10:00:00")
    ],
    ("time 25:00:00", observation(valueTime="25:00:00"), "value", "Observation.valueTime"),
    # primitives
    ("boolean as string", patient(active="true"), "value", "Patient.active"),
    ("number as string", observation(valueQuantity={"value": "1"}), "value", "Observation.valueQuantity.value"),
    ("string as number", patient(name=[{"family": 5}]), "value", "Patient.name[0].family"),
    ("integer 2^31", patient(multipleBirthInteger=2**31), "value", "Patient.multipleBirthInteger"),
    ("positiveInt 0", patient(telecom=[{"rank": 0}]), "value", "Patient.telecom[0].rank"),
    ("base64", patient(photo=[{"data": "abc"}]), "value", "Patient.photo[0].data"),
    ("base64 characters", patient(photo=[{"data": "ab-_"}]), "value", "Patient.photo[0].data"),
    ("uri with a space", patient(implicitRules="http://a b"), "value", "Patient.implicitRules"),
    ("code with two spaces", patient(language="en  US"), "value", "Patient.language"),
    ("string over 1 MB", patient(name=[{"text": "x" * (2**20 + 1)}]), "string-too-long", "Patient.name[0].text"),
    # required elements and codes
    ("required code", {"resourceType": "Observation", "code": {"text": "x"}}, "required", "Observation"),
    ("required object", {"resourceType": "Observation", "status": "final"}, "required", "Observation"),
    (
        "required choice",
        {"resourceType": "MedicationRequest", "status": "active", "intent": "order", "subject": {"display": "x"}},
        "required",
        "MedicationRequest",
    ),
    ("required in a backbone", patient(link=[{"type": "refer"}]), "required", "Patient.link[0]"),
    ("code outside its value set", patient(gender="M"), "code-invalid", "Patient.gender"),
    ("code in a backbone", patient(contact=[{"gender": "M"}]), "code-invalid", "Patient.contact[0].gender"),
    ("code as number", patient(gender=1), "value", "Patient.gender"),
    (
        "concept outside its value set",
        {"resourceType": "Condition", "subject": {"display": "x"}, "clinicalStatus": {"text": "active"}},
        "code-invalid",
        "Condition.clinicalStatus",
    ),
    # references
    (
        "reference to a wrong type",
        patient(managingOrganization={"reference": "Patient/1"}),
        "reference-target",
        "Patient.managingOrganization.reference",
    ),
    (
        "absolute reference to a wrong type",
        patient(managingOrganization={"reference": "https://a.invalid/fhir/Patient/1/_history/2"}),
        "reference-target",
        "Patient.managingOrganization.reference",
    ),
    (
        "Reference.type of a wrong type",
        patient(managingOrganization={"type": "Patient", "display": "x"}),
        "reference-target",
        "Patient.managingOrganization.type",
    ),
    ("reference without a type", observation(subject={"reference": "1"}), "value", "Observation.subject.reference"),
    (
        "reference to no type",
        observation(focus=[{"reference": "Patiant/1"}]),
        "value",
        "Observation.focus[0].reference",
    ),
    (
        "reference with ..",
        observation(focus=[{"reference": "Patient/../1"}]),
        "value",
        "Observation.focus[0].reference",
    ),
    (
        "conditional reference outside a transaction",
        observation(subject={"reference": "Patient?identifier=a|b"}),
        "value",
        "Observation.subject.reference",
    ),
    # contained
    (
        "contained in contained",
        contained({**ORGANIZATION, "contained": [ORGANIZATION]}, managingOrganization=TO_O),
        "invariant",
        "Patient.contained[0]",
    ),
    ("#x not found", patient(managingOrganization=TO_O), "invariant", "Patient.managingOrganization.reference"),
    ("contained, not referred to", contained(ORGANIZATION), "invariant", "Patient.contained[0]"),
    (
        "contained with a version",
        contained({**ORGANIZATION, "meta": {"versionId": "1"}}, managingOrganization=TO_O),
        "invariant",
        "Patient.contained[0]",
    ),
    (
        "contained with a label",
        contained({**ORGANIZATION, "meta": {"security": [{"code": "R"}]}}, managingOrganization=TO_O),
        "invariant",
        "Patient.contained[0]",
    ),
    (
        "two contained with one id",
        patient(contained=[ORGANIZATION, ORGANIZATION], managingOrganization=TO_O),
        "invariant",
        "Patient.contained[1]",
    ),
    (
        "#x not found, said in a contained resource",
        contained({**ORGANIZATION, "partOf": {"reference": "#p"}}, managingOrganization=TO_O),
        "invariant",
        "Patient.contained[0].partOf.reference",
    ),
    (
        "bad content in contained",
        contained({**ORGANIZATION, "active": "yes"}, managingOrganization=TO_O),
        "value",
        "Patient.contained[0].active",
    ),
    (
        "contained of no type",
        contained({"id": "o"}, managingOrganization=TO_O),
        "structure",
        "Patient.contained[0]",
    ),
    (
        "contained of an unknown type",
        contained({"resourceType": "Organisation", "id": "o"}, managingOrganization=TO_O),
        "structure",
        "Patient.contained[0]",
    ),
    # extensions
    ("no url", extension(valueString="x"), "value", "Patient.extension[0]"),
    ("relative url", extension(url="race", valueString="x"), "value", "Patient.extension[0].url"),
    (
        "relative url on a primitive",
        patient(_birthDate={"extension": [{"url": "time", "valueCode": "x"}]}),
        "value",
        "Patient.birthDate.extension[0].url",
    ),
    ("neither value nor extensions", extension(url="http://a.invalid/x"), "invariant", "Patient.extension[0]"),
    (
        "value and extensions",
        extension(url="http://a.invalid/x", valueCode="x", extension=[{"url": "a", "valueCode": "x"}]),
        "invariant",
        "Patient.extension[0]",
    ),
    (
        "nothing, with an id",
        extension(url="http://a.invalid/x", id="i"),
        "invariant",
        "Patient.extension[0]",
    ),
    (
        "unknown modifier extension",
        patient(modifierExtension=[{"url": "http://a.invalid/not", "valueBoolean": True}]),
        "extension",
        "Patient.modifierExtension[0]",
    ),
    (
        "unknown modifier extension deep inside",
        patient(
            contact=[
                {
                    "name": {"text": "x"},
                    "modifierExtension": [{"url": "http://a.invalid/not", "valueBoolean": True}],
                }
            ]
        ),
        "extension",
        "Patient.contact[0].modifierExtension[0]",
    ),
    # periods
    (
        "a period that ends before it starts",
        patient(name=[{"family": "x", "period": {"start": "2026-02", "end": "2026-01-31"}}]),
        "invariant",
        "Patient.name[0].period",
    ),
    (
        "a period that ends before it starts by its offset",
        observation(effectivePeriod={"start": "2026-01-01T00:30:00Z", "end": "2026-01-01T01:00:00+01:00"}),
        "invariant",
        "Observation.effectivePeriod",
    ),
    (
        "a period of a time and an earlier date",
        observation(effectivePeriod={"start": "2026-01-05T00:30:00Z", "end": "2026-01-03"}),
        "invariant",
        "Observation.effectivePeriod",
    ),
    # invariants of R4 itself
    ("a contact of nothing", patient(contact=[{"gender": "male"}]), "invariant", "Patient.contact[0]"),
    ("a contact point without its system", patient(telecom=[{"value": "1"}]), "invariant", "Patient.telecom[0]"),
    (
        "a quantity's code without its system, in an extension",
        patient(extension=[{"url": "http://a.invalid/q", "valueQuantity": {"value": 1, "code": "d"}}]),
        "invariant",
        "Patient.extension[0].valueQuantity",
    ),
    (
        "a value beside the reason why there is none",
        observation(valueBoolean=True, dataAbsentReason={"text": "x"}),
        "invariant",
        "Observation",
    ),
    (
        "an unsound contained resource",
        patient(contained=[{"resourceType": "Organization", "id": "o"}], managingOrganization={"reference": "#o"}),
        "invariant",
        "Patient.contained[0]",
    ),
    # narrative
    ("script", narrative("<script>x</script>"), "invalid", "Patient.text.div"),
]


@pytest.mark.parametrize(("resource", "kind", "where"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_bad_content_answers_its_kind_at_its_place(resource: dict[str, Any], kind: str, where: str) -> None:
    found = [(issue.kind, issue.where) for issue in validate(resource)]
    assert (kind, where) in found
    assert found[0] == (kind, where), "the first issue decides the status"


def test_every_kind_used_has_a_status() -> None:
    used = {row[2] for row in ROWS} | {"reference-target", "string-too-long", "extension"}
    assert used <= KINDS.keys()


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("reference-target", 422, "invalid"),
        ("extension", 422, "extension"),
        ("string-too-long", 400, "too-long"),
    ],
)
def test_kinds_of_content_have_the_status_and_issue_code_of_the_catalogue(
    kind: str, status: int, code: str
) -> None:
    assert (KINDS[kind].status, KINDS[kind].code) == (status, code)


def test_a_resource_of_another_type_than_the_url_is_invalid() -> None:
    bundle = {"resourceType": "Bundle", "type": "collection"}
    assert [(i.kind, i.where) for i in validate(bundle, "Patient")] == [("invalid", "Bundle")]
    assert validate(bundle, "Bundle") == []


def test_a_message_never_holds_the_content() -> None:
    marker = "Zanzibarovich"
    for resource in (
        patient(gender=marker, birthDate=marker, active=marker, id=f"{marker}_"),
        patient(**{f"{marker} x": 1, "name": {marker: [marker]}}),
        patient(managingOrganization={"reference": f"Patient/{marker}", "type": "Patient"}),
        narrative(f"<{marker}/>"),
        narrative(f'<p {marker}="{marker}">x</p>'),
        contained({**ORGANIZATION, "id": marker}, managingOrganization={"reference": f"#{marker}x"}),
        patient(modifierExtension=[{"url": f"http://{marker}.invalid", "valueString": marker}]),
        {"resourceType": marker},
    ):
        issues = validate(resource)
        assert issues
        assert marker not in repr(issues)


def test_at_most_twenty_issues_are_reported_and_always_the_same() -> None:
    many = patient(telecom=[{"rank": 0, "use": "x"} for _ in range(50)])
    first = validate(many)
    assert len(first) == MAX_ISSUES
    assert first == validate(copy.deepcopy(many))


def test_what_cannot_be_read_comes_before_what_breaks_a_rule() -> None:
    both = patient(gender="M", nickname="x", telecom=[{"rank": 0}])
    assert [KINDS[i.kind].status for i in validate(both)] == [400, 400, 422]


def test_a_very_large_bad_resource_is_refused_for_its_first_fault_only() -> None:
    many = patient(telecom=[{"rank": 0, "use": "x"} for _ in range(100_000)])
    assert len(validate(many)) == 1
