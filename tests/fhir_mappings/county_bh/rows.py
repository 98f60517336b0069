"""Invented rows of county feeds, and what the mapping makes of them."""

from typing import Any

from conformance.validation import structure
from hub.feeds.records import Feed, Kept, Resource, Subject
from hub.fhir.systems import ACT_CODE

SYSTEM = "https://county.invalid/bh"
FEED = Feed("county", "county", SYSTEM)
PART2_FEED = Feed("county", "county", SYSTEM, security=({"system": ACT_CODE, "code": "42CFRPart2"},))
PATIENT = "Patient/p1"
NPI = "1234567893"
STATUS = {
    "cin": "91234567A",
    "county_client_number": "006132463",
    "last": "Testperson-Alder",
    "first": "Robin",
    "dob": "1980-02-15",
    "system": "SMHS",
    "status": "open",
    "open_date": "2026-03-02",
    "as_of": "2026-04-01",
    "part2_program": "N",
    "provider_org_npi": NPI,
}


def kept(kind: str, values: dict[str, Any], line: int = 2, deleted: bool = False) -> Kept:
    return Kept(kind, f"{kind}-{line}", values, "invented.csv", line, deleted=deleted)


def status(line: int = 2, deleted: bool = False, **values: Any) -> Kept:
    return kept("status", {**STATUS, **values}, line, deleted)


def subject(*rows: Kept, feed: Feed = FEED, key: str = "006132463") -> Subject:
    return Subject(feed, key, rows)


def of(found: list[Resource], kind: str) -> list[Resource]:
    return [one for one in found if one["resourceType"] == kind]


def labels(resource: Resource) -> set[str]:
    return {one["code"] for one in resource["meta"].get("security", ())}


def valid(found: list[Resource]) -> list[Resource]:
    """The resources, all of them valid and each with an identifier of its own."""
    for one in found:
        assert list(structure.validate(one, one["resourceType"], conditional_references=True)) == []
    names = [(one["resourceType"], *_first(one)) for one in found]
    assert len(set(names)) == len(names)
    return found


def _first(resource: Resource) -> tuple[str, str]:
    first = resource["identifier"]
    first = first[0] if isinstance(first, list) else first
    assert first["system"].startswith(SYSTEM + "/")
    return first["system"], first["value"]
