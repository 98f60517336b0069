"""$lookup, $validate-code and $subsumes. https://hl7.org/fhir/R4/codesystem-operations.html"""

from typing import Any

import pytest

from hub.problems import Problem
from tests.conformance.terminology.asking import THING, ask, of, own, post, things, value, value_set

ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
SNOMED = "http://snomed.info/sct"
GENDERS = "http://hl7.org/fhir/administrative-gender"
GENDER = "http://hl7.org/fhir/ValueSet/administrative-gender"
FINDINGS = "http://hl7.org/fhir/ValueSet/clinical-findings"
POPULATIONS = own("CodeSystem", "population-of-focus")


def coded(system: str, code: str, **more: str) -> dict[str, Any]:
    return {"name": "coding", "valueCoding": {"system": system, "code": code, **more}}


def properties(answer: dict[str, Any]) -> dict[str, Any]:
    rows = [node["part"] for node in answer["parameter"] if node["name"] == "property"]
    return {part[0]["valueCode"]: next(v for k, v in part[1].items() if k.startswith("value")) for part in rows}


def test_a_look_up_tells_name_version_display_and_properties() -> None:
    found = ask("CodeSystem/$lookup", system=POPULATIONS, code="1b")
    assert value(found, "name") == "PopulationOfFocus"
    assert value(found, "version") == "1"
    assert value(found, "display") == "Families and unaccompanied youth experiencing homelessness"
    assert properties(found) == {"for-adults": True, "for-children": True, "inactive": False}


def test_a_look_up_tells_hierarchy_and_designations_and_only_the_properties_asked_for() -> None:
    library = of(things())
    found = ask("CodeSystem/$lookup", library, system=THING, code="dog")
    assert properties(found) == {"inactive": False, "parent": "animal", "child": "puppy"}
    word = next(node for node in found["parameter"] if node["name"] == "designation")
    assert word["part"] == [{"name": "language", "valueCode": "de"}, {"name": "value", "valueString": "Hund"}]
    one = ask("CodeSystem/$lookup", library, system=THING, code="dog", property="parent")
    assert properties(one) == {"parent": "animal"}
    assert not [node for node in one["parameter"] if node["name"] == "designation"]


def test_a_look_up_takes_a_coding_or_one_code_system() -> None:
    assert value(post("CodeSystem/$lookup", coded(GENDERS, "male")), "display") == "Male"
    assert value(ask("CodeSystem/$lookup", instance=things(), code="cat"), "display") == "Cat"


@pytest.mark.parametrize(
    ("given", "kind", "says"),
    [
        ({"system": SNOMED, "code": "73211009"}, "not-found", "code-system not here: http://snomed.info/sct"),
        ({"system": "http://loinc.org", "code": "1-8"}, "not-found", "code-system not here"),
        ({"system": GENDERS, "code": "none"}, "not-found", "The code is not in http://hl7.org/fhir/admin"),
        ({"system": GENDERS, "version": "3.0.1", "code": "male"}, "not-found", r"not here: .*\|3.0.1"),
        ({"system": own("CodeSystem", "referral-status"), "code": "x"}, "not-found", "as far as it is here"),
        ({"code": "male"}, "required", "system"),
        ({"system": GENDERS}, "required", "Exactly one"),
        ({"system": GENDERS, "code": "male", "displayLanguage": "de"}, "not-supported", "English"),
        ({"system": GENDERS, "code": "male", "date": "2020"}, "not-supported", "not served"),
        ({"system": GENDERS, "code": "male", "usage": "x"}, "not-supported", "no parameter"),
    ],
)
def test_a_look_up_that_cannot_be_answered_is_refused(given: dict[str, str], kind: str, says: str) -> None:
    with pytest.raises(Problem, match=says) as refused:
        ask("CodeSystem/$lookup", **given)
    assert refused.value.kind == kind


def test_an_instance_is_not_named_a_second_time() -> None:
    with pytest.raises(Problem) as refused:
        ask("CodeSystem/$lookup", instance=things(), system=THING, code="cat")
    assert refused.value.kind == "contradiction"


def judged(operation: str, *args: Any, **given: Any) -> tuple[bool, str]:
    answer = ask(operation, *args, **given)
    return value(answer, "result"), value(answer, "message") or ""


