"""ConceptMap/$translate, and the hub's HCPCS maps. https://hl7.org/fhir/R4/conceptmap-operation-translate.html"""

from typing import Any

import pytest

from conformance.terminology.own import MODIFIER
from hub.fhir.systems import COMMUNITY_SUPPORT, HCPCS
from hub.problems import Problem
from tests.conformance.terminology.asking import ask, of, own, post, value

TO_HCPCS = own("ConceptMap", "community-support-to-hcpcs")
TO_SUPPORT = own("ConceptMap", "hcpcs-to-community-support")
TASK_MAP = "http://hl7.org/fhir/ConceptMap/sc-task-status"
TASK_STATUS = "http://hl7.org/fhir/task-status"


def matches(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """(equivalence, code) of each match."""
    found = [node["part"] for node in answer["parameter"] if node["name"] == "match"]
    return [(part[0]["valueCode"], part[1]["valueCoding"]["code"] if len(part) > 1 else "") for part in found]


def of_hcpcs(code: str, modifier: str = "", url: str = TO_SUPPORT, **more: Any) -> dict[str, Any]:
    concept = {"coding": [{"system": HCPCS, "code": modifier}]}
    parts = [{"name": "element", "valueUri": MODIFIER}, {"name": "concept", "valueCodeableConcept": concept}]
    nodes = [
        {"name": "url", "valueUri": url},
        {"name": "coding", "valueCoding": {"system": HCPCS, "code": code}},
        *([{"name": "dependency", "part": parts}] if modifier else []),
        *({"name": name, "valueBoolean": given} for name, given in more.items()),
    ]
    return post("ConceptMap/$translate", *nodes)


def test_an_official_map_translates_both_ways() -> None:
    there = ask("ConceptMap/$translate", url=TASK_MAP, system=TASK_STATUS, code="rejected")
    assert (value(there, "result"), matches(there)) == (True, [("equivalent", "declined")])
    system = "http://hl7.org/fhir/resource-status"
    back = ask("ConceptMap/$translate", url=TASK_MAP, system=system, code="declined", reverse="true")
    assert matches(back) == [("equivalent", "rejected")]


def test_a_code_without_match_is_no_match() -> None:
    answer = ask("ConceptMap/$translate", url=TASK_MAP, system=TASK_STATUS, code="nothing")
    assert (value(answer, "result"), matches(answer)) == (False, [])
    assert value(answer, "message").startswith("No match")


def test_a_community_support_becomes_hcpcs_codes_each_with_its_modifier() -> None:
    answer = ask("ConceptMap/$translate", url=TO_HCPCS, system=COMMUNITY_SUPPORT, code="housing-deposits")
    assert matches(answer) == [("relatedto", "H0044")]
    match = next(node["part"] for node in answer["parameter"] if node["name"] == "match")
    product = next(node["part"] for node in match if node["name"] == "product")
    assert product[0]["valueUri"] == MODIFIER
    assert product[1]["valueCoding"] == {"system": HCPCS, "code": "U2"}


@pytest.mark.parametrize(
    ("code", "modifier", "support"),
    [
        ("H0043", "U6", "housing-transition-navigation"),
        ("H0043", "U3", "short-term-post-hospitalization-housing"),
        ("H0043", "U2", "transitional-rent"),
        ("S5165", "U5", "asthma-remediation"),
        ("S5165", "U6", "environmental-accessibility"),
    ],
)
def test_a_hcpcs_code_means_a_service_with_its_modifier_only(code: str, modifier: str, support: str) -> None:
    assert matches(of_hcpcs(code, modifier)) == [("relatedto", support)]
    assert matches(of_hcpcs(code, modifier, TO_HCPCS, reverse=True)) == [("relatedto", support)]
    assert matches(of_hcpcs(code)) == []
    assert matches(of_hcpcs(code, "U9")) == []


def test_maps_are_found_by_their_source_and_target() -> None:
    given = {"source": own("ValueSet", "referral-status"), "target": "http://hl7.org/fhir/ValueSet/task-status"}
    answer = ask("ConceptMap/$translate", system=own("CodeSystem", "referral-status"), code="declined", **given)
    assert matches(answer) == [("equivalent", "rejected")]
    none = ask("ConceptMap/$translate", system=TASK_STATUS, code="draft", source="urn:example:none")
    assert value(none, "result") is False


def map_(*elements: dict[str, Any], url: str = "urn:example:map", **group: Any) -> dict[str, Any]:
    its = {"source": "urn:a", "target": "urn:b", "element": list(elements), **group}
    return {"resourceType": "ConceptMap", "url": url, "status": "active", "group": [its]}


def test_what_is_unmapped_is_answered_as_the_map_says() -> None:
    other = {"mode": "other-map", "url": "urn:example:other"}
    second = map_({"code": "x", "target": [{"code": "y", "equivalence": "wider"}]}, url="urn:example:other")
    for unmapped, expected in (
        ({"mode": "provided"}, [("equal", "x")]),
        ({"mode": "fixed", "code": "none"}, [("inexact", "none")]),
        (other, [("wider", "y")]),
    ):
        library = of(map_(unmapped=unmapped), second)
        assert matches(ask("ConceptMap/$translate", library, url="urn:example:map", system="urn:a", code="x")) == (
            expected
        )
    round_ = of(map_(unmapped={"mode": "other-map", "url": "urn:example:map"}))
    with pytest.raises(Problem, match="lead on to each other"):
        ask("ConceptMap/$translate", round_, url="urn:example:map", system="urn:a", code="x")


def test_backwards_wider_is_narrower_and_a_disjoint_target_is_no_match() -> None:
    wide = map_({"code": "x", "target": [{"code": "y", "equivalence": "wider"}]})
    back = ask("ConceptMap/$translate", instance=wide, system="urn:b", code="y", reverse="true")
    assert matches(back) == [("narrower", "x")]
    apart = map_({"code": "x", "target": [{"code": "y", "equivalence": "disjoint"}]})
    answer = ask("ConceptMap/$translate", instance=apart, system="urn:a", code="x")
    assert (value(answer, "result"), matches(answer)) == (False, [("disjoint", "y")])


def test_the_target_system_chooses_among_the_matches() -> None:
    given = {"url": TASK_MAP, "system": TASK_STATUS, "code": "draft"}
    assert matches(ask("ConceptMap/$translate", **given, targetsystem="http://hl7.org/fhir/resource-status"))
    assert not matches(ask("ConceptMap/$translate", **given, targetsystem="urn:example:other"))


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"url": "urn:example:none", "system": "urn:a", "code": "x"}, "not-found"),
        ({"system": "urn:a", "code": "x"}, "required"),
        ({"url": TASK_MAP, "system": TASK_STATUS}, "required"),
        ({"url": TASK_MAP, "code": "draft"}, "required"),
        ({"url": TASK_MAP, "system": TASK_STATUS, "code": "draft", "target": "urn:other"}, "contradiction"),
        ({"url": TASK_MAP, "system": TASK_STATUS, "code": "draft", "reverse": "perhaps"}, "value"),
        ({"url": TASK_MAP, "system": TASK_STATUS, "code": "draft", "version": "1"}, "not-supported"),
    ],
)
def test_a_translation_that_cannot_be_made_is_refused(given: dict[str, str], kind: str) -> None:
    with pytest.raises(Problem) as refused:
        ask("ConceptMap/$translate", **given)
    assert refused.value.kind == kind


def test_a_dependency_without_its_parts_is_refused() -> None:
    with pytest.raises(Problem, match="element and concept"):
        post("ConceptMap/$translate", {"name": "dependency", "part": [{"name": "element", "valueUri": "urn:x"}]})
