"""ValueSet/$expand. https://hl7.org/fhir/R4/valueset-operation-expand.html"""

from typing import Any

import pytest

from conformance.terminology import expand
from hub.problems import Problem
from tests.conformance.terminology.asking import THING, ask, codes, of, own, post, things, value_set

ALL = ["animal", "dog", "puppy", "cat", "stone"]
GENDER = "http://hl7.org/fhir/ValueSet/administrative-gender"


def include(op: str = "", property_: str = "concept", value: str = "", **more: Any) -> dict[str, Any]:
    chosen = {"filter": [{"property": property_, "op": op, "value": value}]} if op else {}
    return {"system": THING, **chosen, **more}


def expanded(*includes: dict[str, Any], **more: Any) -> list[str]:
    return codes(ask("ValueSet/$expand", of(things(), value_set(*includes, **more)), url="urn:example:set"))


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (include(), ALL),
        (include(concept=[{"code": "cat"}, {"code": "dog"}]), ["cat", "dog"]),
        (include(concept=[{"code": "cat"}, {"code": "no such code"}]), ["cat"]),
        (include("is-a", value="dog"), ["dog", "puppy"]),
        (include("is-a", "code", "dog"), ["dog", "puppy"]),
        (include("descendent-of", value="animal"), ["dog", "puppy", "cat"]),
        (include("is-not-a", value="dog"), ["animal", "cat", "stone"]),
        (include("generalizes", value="puppy"), ["animal", "dog", "puppy"]),
        (include("in", "code", "cat, stone"), ["cat", "stone"]),
        (include("not-in", "code", "cat,stone"), ["animal", "dog", "puppy"]),
        (include("=", "colour", "red"), ["puppy"]),
        (include("=", "parent", "animal"), ["dog", "cat"]),
        (include("=", "child", "puppy"), ["dog"]),
        (include("=", "inactive", "true"), ["stone"]),
        (include("in", "colour", "red,black"), ["puppy", "cat"]),
        (include("exists", "colour", "true"), ["puppy", "cat"]),
        (include("exists", "colour", "false"), ["animal", "dog", "stone"]),
        (include("regex", "code", "[a-d]..|s.*"), ["dog", "cat", "stone"]),
        (include("regex", "display", ".*o.*"), ["dog", "stone"]),
        (include("is-a", value="no such code"), []),
    ],
)
def test_an_include_has_the_codes_its_filter_says(chosen: dict[str, Any], expected: list[str]) -> None:
    assert expanded(chosen) == expected


def test_what_is_excluded_is_out_and_what_is_included_twice_is_in_once() -> None:
    assert expanded(include(), include("is-a", value="dog"), exclude=[include("is-a", value="dog")]) == [
        "animal",
        "cat",
        "stone",
    ]


def test_several_filters_hold_together() -> None:
    both = {"system": THING, "filter": [*include("is-a", value="animal")["filter"]]}
    both["filter"] += include("exists", "colour", "true")["filter"]
    assert expanded(both) == ["puppy", "cat"]


def test_inactive_codes_are_out_where_the_compose_says_so() -> None:
    assert expanded(include(), inactive=False) == ALL[:-1]


def test_an_import_is_the_codes_of_the_other_value_set_and_several_their_intersection() -> None:
    dogs = value_set(include("is-a", value="dog"), url="urn:example:dogs")
    red = value_set(include("=", "colour", "red"), url="urn:example:red")

    def importing(**node: Any) -> list[str]:
        library = of(things(), dogs, red, value_set(node))
        return codes(ask("ValueSet/$expand", library, url="urn:example:set"))

    assert importing(valueSet=["urn:example:dogs"]) == ["dog", "puppy"]
    assert importing(valueSet=["urn:example:dogs", "urn:example:red"]) == ["puppy"]
    assert importing(system=THING, valueSet=["urn:example:red"]) == ["puppy"]


def test_the_text_filter_and_the_page_choose_among_the_codes() -> None:
    library = of(things(), value_set(include()))
    assert codes(ask("ValueSet/$expand", library, url="urn:example:set", filter="DO")) == ["dog"]
    page = ask("ValueSet/$expand", library, url="urn:example:set", offset="1", count="2")
    assert (codes(page), page["expansion"]["total"], page["expansion"]["offset"]) == (["dog", "puppy"], 5, 1)


def test_flags_leave_out_or_show_more() -> None:
    library = of(things(), value_set(include()))
    assert codes(ask("ValueSet/$expand", library, url="urn:example:set", activeOnly="true")) == ALL[:-1]
    assert codes(ask("ValueSet/$expand", library, url="urn:example:set", excludeNotForUI="true")) == ALL[1:]
    more = ask(
        "ValueSet/$expand", library, url="urn:example:set", includeDesignations="true", includeDefinition="true"
    )
    assert more["compose"]["include"] == [include()]
    assert more["expansion"]["contains"][1]["designation"] == [{"language": "de", "value": "Hund"}]
    assert more["expansion"]["contains"][0]["abstract"] is True
    assert more["expansion"]["contains"][4]["inactive"] is True


def test_the_answer_says_what_it_rests_on() -> None:
    expansion = ask("ValueSet/$expand", url=GENDER)["expansion"]
    assert {"name": "version", "valueUri": "http://hl7.org/fhir/administrative-gender|4.0.1"} in expansion[
        "parameter"
    ]
    assert expansion["identifier"].startswith("urn:uuid:")
    assert expansion["contains"][0]["display"] == "Male"


