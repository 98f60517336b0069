"""Patient/[id]/$everything: a patient's record, and what it refers to.

Rules: https://hl7.org/fhir/R4/patient-operation-everything.html
The patient comes first, then the compartment in the order of row numbers, so that pages stay right while others
write; with each page what its resources refer to (one level). Only what belongs to no patient is added that way:
another patient's record is no part of this one. Types that the client may not read are not there, and of the
compartment those that it may not search: who lists what belongs to a patient searches.
`start` and `end`: hub.operations.care_dates. `_since`: what changed since; what a changed resource refers to comes
along, changed or not. `_type` narrows all of it, the Patient included.
Served for one patient: all patients at once are a bulk export. Pages hold up to 200 resources unless `_count` says
otherwise, and end earlier where these are large.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache

from hub.fhir import json
from hub.operations import searchset
from hub.operations.call import Call, Operation, Parameter
from hub.operations.care_dates import touches
from hub.problems import Issue, Problem
from hub.search import merged
from hub.search.compartments import membership, patients_of
from hub.search.values import FOREVER, NEVER, date_range
from hub.search.withheld import shown
from hub.store import compartments, inclusions
from hub.store.read import Stored

PAGE = 200
MOST_BYTES = 4 << 20  # of a page
MOST_SEEN = 2000  # resources looked at for a page
CHUNK = 100

Identity = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """`care` is None where no range of dates was asked for."""

    count: int
    types: frozenset[str]
    since: int
    care: tuple[int, int] | None


@dataclass(slots=True)
class _Found:
    """A page. `cited` are the resources referred to, and whether by one that is listed."""

    listed: list[Stored] = field(default_factory=list)
    cited: dict[Identity, bool] = field(default_factory=dict)
    size: int = 0
    seen: int = 0
    following: int | None = None


def everything(call: Call) -> bytes:
    """A searchset Bundle."""
    wanted = _wanted(call)
    begin = searchset.after(call)
    call = replace(call, id=merged.member_of(call.id))  # who was merged has no record of its own
    patient = call.stored()
    found = _page(call, wanted, patient, begin)
    includes, bounded = _cited(call, wanted, found)
    whole = begin is None and found.following is None
    notes = [Issue("too-costly", "Not all that is referred to was added", severity="warning")] if bounded else []
    total = len(found.listed) if whole else None
    return searchset.bundle(call, total, found.following, found.listed, includes, notes)


def _wanted(call: Call) -> _Wanted:
    given = call.given
    count = min(given.get("_count", PAGE), call.limits.most)
    if count < 1:
        raise Problem("value", "_count is a number from 1", "_count")
    types = frozenset(name for text in given.get("_type", ()) for name in text.split(","))
    for name in sorted(types):
        call.access.require("read", name)
        if name != "Patient" and membership("Patient", name):
            call.access.require("search-type", name)
    low, high = _range(given, "start")[0], _range(given, "end")[1]
    if low >= high:
        raise Problem("value", "start is after end", "start")
    care = (low, high) if "start" in given or "end" in given else None
    return _Wanted(count, types, _range(given, "_since")[0], care)


def _range(given: object, name: str) -> tuple[int, int]:
    text = given.get(name) if isinstance(given, dict) else None
    return (date_range(text) if text else None) or (NEVER, FOREVER)


def _page(call: Call, wanted: _Wanted, patient: Stored, begin: int | None) -> _Found:
    found = _Found()
    if begin is None:
        _look(call, wanted, patient, found, patient)
    last = begin or 0
    for row in _members(call, last, min(wanted.count + 1, CHUNK)):
        if row.rid == patient.rid:
            continue
        if len(found.listed) >= wanted.count or found.size >= MOST_BYTES or found.seen >= MOST_SEEN:
            found.following = last
            break
        last = row.rid
        _look(call, wanted, patient, found, row)
    return found


def _members(call: Call, after: int, chunk: int) -> Iterator[Stored]:
    while True:
        rows = compartments.members(call.connection, call.access.sight, call.id, after, chunk)
        yield from rows
        if len(rows) < chunk:
            return
        after = rows[-1].rid


def _look(call: Call, wanted: _Wanted, patient: Stored, found: _Found, row: Stored) -> None:
    found.seen += 1
    if not (row is patient or call.access.may("search-type", row.type)) or not call.access.may("read", row.type):
        return
    body = row.body or b"{}"
    if row.type in call.access.sight.elements:  # what is not shown leads nowhere
        body = json.write(shown(json.stored(body), call.access.sight))
    cited = _references(call.base).findall(body)
    if wanted.care and not touches(json.stored(body), wanted.care):
        return
    listed = row.last_updated >= wanted.since and (not wanted.types or row.type in wanted.types)
    for kind, identity in cited:
        cite = (kind.decode(), identity.decode())
        found.cited[cite] = found.cited.get(cite, False) or listed
    if listed:
        found.listed.append(row)
        found.size += len(body)


@lru_cache(maxsize=4)
def _references(base: str) -> re.Pattern[bytes]:
    """References, and addresses of Binaries, in JSON as this hub writes it (hub.fhir.json.write): no text inside a
    string can look like that, because its quotes are escaped."""
    here = re.escape(base).encode()
    return re.compile(
        rb'"(?:reference|url(?=":"(?:' + here + rb'/)?Binary/))":"(?:' + here + rb"/)?"
        rb'([A-Z][A-Za-z]+)/([A-Za-z0-9.\-]{1,64})(?:/_history/[^"/]+)?"'
    )


def _cited(call: Call, wanted: _Wanted, found: _Found) -> tuple[list[Stored], bool]:
    """What belongs to no patient, and whether there was too much of it."""
    listed = {(row.type, row.id) for row in found.listed}
    asked = [
        each
        for each in found.cited
        if each not in listed and each[0] != "Patient" and (not wanted.types or each[0] in wanted.types)
    ]
    rows = inclusions.named(call.connection, call.access, asked[: inclusions.MOST])
    fresh = (row for row in rows if row.last_updated >= wanted.since or found.cited[row.type, row.id])
    return [row for row in fresh if not _is_a_patients(row, call.base)], len(asked) > inclusions.MOST


def _is_a_patients(row: Stored, base: str) -> bool:
    return bool(membership("Patient", row.type)) and bool(patients_of(json.stored(row.body or b"{}"), base))


ROWS = (
    Operation(
        "everything",
        "http://hl7.org/fhir/OperationDefinition/Patient-everything",
        ("instance",),
        everything,
        ("Patient",),
        (
            Parameter("start", "time"),
            Parameter("end", "time"),
            Parameter("_since", "time"),
            Parameter("_type", "types", many=True),
            Parameter("_count", "integer"),
            Parameter(searchset.CURSOR, "cursor"),
        ),
    ),
)
