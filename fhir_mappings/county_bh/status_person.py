"""A client's status rows -> who the county says it is.

Rules: docs/identity.md (a county client number is a strong identifier of its county, a CIN everywhere; both
beside a name or a birth date that agrees); docs/county-bh.md "Who it is". Of each part the newest row that says
it counts. Whose records are Part 2 records keeps the county's number to itself: that somebody is a client of a
program is a record of the program, too (42 CFR 2.11, "patient identifying information").
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fhir_mappings.county_bh.elements import Element, filled
from fhir_mappings.county_bh.labels import PROGRAM, is_part2_feed, security
from fhir_mappings.county_bh.status import KIND
from hub.feeds.records import Feed, Kept, Said, Subject
from hub.fhir.systems import CIN_SYSTEM, V2_0203

CLIENT_NUMBER, CIN = "county_client_number", "cin"
MEDICAL_RECORD, MEDICAID = "MR", "MA"  # table 0203


def status_person(subject: Subject) -> Said | None:
    """None where no row tells of a person."""
    newest = sorted(subject.rows, key=lambda row: str(row.values.get("as_of", "")), reverse=True)
    return person(subject.feed, newest, is_part2=is_of_program(subject)) if newest else None


def is_of_program(subject: Subject) -> bool:
    """Whether one of the rows is, or may be, a record of a Part 2 program; of a client without any nobody knows."""
    told = [row.values.get("part2_program") for row in subject.rows if row.kind == KIND]
    return is_part2_feed(subject.feed) or not told or any(one != "N" for one in told)


def person(feed: Feed, newest: Sequence[Kept], is_part2: bool) -> Said:
    """A person from rows that have the columns of the status record, the newest first. A Patient whom nobody but a
    program brought is its record, too."""
    number, cin = _first(newest, CLIENT_NUMBER), _first(newest, CIN)
    cin_system = str(feed.options.get("cin_system") or CIN_SYSTEM)
    patient = filled(
        {
            "resourceType": "Patient",
            "meta": {"security": security(PROGRAM)} if is_part2 else {},
            "identifier": [
                _numbered(MEDICAL_RECORD, feed.system, number),
                *([_numbered(MEDICAID, cin_system, cin)] if cin else []),
            ],
            "name": _names(newest),
            "birthDate": _first(newest, "dob"),
        }
    )
    strong = {feed.system: "county"} | ({cin_system: "cin"} if cin else {})
    return Said(number, patient, strong, shared=not is_part2)


def _numbered(kind: str, system: str, value: str) -> Element:
    return {"type": {"coding": [{"system": V2_0203, "code": kind}]}, "system": system, "value": value}


def _names(newest: Sequence[Kept]) -> list[Element]:
    """Family and given name of one row: two rows' halves are nobody's name."""
    named = next((row.values for row in newest if row.values.get("last") or row.values.get("first")), {})
    name = filled({"family": _text(named, "last"), "given": [_text(named, "first")] if named.get("first") else []})
    return [name] if name else []


def _first(rows: Sequence[Kept], column: str) -> str:
    return next((found for row in rows if (found := _text(row.values, column))), "")


def _text(values: Mapping[str, Any], column: str) -> str:
    return str(values.get(column) or "")