def test_a_value_set_of_a_fragment_is_marked_unclosed() -> None:
    known = ask("ValueSet/$expand", url=own("ValueSet", "referral-status"))["expansion"]
    assert known["extension"] == [{"url": expand.UNCLOSED, "valueBoolean": True}]
    assert "extension" not in ask("ValueSet/$expand", url=GENDER)["expansion"]


def test_a_value_set_in_the_request_or_an_instance_is_expanded() -> None:
    inline = value_set({"system": "http://loinc.org", "concept": [{"code": "1-8", "display": "Shown"}]})
    assert codes(post("ValueSet/$expand", {"name": "valueSet", "resource": inline})) == ["1-8"]
    assert codes(ask("ValueSet/$expand", instance=inline)) == ["1-8"]


def test_a_stored_expansion_stands_in_for_a_system_that_is_not_here() -> None:
    stored = value_set({"system": "http://loinc.org"})
    stored["expansion"] = {"total": 1, "contains": [{"system": "http://loinc.org", "code": "1-8"}]}
    assert codes(ask("ValueSet/$expand", instance=stored)) == ["1-8"]
    stored["expansion"]["total"] = 2
    with pytest.raises(Problem, match="code-system not here"):
        ask("ValueSet/$expand", instance=stored)


@pytest.mark.parametrize(
    ("node", "kind", "says"),
    [
        ({"system": "http://snomed.info/sct"}, "processing", r"code-system not here: http://snomed\.info/sct"),
        ({"system": THING, "version": "1"}, "processing", r"code-system not here: urn:example:thing\|1"),
        ({"valueSet": ["urn:example:none"]}, "processing", "the value set urn:example:none is not here"),
        ({"valueSet": ["urn:example:set"]}, "processing", "includes itself"),
        (include("like", value="dog"), "processing", "operator"),
        (include("=", "weight", "1"), "processing", "property"),
        (include("is-a", "display", "Dog"), "processing", "for the property 'concept'"),
        (include("regex", "code", "("), "processing", "regular expression"),
        (include("regex", "code", "(?=a)a"), "processing", "regular expression"),
        (include("regex", "code", "a" * 501), "processing", "500 characters"),
        ({"concept": [{"code": "dog"}]}, "processing", "names nothing"),
    ],
)
def test_what_cannot_be_expanded_is_refused_by_name(node: dict[str, Any], kind: str, says: str) -> None:
    with pytest.raises(Problem, match=says) as refused:
        expanded(node)
    assert refused.value.kind == kind


def test_value_sets_that_include_each_other_are_refused() -> None:
    one = value_set({"valueSet": ["urn:example:two"]}, url="urn:example:one")
    two = value_set({"valueSet": ["urn:example:one"]}, url="urn:example:two")
    with pytest.raises(Problem, match="includes itself"):
        ask("ValueSet/$expand", of(one, two), url="urn:example:one")


def test_too_many_codes_or_parts_are_too_costly() -> None:
    many = value_set({"system": "urn:example:many", "concept": [{"code": str(n)} for n in range(10_001)]})
    doubling = [value_set(*[{"valueSet": [f"urn:example:{n + 1}"]}] * 2, url=f"urn:example:{n}") for n in range(12)]
    for library, url in ((of(many), "urn:example:set"), (of(*doubling, things()), "urn:example:0")):
        with pytest.raises(Problem) as refused:
            ask("ValueSet/$expand", library, url=url)
        assert refused.value.kind in ("too-costly", "processing")
    with pytest.raises(Problem) as refused:
        ask("ValueSet/$expand", of(many), url="urn:example:set", count="10")
    assert refused.value.kind == "too-costly"
    last = value_set(include(), url="urn:example:12")
    with pytest.raises(Problem, match="parts"):
        ask("ValueSet/$expand", of(*doubling, last, things()), url="urn:example:0")


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"url": "urn:example:none"}, "not-found"),
        ({"url": GENDER, "valueSetVersion": "9"}, "not-found"),
        ({}, "required"),
        ({"url": GENDER, "offset": "-1"}, "value"),
        ({"url": GENDER, "count": "-1"}, "value"),
        ({"url": GENDER, "count": "x"}, "value"),
        ({"url": GENDER, "activeOnly": "yes"}, "value"),
        ({"url": GENDER, "displayLanguage": "es"}, "not-supported"),
        ({"url": GENDER, "context": "Patient.gender"}, "not-supported"),
        ({"url": GENDER, "date": "2020-01-01"}, "not-supported"),
        ({"url": GENDER, "force-system-version": "a|1"}, "not-supported"),
        ({"url": GENDER, "colour": "red"}, "not-supported"),
        ({"valueSet": "{}"}, "value"),
    ],
)
def test_parameters_that_are_wrong_or_not_served_are_refused(given: dict[str, str], kind: str) -> None:
    with pytest.raises(Problem) as refused:
        ask("ValueSet/$expand", **given)
    assert refused.value.kind == kind


def test_english_and_flat_are_what_is_answered_anyway() -> None:
    assert len(codes(ask("ValueSet/$expand", url=GENDER, displayLanguage="en", excludeNested="false"))) == 4