@pytest.mark.parametrize(
    ("given", "result", "says"),
    [
        ({"url": GENDER, "system": GENDERS, "code": "male"}, True, ""),
        ({"url": GENDER, "code": "male"}, True, ""),
        ({"url": GENDER, "system": GENDERS, "code": "Male"}, False, "not in the value set"),
        ({"url": GENDER, "system": SNOMED, "code": "male"}, False, "not in the value set"),
        ({"url": GENDER, "system": GENDERS, "code": "male", "display": "male"}, True, ""),
        ({"url": GENDER, "system": GENDERS, "code": "male", "display": "Female"}, False, "display"),
        (
            {"url": FINDINGS, "system": SNOMED, "code": "73211009"},
            False,
            "unknown: code-system not here: http://sn",
        ),
        ({"url": FINDINGS, "system": GENDERS, "code": "male"}, False, "not in the value set"),
        (
            {"url": own("ValueSet", "referral-status"), "code": "accepted"},
            False,
            "unknown: the code system is here only in part",
        ),
        ({"url": own("ValueSet", "referral-status"), "code": "declined"}, True, ""),
        ({"url": own("ValueSet", "population-of-focus-child"), "code": "5"}, False, "not in the value set"),
    ],
)
def test_a_code_is_in_a_value_set_or_not_or_not_known(given: dict[str, str], result: bool, says: str) -> None:
    found, message = judged("ValueSet/$validate-code", **given)
    assert found is result
    assert message.startswith(says) or says in message


@pytest.mark.parametrize(
    ("given", "result", "says"),
    [
        ({"code": "dog"}, True, ""),
        ({"code": "fish"}, False, "not in the code system"),
        ({"code": "dog", "display": "dog "}, True, ""),
        ({"code": "dog", "display": "Hund"}, True, ""),
        ({"code": "dog", "display": "Cat"}, False, "display"),
        ({"code": "animal"}, False, "abstract"),
        ({"code": "animal", "abstract": "true"}, True, ""),
        ({"code": "stone"}, True, "no longer active"),
    ],
)
def test_a_code_is_in_a_code_system_or_not(given: dict[str, str], result: bool, says: str) -> None:
    for answer in (
        judged("CodeSystem/$validate-code", of(things()), url=THING, **given),
        judged("CodeSystem/$validate-code", instance=things(), **given),
        judged(
            "ValueSet/$validate-code", of(things(), value_set({"system": THING})), url="urn:example:set", **given
        )
        if given["code"] != "fish"
        else (result, says),
    ):
        assert answer[0] is result
        assert says in answer[1]


def test_a_code_of_a_system_that_is_not_here_or_only_in_part_is_unknown() -> None:
    assert judged("CodeSystem/$validate-code", url=SNOMED, code="1") == (
        False,
        "unknown: code-system not here: http://snomed.info/sct",
    )
    part = judged("CodeSystem/$validate-code", of(things("fragment")), url=THING, code="fish")
    assert part == (False, "unknown: the code system is here only in part")


def test_case_matters_unless_the_system_says_it_does_not() -> None:
    assert judged("CodeSystem/$validate-code", of(things()), url=THING, code="DOG")[0] is False
    assert judged("CodeSystem/$validate-code", of(things(caseSensitive=False)), url=THING, code="DOG")[0] is True


def test_a_concept_is_valid_where_one_of_its_codings_is() -> None:
    url = {"name": "url", "valueUri": GENDER}
    codings = [{"system": SNOMED, "code": "1"}, {"system": GENDERS, "code": "male"}]
    concept = {"name": "codeableConcept", "valueCodeableConcept": {"coding": codings}}
    assert value(post("ValueSet/$validate-code", url, concept), "result") is True
    assert value(post("ValueSet/$validate-code", url, coded(GENDERS, "male")), "display") == "Male"
    assert value(post("ValueSet/$validate-code", url, coded(GENDERS, "nobody")), "result") is False
    other = post("CodeSystem/$validate-code", {"name": "url", "valueUri": THING}, coded(GENDERS, "male"))
    assert (value(other, "result"), value(other, "message")) == (False, "The coding is of another code system")


