"""Numbers and quantities: what digits mean, what a prefix finds, which units a quantity is asked with."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.search.criterion import NumberValue, criterion
from hub.search.match import NUMBER_PREFIX, matches
from hub.search.numbers import LEAST, MOST, chord, numbers, quantities, searched
from hub.search.parsing import PREFIXES

UCUM = "http://unitsofmeasure.org"

# https://hl7.org/fhir/R4/search.html#number and #quantity
DIGITS = {
    "100": (99.5, 100.5),
    "100.00": (99.995, 100.005),
    "1e2": (95.0, 105.0),
    "5.4": (5.35, 5.45),
    "0.8": (0.75, 0.85),
    "-5": (-5.5, -4.5),
    "+5": (4.5, 5.5),
    "0": (-0.5, 0.5),
    "2.0e1": (19.5, 20.5),
}


@pytest.mark.parametrize(("text", "wanted"), DIGITS.items(), ids=DIGITS)
def test_a_number_means_what_its_digits_say(text: str, wanted: tuple[float, float]) -> None:
    found = searched(text)
    assert found is not None
    assert found[1] == wanted


@pytest.mark.parametrize(
    "text", ["", ".5", "5.", "1e", "1e301", "1e-301", "NaN", "Infinity", "0x1", "1_0", "٥", "5 ", "5\n", "9" * 65]
)
def test_what_is_no_decimal_means_nothing(text: str) -> None:
    assert searched(text) is None


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=4))
def test_a_number_finds_itself_as_it_is_written(number: Decimal) -> None:
    found = criterion("RiskAssessment", "probability", f"{number:f}").values[0]
    assert isinstance(found, NumberValue)
    assert NUMBER_PREFIX["eq"](found, (float(number), float(number)))


# a searched 100, against what a resource says
HELD = {
    "100": ((100, 100), "eq ge le ap"),
    "99.5": ((99.5, 99.5), "eq lt le eb ap"),
    "100.5": ((100.5, 100.5), "ne gt ge sa ap"),
    "90": ((90, 90), "ne lt le eb ap"),
    "89": ((89, 89), "ne lt le eb"),
    "110": ((110, 110), "ne gt ge sa ap"),
    "111": ((111, 111), "ne gt ge sa"),
    "99.9 to 100.1": ((99.9, 100.1), "eq gt lt ge le ap"),
    "50 to 150": ((50, 150), "ne gt lt ge le ap"),
    "100 and more": ((100, MOST), "ne gt ge le ap"),
    "up to 100": ((LEAST, 100), "ne lt ge le ap"),
}


@pytest.mark.parametrize(("held", "found_by"), HELD.values(), ids=HELD)
def test_a_prefix_finds_what_the_table_says(held: tuple[float, float], found_by: str) -> None:
    found = []
    for prefix in PREFIXES:
        value = criterion("RiskAssessment", "probability", f"{prefix}100").values[0]
        assert isinstance(value, NumberValue)
        found += [prefix] if NUMBER_PREFIX[prefix](value, held) else []
    assert sorted(found) == sorted(found_by.split())


def test_numbers_are_decimals_and_integers_only() -> None:
    assert list(numbers(Decimal("1.50"))) == [(1.5, 1.5)]
    assert [list(numbers(node)) for node in (True, "1", None, {}, {"value": 1})] == [[]] * 5


def spans(node: Any) -> list[tuple[float, float]]:
    return [(found.low, found.high) for found in quantities(node)]


def test_a_comparator_or_a_range_makes_an_interval() -> None:
    assert spans({"value": 5}) == [(5, 5)]
    assert spans({"value": 5, "comparator": "<="}) == [(LEAST, 5)]
    assert spans({"value": 5, "comparator": ">="}) == [(5, MOST)]
    assert 4.9 < spans({"value": 5, "comparator": "<"})[0][1] < 5
    assert 5 < spans({"value": 5, "comparator": ">"})[0][0] < 5.1
    assert spans({"low": {"value": 1}, "high": {"value": 2}}) == [(1, 2)]
    assert spans({"low": {"value": 1}}) == [(1, MOST)]
    assert spans({"high": {"value": 2}}) == [(LEAST, 2)]
    assert spans({"low": {"unit": "mg"}}) == []
    assert spans({"origin": {"value": 0}, "period": 10, "dimensions": 1, "data": "1 2"}) == [], "SampledData"
    assert spans({"unit": "mg"}) == spans("5") == []


UNITS = {
    "5": True,
    f"5|{UCUM}|mg": True,
    "5||mg": True,
    "5||milligram": True,
    "5|urn:other|mg": False,
    f"5|{UCUM}|milligram": False,
    "5||g": False,
    "6||mg": False,
}


@pytest.mark.parametrize(("text", "wanted"), UNITS.items(), ids=UNITS)
def test_a_quantity_is_asked_with_or_without_its_unit(text: str, wanted: bool) -> None:
    held = {"value": 5, "unit": "milligram", "system": UCUM, "code": "mg"}
    found = {"resourceType": "Observation", "valueQuantity": held}
    assert matches([criterion("Observation", "value-quantity", text)], found) is wanted


def test_money_has_its_currency_for_a_unit() -> None:
    invoice = {"resourceType": "Invoice", "totalNet": {"value": Decimal("9.99"), "currency": "USD"}}
    for text, wanted in {"9.99||USD": True, "9.99|urn:iso:std:iso:4217|USD": True, "9.99||EUR": False}.items():
        assert matches([criterion("Invoice", "totalnet", text)], invoice) is wanted


def test_a_distance_in_another_unit_is_the_same_distance() -> None:
    assert chord(1609.344, "m") == pytest.approx(chord(1, "[mi_i]"))
    assert chord(1.0, "furlong") is None
    assert chord(1e9, "km") == pytest.approx(2), "nothing is farther than the other side of the Earth"
