"""Numbers, quantities and positions: what a node says, and what a search asks for.

Rules: https://hl7.org/fhir/R4/search.html#number, #quantity, https://hl7.org/fhir/R4/location.html#search (near)
A resource's number is taken as it is; a Range or a `comparator` makes it an interval [low, high], closed at both
ends. A searched number means an interval by its digits: 100 is [99.5, 100.5), 100.00 is [99.995, 100.005), and 1e2
is [95, 105), as the specification's table has it (a mantissa without a point counts as one with `.0`).
SampledData has many values and no single one: it is not found by a quantity.
Refuses: what is no decimal, and exponents past 300 (None; the caller says which parameter).
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Interval = tuple[float, float]

# past every number that a resource can hold (hub.fhir.json.MAX_EXPONENT), and no infinity
LEAST, MOST = -1e305, 1e305
MAX_LENGTH, MAX_EXPONENT = 64, 300
CURRENCIES = "urn:iso:std:iso:4217"  # https://hl7.org/fhir/R4/datatypes.html#Money
EARTH_KM = 6371.0088  # mean radius
# https://ucum.org codes of length, in km
LENGTHS = {"km": 1.0, "m": 0.001, "[mi_i]": 1.609344, "[mi_us]": 6336 / 3937}

_NUMBER = re.compile(r"[+-]?\d+(?:\.(?P<fraction>\d+))?(?:[eE](?P<exponent>[+-]?\d{1,4}))?\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity's interval and every unit it can be asked with; `codes` are its code and its unit's text."""

    low: float
    high: float
    system: str
    code: str
    codes: tuple[str, ...]


def numbers(node: Any) -> Iterator[Interval]:
    """A decimal or an integer."""
    if isinstance(node, int | float | Decimal) and not isinstance(node, bool):
        yield float(node), float(node)


# https://hl7.org/fhir/R4/valueset-quantity-comparator.html
_COMPARED: Mapping[str, Callable[[float], Interval]] = {
    "<": lambda number: (LEAST, math.nextafter(number, LEAST)),
    "<=": lambda number: (LEAST, number),
    ">=": lambda number: (number, MOST),
    ">": lambda number: (math.nextafter(number, MOST), MOST),
}


def quantities(node: Any) -> Iterator[Quantity]:
    """A Quantity and its like (Age, Duration, Money, …), or a Range."""
    if not isinstance(node, dict):
        return
    if "low" in node or "high" in node:
        yield from _range(node)
    elif (number := next(numbers(node.get("value")), None)) is not None:
        compared = _COMPARED.get(node.get("comparator", ""))
        low, high = compared(number[0]) if compared else number
        if "currency" in node:
            yield Quantity(low, high, CURRENCIES, node["currency"], (node["currency"],))
        else:
            yield _quantity(low, high, node)


def _quantity(low: float, high: float, unit: dict[str, Any]) -> Quantity:
    code, words = unit.get("code", ""), unit.get("unit", "")
    codes = (code,) if code == words else (code, words)
    return Quantity(low, high, unit.get("system", ""), code, tuple(filter(None, codes)))


def _range(node: dict[str, Any]) -> Iterator[Quantity]:
    ends = [next(numbers(node.get(end, {}).get("value")), None) for end in ("low", "high")]
    if any(ends):
        low, high = ends[0], ends[1]
        unit = node.get("low") or node.get("high") or {}
        yield _quantity(low[0] if low else LEAST, high[1] if high else MOST, unit)


def searched(text: str) -> tuple[float, Interval] | None:
    """A searched number and the interval its digits mean."""
    found = _NUMBER.match(text) if len(text) <= MAX_LENGTH else None
    if found is None or abs(exponent := int(found["exponent"] or 0)) > MAX_EXPONENT:
        return None
    digits = len(found["fraction"] or "") or (1 if found["exponent"] else 0)
    number, half = Decimal(text), Decimal(5).scaleb(exponent - digits - 1)
    exact = float(number)
    # a double has some 15 digits: with more of them the interval must still hold its own number
    return exact, (float(number - half), max(float(number + half), math.nextafter(exact, MOST)))


def around(number: float) -> Interval:
    """`ap`: 10 % to both sides. https://hl7.org/fhir/R4/search.html#prefix"""
    gap = abs(number) / 10
    return number - gap, number + gap


Point = tuple[float, float, float]


def positions(node: Any) -> Iterator[Point]:
    """A Location.position as a point on the unit sphere: distances there are sums and products, which every
    database computes alike."""
    if isinstance(node, dict):
        latitude, longitude = (next(numbers(node.get(name)), None) for name in ("latitude", "longitude"))
        if latitude and longitude:
            yield point(latitude[0], longitude[0])


def point(latitude: float, longitude: float) -> Point:
    north, east = math.radians(latitude), math.radians(longitude)
    return math.cos(north) * math.cos(east), math.cos(north) * math.sin(east), math.sin(north)


def chord(distance: float, unit: str) -> float | None:
    """The straight line through the unit sphere below a distance on the ground; None for an unknown unit."""
    if unit not in LENGTHS:
        return None
    angle = min(distance * LENGTHS[unit] / EARTH_KM, math.pi)
    return 2 * math.sin(angle / 2)
