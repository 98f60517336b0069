"""What kind of visit a claim tells of, and which CalAIM service a line is: two tables, looked up.

Rules: docs/plan-837.md; `x12_visit_kind` (the first row that fits, by its order; a row fits where each column
that is not empty does), `x12_services` (HCPCS code and modifier, the modifier in any place of the line)
- A line whose modifiers name several services names none: a person must look.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from fhir_mappings.plan import x12_tables
from fhir_mappings.plan.x12_elements import Element, coding
from hub.feeds.records import Feed
from hub.fhir.systems import OWN

Values = Mapping[str, Any]
SERVICES = OWN + "CodeSystem/"  # then the name of the code system in the table


def visit_kind(values: Values, feed: Feed) -> Mapping[str, str]:
    """The row of the table."""
    rows = [row for found in x12_tables.rows(feed, "x12_visit_kind").values() for row in found]
    told = _told(values)
    return next(row for row in sorted(rows, key=_order) if _fits(row, told))


def services(line: Values, feed: Feed) -> list[Element]:
    """The coding of the CalAIM service, or nothing."""
    table = x12_tables.rows(feed, "x12_services")
    found = {
        (row["system"], row["service"]): row["display"]
        for modifier in line.get("modifiers", ())
        for row in table.get((line.get("code", ""), modifier), ())
    }
    if len(found) != 1:
        return []
    ((system, service), display), *_ = found.items()
    return [coding(SERVICES + system, service, display)]


def _order(row: Mapping[str, str]) -> int:
    return int(row["order"])


def _told(values: Values) -> Mapping[str, list[str]]:
    lines = values.get("lines", ())
    places = [values.get("place", ""), *(line.get("place", "") for line in lines)]
    return {
        "bill_types": [values.get("bill_type", "")],
        "revenues": [line.get("revenue", "") for line in lines],
        "procedures": [line.get("code", "") for line in lines],
        "places": places,
    }


def _fits(row: Mapping[str, str], told: Mapping[str, list[str]]) -> bool:
    return all(not row[column] or any(_within(text, row[column]) for text in said) for column, said in told.items())


def _within(text: str, listed: str) -> bool:
    return any(first <= text <= last and len(text) == len(first) for first, last in _ranges(listed))


@cache
def _ranges(listed: str) -> tuple[tuple[str, str], ...]:
    """`0450-0459 0981`"""
    return tuple(_pair(one) for one in listed.split())


def _pair(one: str) -> tuple[str, str]:
    first, _, last = one.partition("-")
    return first, last or first
