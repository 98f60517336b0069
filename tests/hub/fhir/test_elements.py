"""The table of elements: what is inside a type, in which order, with its traits."""

import tracemalloc

import pytest

from hub.fhir.elements import elements_of
from hub.fhir.types import resource_types


@pytest.mark.parametrize(
    ("holder", "names"),
    [
        ("Bundle.entry", "id extension modifierExtension link fullUrl resource search request response"),
        ("Period", "id extension start end"),
        ("Element", "id extension"),
        ("Narrative", "id extension status div"),
    ],
)  # fmt: skip
def test_elements_stand_in_their_official_order(holder: str, names: str) -> None:
    assert list(elements_of(holder)) == names.split()
    assert [e.order for e in elements_of(holder).values()] == list(range(len(names.split())))


def test_a_choice_is_expanded_to_its_types() -> None:
    found = [e for e in elements_of("Patient").values() if e.choice == "deceased"]
    assert [(e.name, e.type, e.primitive) for e in found] == [
        ("deceasedBoolean", "boolean", True),
        ("deceasedDateTime", "dateTime", True),
    ]
    quantity = elements_of("Observation")["valueQuantity"]
    assert (quantity.type, quantity.primitive, quantity.summary, quantity.many) == ("Quantity", False, True, False)
    assert len([e for e in elements_of("Extension").values() if e.choice == "value"]) == 50


@pytest.mark.parametrize(
    ("holder", "name", "trait", "expected"),
    [
        ("Patient", "name", "many", True),
        ("Patient", "birthDate", "many", False),
        ("Observation", "status", "required", True),
        ("Patient", "active", "modifier", True),
        ("Patient", "contact", "summary", False),
        ("Patient", "id", "attribute", False),
        ("Patient", "id", "type", "id"),
        ("HumanName", "id", "attribute", True),
        ("HumanName", "id", "type", "string"),
        ("Extension", "url", "attribute", True),
        ("Patient", "contact", "type", "Patient.contact"),
        ("Patient", "contained", "type", "Resource"),
        ("Questionnaire.item", "item", "type", "Questionnaire.item"),
        ("Bundle.entry", "link", "type", "Bundle.link"),
        ("Timing", "repeat", "type", "Timing.repeat"),
        ("Narrative", "div", "type", "xhtml"),
    ],
)
def test_an_element_has_its_traits(holder: str, name: str, trait: str, expected: object) -> None:
    assert getattr(elements_of(holder)[name], trait) == expected


@pytest.mark.parametrize("name", ["", "holder", "Patiant", "string", "Patient.name"])
def test_nothing_is_inside_what_is_no_holder(name: str) -> None:
    assert dict(elements_of(name)) == {}


def holders() -> list[str]:
    """Every holder that can be reached from the resource types."""
    found: dict[str, None] = dict.fromkeys(sorted(resource_types()))
    for holder in (waiting := list(found)):
        for element in elements_of(holder).values():
            if not element.primitive and element.type not in found:
                found[element.type] = None
                waiting.append(element.type)
    return list(found)


def test_whatever_is_reached_has_elements() -> None:
    assert [holder for holder in holders() if holder != "Resource" and not elements_of(holder)] == []


def test_all_holders_together_take_less_than_8_mb() -> None:
    names = holders()
    elements_of.cache_clear()
    tracemalloc.start()
    try:
        for name in names:
            elements_of(name)
        assert tracemalloc.get_traced_memory()[0] < 8_000_000
    finally:
        tracemalloc.stop()
