"""Each kind of rule that a profile can have: what holds it passes, what breaks it is told with its place."""

from pathlib import Path
from typing import Any

import pytest

from conformance.packages.catalog import Catalog
from conformance.profiles.policy import Policy
from conformance.profiles.validate import Validator
from tests.conformance.profiles.packs import BASE, element, extension, profile, write

PERSON = f"{BASE}/StructureDefinition/person"
PLAN = f"{BASE}/StructureDefinition/plan"
COLOR = f"{BASE}/StructureDefinition/color"
COUNTY, STATE = "https://county.example/ids", "https://state.example/ids"

_PERSON = profile(
    "person",
    "Patient",
    element("Patient.extension", slicing={"discriminator": [{"type": "value", "path": "url"}], "rules": "open"}),
    element("Patient.extension:color", max="1", type=[{"code": "Extension", "profile": [COLOR]}]),
    element(
        "Patient.identifier",
        min=1,
        slicing={"discriminator": [{"type": "value", "path": "system"}], "rules": "closed"},
    ),
    element("Patient.identifier:county", min=1, max="1"),
    element("Patient.identifier:county.system", min=1, max="1", fixedUri=COUNTY),
    element("Patient.identifier:county.value", min=1, max="1", maxLength=4),
    element("Patient.identifier:state", max="1"),
    element("Patient.identifier:state.system", min=1, max="1", patternUri=STATE),
    element("Patient.gender", min=1, max="1", type="code", binding={"strength": "required", "valueSet": "vs"}),
    element(
        "Patient.maritalStatus", max="1", type="CodeableConcept", patternCodeableConcept={"coding": [{"code": "M"}]}
    ),
    element("Patient.multipleBirth[x]", max="1", type="integer", maxValueInteger=3),
    element("Patient.photo", max="0"),
    element("Patient.deceased[x]", slicing={"discriminator": [{"type": "type", "path": "$this"}], "rules": "open"}),
    element("Patient.deceased[x]:deceasedDateTime", min=0, max="1", type="dateTime"),
    element(
        "Patient.name",
        constraint=[
            {"key": "c-1", "severity": "error", "human": "a name needs parts", "expression": "family.exists()"}
        ],
    ),
    element(
        "Patient.generalPractitioner",
        type=[{"code": "Reference", "targetProfile": ["http://hl7.org/fhir/StructureDefinition/Organization"]}],
    ),
    element(
        "Patient.managingOrganization",
        type=[{"code": "Reference", "targetProfile": [f"{BASE}/StructureDefinition/org"]}],
    ),
)
_ORG = profile("org", "Organization", element("Organization.name", min=1, max="1"))
_PLAN = profile(
    "plan",
    "CarePlan",
    element(
        "CarePlan.activity",
        slicing={"discriminator": [{"type": "exists", "path": "detail"}], "rules": "open", "ordered": True},
    ),
    element("CarePlan.activity:told", max="1"),
    element("CarePlan.activity:told.detail", min=1, max="1"),
    element("CarePlan.activity:referred", max="*"),
    element("CarePlan.activity:referred.detail", max="0"),
    element(
        "CarePlan.addresses", slicing={"discriminator": [{"type": "profile", "path": "resolve()"}], "rules": "open"}
    ),
    element(
        "CarePlan.addresses:active",
        min=1,
        type=[{"code": "Reference", "targetProfile": [f"{BASE}/StructureDefinition/active"]}],
    ),
)
_PLAN["snapshot"]["element"][-2]["slicing"]["discriminator"] = [{"type": "value", "path": "resolve().code"}]
_ACTIVE = profile(
    "active", "Condition", element("Condition.code", min=1, max="1", patternCodeableConcept={"text": "active"})
)
_NO_SNAPSHOT = {**profile("thin", "Patient"), "snapshot": {}}


class Terms:
    """`vs` has the code female of any system; nobody knows the rest."""

    def member(self, value_set: str, system: str, code: str) -> bool | None:
        return code == "female" if value_set == "vs" else None

    def exists(self, system: str, code: str) -> bool | None:
        return code == "known" if system == COUNTY else None


@pytest.fixture(scope="module")
def validator(tmp_path_factory: pytest.TempPathFactory) -> Validator:
    folder = tmp_path_factory.mktemp("packages")
    write(folder, "county", "1.0.0", _PERSON, _PLAN, _ORG, _ACTIVE, _NO_SNAPSHOT, extension("color", "code"))
    return Validator(Catalog.of_folder(Path(folder)), Terms())


