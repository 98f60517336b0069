"""Housing changes of the members whose HMIS data a caller may see now.

Rules: docs/hmis.md "Housing changes", docs/access.md. Whether a release is on file is not asked here: what comes
from HMIS carries its label, and the one predicate of every read lets it through only with a release (hub.rights).
Nothing leaves where `tell` cannot record it.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date

from sqlalchemy import Connection

from fhir_mappings.hmis.housing_changes import Change, changes
from hub.access import Access
from hub.feeds.records import Resource
from hub.fhir import json
from hub.leaving import leaving
from hub.search.query import Limits, parse
from hub.store import read
from hub.store.read import Stored

KINDS = ("Observation", "EpisodeOfCare")
PAGE, PATIENTS = 500, 400
Tell = Callable[[Sequence[Stored]], None]


def released_changes(
    connection: Connection, access: Access, base: str, since: date, cin_system: str, tell: Tell
) -> list[Change]:
    """What changed on that day or later, in order. A member without a CIN that the caller may see is left out."""
    found = [one for kind in KINDS for one in _visible(connection, access, base, kind, tell)]
    people = sorted({reference for one in found if (reference := _whom(one))})
    members = dict(_numbers(connection, access, base, people, cin_system))
    return changes(found, since, members, members.keys())


def _visible(connection: Connection, access: Access, base: str, kind: str, tell: Tell) -> Iterator[Resource]:
    query, after = parse(kind, [], Limits(base=base)), list[int]()
    while rows := read.page(connection, access, query, after, PAGE):
        after = read.position(rows[-1])
        left = leaving(connection, access, [row for row in rows if _is_hmis(row)], base).rows
        tell(left)
        yield from (json.stored(row.body) for row in left if row.body)


def _is_hmis(row: Stored) -> bool:
    return row.body is not None and b'"HMIS"' in row.body


def _whom(resource: Resource) -> str:
    named = resource.get("subject") or resource.get("patient") or {}
    return str(named.get("reference", ""))


def _numbers(
    connection: Connection, access: Access, base: str, people: Sequence[str], cin_system: str
) -> Iterator[tuple[str, str]]:
    ids = [one.removeprefix("Patient/") for one in people]
    for start in range(0, len(ids), PATIENTS):
        there = read.several(connection, access, "Patient", ids[start : start + PATIENTS])
        for row in leaving(connection, access, list(there.values()), base).rows:
            for one in json.stored(row.body or b"{}").get("identifier", ()):
                if one.get("system") == cin_system:
                    yield f"Patient/{row.id}", one["value"]
