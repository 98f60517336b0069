"""DocumentReference/$docref: a patient's documents.

Rules: https://hl7.org/fhir/us/core/STU6.1/OperationDefinition-docref.html
The documents that are stored here and are current; the hub makes none on demand, and says so where only such are
asked for. A document's care dates are its context's period, or else its date. Without `start` and `end` the most
recent one of each type is in scope, with them all that fall into the range, at least partly.
Several types, or several profiles, are alternatives. Refuses: answers of more than MOST documents (`too-costly`).
"""

import re
from collections.abc import Iterator
from typing import Any

from hub.fhir import json
from hub.operations import searchset
from hub.operations.call import Call, Operation, Parameter, Resource
from hub.operations.care_dates import touches
from hub.problems import Issue, Problem
from hub.search.match import matches
from hub.search.query import Limits, Pair, Query, parse
from hub.search.values import FOREVER, NEVER, date_range, dates
from hub.store import read
from hub.store.read import Stored

MOST = 1000
CHUNK = 200
NONE_ON_DEMAND = Issue("informational", "This hub has no documents on demand", "on-demand", "information")

Document = tuple[Stored, Resource]


def docref(call: Call) -> bytes:
    """A searchset Bundle, the newest document first."""
    call.access.require("search-type", "DocumentReference")
    if call.given.get("on-demand"):
        return searchset.bundle(call, 0, None, (), (), [NONE_ON_DEMAND])
    found = _newest_first(_found(call, parse("DocumentReference", list(_pairs(call)), Limits(base=call.base))))
    if "start" in call.given or "end" in call.given:
        found = _in_range(call, found)
    else:
        found = _one_of_each_type(found)
    return searchset.bundle(call, len(found), None, [row for row, _ in found], (), ())


def _pairs(call: Call) -> Iterator[Pair]:
    """The search that finds them."""
    yield "patient", f"Patient/{call.given['patient']}"
    yield "status", "current"
    if types := call.given.get("type"):
        yield "type", ",".join(_token(each) for each in types)
    if profiles := call.given.get("profile"):
        yield "_profile", ",".join(map(_escaped, profiles))


def _token(coding: dict[str, Any]) -> str:
    return "|".join(_escaped(coding[name]) for name in ("system", "code") if name in coding)


def _escaped(text: str) -> str:
    return re.sub(r"([\\,|$])", r"\\\1", text)


def _found(call: Call, query: Query) -> list[Document]:
    after: list[int] = []
    found: list[Document] = []
    while rows := read.page(call.connection, call.access, query, after, CHUNK):
        every = ((row, json.stored(row.body)) for row in rows if row.body)
        found += [each for each in every if matches(query.criteria, each[1], call.base)]
        if len(found) > MOST:
            raise Problem("too-costly", f"More than {MOST} documents: narrow by type or profile, or search", "type")
        after = read.position(rows[-1])
    return found


def _newest_first(found: list[Document]) -> list[Document]:
    return sorted(found, key=lambda each: (_date(each[1]), each[0].last_updated), reverse=True)


def _date(document: Resource) -> int:
    """When the care ended that it is about, or when it was made."""
    period = document.get("context", {}).get("period", {})
    node = period if "end" in period else document.get("date") or period
    low = max((low for low, _ in dates(node)), default=NEVER) if node is not period else NEVER
    return max((high for _, high in dates(period)), default=low) if node is period else low


def _in_range(call: Call, found: list[Document]) -> list[Document]:
    low = (date_range(call.given.get("start", "")) or (NEVER, FOREVER))[0]
    high = (date_range(call.given.get("end", "")) or (NEVER, FOREVER))[1]
    if low >= high:
        raise Problem("value", "start is after end", "start")
    return [each for each in found if touches(each[1], (low, high))]


def _one_of_each_type(found: list[Document]) -> list[Document]:
    kept: dict[str, Document] = {}
    for each in found:
        kept.setdefault(repr(_type(each[1].get("type", {}))), each)
    return list(kept.values())


def _type(concept: dict[str, Any]) -> Any:
    """Its codes; in words only where it has none."""
    codes = sorted((one.get("system", ""), one.get("code", "")) for one in concept.get("coding", ()))
    return codes or concept.get("text")


ROWS = (
    Operation(
        "docref",
        "http://hl7.org/fhir/us/core/OperationDefinition/docref",
        ("type",),
        docref,
        ("DocumentReference",),
        (
            Parameter("patient", "id", required=True),
            Parameter("start", "time"),
            Parameter("end", "time"),
            Parameter("type", "Coding", many=True),
            Parameter("on-demand", "boolean"),
            Parameter("profile", "uri", many=True),
        ),
    ),
)