def person(**more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "meta": {"profile": [PERSON]},
        "identifier": [{"system": COUNTY, "value": "12"}],
        "gender": "female",
        **more,
    }


def contained(element_name: str, **more: Any) -> dict[str, Any]:
    return person(
        contained=[{"resourceType": "Organization", "id": "o", **more}], **{element_name: {"reference": "#o"}}
    )


GOOD = {
    "the least": person(),
    "both identifiers": person(identifier=[{"system": STATE}, {"system": COUNTY, "value": "1"}]),
    "a known extension": person(extension=[{"url": COLOR, "valueCode": "red"}]),
    "an unknown extension": person(extension=[{"url": "https://other.example/x", "valueCode": "red"}]),
    "more than the pattern": person(maritalStatus={"coding": [{"code": "M", "system": "https://a.example"}]}),
    "a target of the right type": person(generalPractitioner=[{"reference": "Organization/1"}]),
    "a target of unknown type": person(generalPractitioner=[{"reference": "urn:uuid:1"}]),
    "a contained target that holds its profile": contained("managingOrganization", name="x"),
    "the other type of a choice": person(deceasedBoolean=False),
}

BAD = [
    (
        "nothing claimed is there",
        {"resourceType": "Patient", "meta": {"profile": [PERSON]}},
        "profile-required",
        "Patient",
    ),
    (
        "a closed slicing",
        person(identifier=[{"system": COUNTY, "value": "1"}, {"value": "2"}]),
        "profile-structure",
        "Patient.identifier[1]",
    ),
    ("a slice missing", person(identifier=[{"system": STATE}]), "profile-required", "Patient"),
    ("a slice twice", person(identifier=[{"system": COUNTY, "value": "1"}] * 2), "profile-structure", "Patient"),
    (
        "an element of a slice missing",
        person(identifier=[{"system": COUNTY}]),
        "profile-required",
        "Patient.identifier[0]",
    ),
    (
        "too long",
        person(identifier=[{"system": COUNTY, "value": "12345"}]),
        "profile-value",
        "Patient.identifier[0].value",
    ),
    ("a code outside a required binding", person(gender="male"), "code-invalid", "Patient.gender"),
    (
        "not the pattern",
        person(maritalStatus={"coding": [{"code": "S"}]}),
        "profile-value",
        "Patient.maritalStatus",
    ),
    ("a type of a choice", person(multipleBirthBoolean=True), "profile-structure", "Patient.multipleBirthBoolean"),
    ("past the greatest", person(multipleBirthInteger=4), "profile-value", "Patient.multipleBirthInteger"),
    ("an element that is ruled out", person(photo=[{"title": "x"}]), "profile-structure", "Patient"),
    ("a constraint", person(name=[{"family": "x"}, {"text": "y"}]), "invariant", "Patient.name[1]"),
    (
        "a target's type",
        person(generalPractitioner=[{"reference": "Practitioner/1"}]),
        "reference-target",
        "Patient.generalPractitioner[0]",
    ),
    (
        "a contained target's profile",
        contained("managingOrganization", active=True, identifier=[{"value": "1"}]),
        "reference-target",
        "Patient.managingOrganization",
    ),
    (
        "an extension's value",
        person(extension=[{"url": COLOR, "valueString": "red"}]),
        "profile-structure",
        "Patient.extension[0].valueString",
    ),
    (
        "an extension's place",
        person(name=[{"family": "x", "extension": [{"url": COLOR, "valueCode": "r"}]}]),
        "extension",
        "Patient.name[0].extension[0]",
    ),
    (
        "an extension twice",
        person(extension=[{"url": COLOR, "valueCode": "r"}] * 2),
        "profile-structure",
        "Patient",
    ),
]


@pytest.mark.parametrize("resource", GOOD.values(), ids=GOOD)
def test_what_holds_the_profile_has_no_error(validator: Validator, resource: dict[str, Any]) -> None:
    assert [issue for issue in validator.validate(resource) if issue.severity == "error"] == []


