"""The code lists of CalOMS Tx that are known, and what a local deployment adds to them.

Rules: code values as they were verified against the DHCS "CalOMS Tx Data Dictionary", file version 3.0 (October
2024); the layout of the state's file is not published, so the columns are the hub's own (docs/county-bh.md). The
SNOMED CT and LOINC codes beside them are those of US Core 6.1.0 (pregnancy) and of housing status.
`options.codes` of a feed adds codes: {element: {code: display}}.
Refuses: a code without a row (Unmapped).
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from fhir_mappings.county_bh.elements import Element, filled
from hub.feeds.records import Feed, Unmapped
from hub.fhir.systems import OWN, SNOMED

CALOMS = OWN + "CodeSystem/caloms-"  # and the element, in small letters
ADMISSION, DISCHARGE, ANNUAL_UPDATE = "admission", "discharge", "annual-update"
# TRN-1. 2, 3, 5, 6, 8 and 9 are resubmissions and deletions: which is which is not published (options.record_types)
RECORD_TYPES: Mapping[str, str] = {"1": ADMISSION, "4": DISCHARGE, "7": ANNUAL_UPDATE}
DELETION = "deletion"  # a value of options.record_types, as `admission deletion`
DATA_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
ABSENT: Mapping[str, str] = {
    "99900": "asked-declined",
    "99901": "asked-unknown",
    "99902": "not-applicable",
    "99904": "unknown",
}


@dataclass(frozen=True, slots=True)
class Item:
    """A column. `value` is `code`, `codes`, or the largest number that may stand there."""

    column: str
    element: str
    code: str
    display: str
    category: tuple[str, ...]
    value: str
    loinc: str


@cache
def items() -> tuple[Item, ...]:
    return tuple(Item(**{**row, "category": tuple(row["category"].split())}) for row in _rows("elements"))  # type: ignore[arg-type]


def record_type(feed: Feed, code: str) -> str:
    """Raises Unmapped."""
    found = {**RECORD_TYPES, **feed.options.get("record_types", {})}.get(code)
    if found is None:
        raise Unmapped("TRN-1", code, "record_type")
    return str(found)


def has_code(feed: Feed, table: str, code: str) -> bool:
    """Whether a code has a row by now, for what waits for one."""
    if table == "TRN-1":
        return code in {**RECORD_TYPES, **feed.options.get("record_types", {})}
    return (table, code) in _codes() or code in feed.options.get("codes", {}).get(table, {})


def coded(feed: Feed, item: Item, code: str) -> Element:
    """A CodeableConcept. Raises Unmapped."""
    local = feed.options.get("codes", {}).get(item.element, {}).get(code)
    row = _codes().get((item.element, code), {})
    if local is None and not row:
        raise Unmapped(item.element, code, item.column)
    own = {"system": CALOMS + item.element.lower(), "code": code, "display": local or row["display"]}
    standard = filled({"system": SNOMED, "code": row.get("snomed"), "display": row.get("snomed_display")})
    return {"coding": [own, *([standard] if row.get("snomed") else [])]}


@cache
def _codes() -> Mapping[tuple[str, str], dict[str, str]]:
    return {(row["element"], row["code"]): row for row in _rows("codes")}


def _rows(name: str) -> list[dict[str, str]]:
    with files(__package__).joinpath("code_tables", f"caloms_{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))