@pytest.mark.parametrize(
    ("operation", "nodes", "kind"),
    [
        ("ValueSet", [{"name": "url", "valueUri": GENDER}], "required"),
        ("ValueSet", [{"name": "url", "valueUri": "urn:example:none"}, coded(GENDERS, "male")], "not-found"),
        ("ValueSet", [coded(GENDERS, "male")], "required"),
        ("ValueSet", [{"name": "url", "valueUri": GENDER}, {"name": "code", "valueInteger": 1}], "value"),
        ("ValueSet", [{"name": "url", "valueUri": GENDER}] * 2, "duplicate"),
        ("ValueSet", [{"name": "valueSet", "resource": {"resourceType": "Patient"}}], "value"),
        ("ValueSet", [{"name": "url", "valueUri": GENDER}, {"name": "coding", "valueCoding": {}}], "required"),
        (
            "ValueSet",
            [{"name": "url", "valueUri": GENDER}, {"name": "coding", "valueCoding": {"code": ["x"]}}],
            "structure",
        ),
        ("ValueSet", [{"name": "url", "valueUri": own("ValueSet", "none")}, coded(GENDERS, "x")], "not-found"),
        ("CodeSystem", [{"name": "code", "valueCode": "male"}], "required"),
        ("CodeSystem", [coded(GENDERS, "male"), {"name": "code", "valueCode": "male"}], "required"),
        ("CodeSystem", ["coding"], "not-supported"),
        ("CodeSystem", [coded(GENDERS, "male")] * 101, "too-costly"),
    ],
)
def test_a_request_that_cannot_be_understood_is_refused(operation: str, nodes: list[Any], kind: str) -> None:
    with pytest.raises(Problem) as refused:
        post(f"{operation}/$validate-code", *nodes)
    assert refused.value.kind == kind


def test_a_bare_code_needs_a_system_where_the_value_set_has_several() -> None:
    two = value_set({"system": THING}, {"system": GENDERS})
    with pytest.raises(Problem, match="several code systems"):
        ask("ValueSet/$validate-code", of(things(), two), url="urn:example:set", code="dog")


@pytest.mark.parametrize(
    ("a", "b", "outcome"),
    [
        ("dog", "dog", "equivalent"),
        ("animal", "puppy", "subsumes"),
        ("puppy", "animal", "subsumed-by"),
        ("dog", "cat", "not-subsumed"),
    ],
)
def test_one_code_subsumes_another_along_the_hierarchy(a: str, b: str, outcome: str) -> None:
    assert value(ask("CodeSystem/$subsumes", of(things()), system=THING, codeA=a, codeB=b), "outcome") == outcome
    assert value(ask("CodeSystem/$subsumes", instance=things(), codeA=a, codeB=b), "outcome") == outcome


def test_a_hierarchy_of_parts_subsumes_nothing() -> None:
    library = of(things(hierarchyMeaning="part-of"))
    assert value(ask("CodeSystem/$subsumes", library, system=THING, codeA="animal", codeB="dog"), "outcome") == (
        "not-subsumed"
    )


def test_a_second_parent_given_as_property_counts() -> None:
    found = ask("CodeSystem/$subsumes", system=ACT_CODE, codeA="_ActPharmacySupplyType", codeB="FFCS")
    assert value(found, "outcome") == "subsumes"


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"system": SNOMED, "codeA": "1", "codeB": "2"}, "not-found"),
        ({"system": GENDERS, "codeA": "male", "codeB": "none"}, "not-found"),
        ({"system": GENDERS, "codeA": "male"}, "required"),
        ({"codeA": "male", "codeB": "female"}, "required"),
    ],
)
def test_a_comparison_that_cannot_be_made_is_refused(given: dict[str, str], kind: str) -> None:
    with pytest.raises(Problem) as refused:
        ask("CodeSystem/$subsumes", **given)
    assert refused.value.kind == kind


def test_codes_of_different_systems_are_not_compared() -> None:
    a = {"name": "codingA", "valueCoding": {"system": GENDERS, "code": "male"}}
    b = {"name": "codingB", "valueCoding": {"system": POPULATIONS, "code": "2"}}
    with pytest.raises(Problem) as refused:
        post("CodeSystem/$subsumes", a, b)
    assert refused.value.kind == "contradiction"