@pytest.mark.parametrize(("resource", "kind", "where"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_what_breaks_the_profile_is_told(
    validator: Validator, resource: dict[str, Any], kind: str, where: str
) -> None:
    found = validator.validate(resource)
    assert (kind, where) in [(issue.kind, issue.where) for issue in found if issue.severity == "error"]


def plan(*activities: dict[str, Any], problem: str = "active") -> dict[str, Any]:
    return {
        "resourceType": "CarePlan",
        "meta": {"profile": [PLAN]},
        "status": "active",
        "intent": "plan",
        "subject": {"reference": "Patient/1"},
        "contained": [
            {
                "resourceType": "Condition",
                "id": "c",
                "clinicalStatus": {
                    "coding": [
                        {"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}
                    ]
                },
                "code": {"text": problem},
                "subject": {"reference": "Patient/1"},
            }
        ],
        "addresses": [{"reference": "#c"}],
        **({"activity": list(activities)} if activities else {}),
    }


TOLD, REFERRED = {"detail": {"status": "in-progress"}}, {"reference": {"reference": "ServiceRequest/1"}}


def test_slices_by_existence_keep_their_order_and_number(validator: Validator) -> None:
    assert validator.validate(plan(TOLD, REFERRED, REFERRED)) == []
    assert [i.where for i in validator.validate(plan(REFERRED, TOLD))] == ["CarePlan.activity[1]"]
    assert [i.message for i in validator.validate(plan(TOLD, TOLD))] == [
        "activity:told: at most 1 allowed, 2 found"
    ]


def test_a_code_that_its_system_does_not_have_is_told(validator: Validator) -> None:
    codings = [
        {"system": COUNTY, "code": "known"},
        {"system": COUNTY, "code": "new"},
        {"system": STATE, "code": "x"},
    ]
    found = validator.validate(person(communication=[{"language": {"coding": codings}}]))
    assert [(i.kind, i.where) for i in found] == [
        ("code-invalid", "Patient.communication[0].language.coding[1].code")
    ]


def test_a_slice_is_found_through_a_reference(validator: Validator) -> None:
    found = validator.validate(plan(problem="past"))
    assert [i.message for i in found] == ["addresses:active: at least 1 needed, 0 found"]


@pytest.mark.parametrize(
    ("canonical", "message"),
    [
        ("https://nobody.example/p", "No loaded package has the profile: it was not validated"),
        (f"{PERSON}|7.0.0", "No loaded package has the profile: it was not validated"),
        (f"{BASE}/StructureDefinition/thin", "The profile has no snapshot: it was not validated"),
    ],
)
def test_a_profile_that_cannot_be_used_is_a_warning(validator: Validator, canonical: str, message: str) -> None:
    found = validator.validate({"resourceType": "Patient", "active": True}, canonical)
    assert [(i.severity, i.message) for i in found] == [("warning", message)]


def test_a_profile_for_another_type_is_an_error(validator: Validator) -> None:
    found = validator.validate({"resourceType": "Patient", "active": True}, PLAN)
    assert [(i.kind, i.severity) for i in found] == [("profile-structure", "error")]


def test_the_profile_asked_for_is_validated_without_a_claim(validator: Validator) -> None:
    assert [i.kind for i in validator.validate({"resourceType": "Patient", "active": True}, PERSON)]


def test_the_base_specification_comes_first(validator: Validator) -> None:
    assert [i.kind for i in validator.validate(person(gender="F"))] == ["code-invalid"]


def test_the_mode_decides_what_is_looked_at(validator: Validator) -> None:
    assert validator.validate(person(), mode="create") == []
    assert [i.kind for i in validator.validate(person(), mode="update")] == ["required"]
    assert validator.validate({"resourceType": "Patient", "gender": "F"}, mode="delete") == []


def test_a_claim_of_a_resource_in_a_bundle_is_validated(validator: Validator) -> None:
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": person(gender="male")}]}
    assert [i.where for i in validator.validate(bundle)] == ["Bundle.entry[0].resource.gender"]


BROKEN = person(gender="male")


@pytest.mark.parametrize(
    ("refuses", "warned", "client", "count"),
    [(True, (), "a", 1), (True, ("a",), "a", 0), (True, ("a",), "b", 1), (False, (), "a", 0)],
)
def test_the_policy_decides_by_client(
    validator: Validator, refuses: bool, warned: tuple[str, ...], client: str, count: int
) -> None:
    policy = Policy(lambda: validator, refuses, frozenset(warned))
    assert len(policy.issues(BROKEN, client)) == count


def test_what_claims_nothing_is_not_looked_at() -> None:
    def never() -> Validator:
        raise AssertionError

    assert Policy(never, True).issues({"resourceType": "Patient"}, "a") == []
