"""Patient/$match: who of the members this might be, with a grade.

Rules: https://hl7.org/fhir/R4/patient-operation-match.html; match-grade
https://hl7.org/fhir/R4/extension-match-grade.html; how grades are decided: hub.identity.decide, docs/identity.md.
The score is the chance that both are one person, from the weights, among as many members as there are.
Refuses: a `resource` that is no Patient (400). A member that the caller may not see is not found; nor are former
Patients.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from hub.fhir import json
from hub.identity import former
from hub.identity.candidates import candidates, said_by
from hub.identity.chosen import current
from hub.identity.counts import frequencies
from hub.identity.decide import LINK, Decision, decide
from hub.identity.guards import DISTINCT
from hub.identity.patient import person_of
from hub.identity.strong import Systems
from hub.leaving import Leaving, leaving
from hub.operations.call import Call, Operation, Parameter
from hub.problems import Problem
from hub.store import read
from hub.store.read import Stored

GRADE = "http://hl7.org/fhir/StructureDefinition/match-grade"
MOST = 10
CERTAIN, PROBABLE, POSSIBLE = "certain", "probable", "possible"


def match(call: Call) -> bytes:
    """A searchset Bundle, the likeliest first."""
    given = call.given["resource"]
    if given.get("resourceType") != "Patient":
        raise Problem("invalid", "$match takes a Patient", "resource")
    call.access.require("search-type", "Patient")
    most = call.given.get("count", MOST)
    if most < 1:
        raise Problem("value", "count is a number from 1", "count")
    found = _graded(call, given)
    if call.given.get("onlyCertainMatches", False):
        found = [one for one in found if _grade(one[1]) == CERTAIN]
        found = found if len(found) == 1 else []
    shown = [(row, best) for row, best in _seen(call, found)][: min(most, call.limits.most)]
    return _bundle(call, shown)


def _graded(call: Call, given: dict[str, Any]) -> list[tuple[str, Decision]]:
    """By member the best decision about any of its records, the likeliest first."""
    said = person_of(given, call.access.who, Systems())
    counted = frequencies(call.connection)
    best: dict[str, Decision] = {}
    for one in candidates(call.connection, said):
        found = decide(said, said_by(one), counted, current().limits)
        if found.outcome == DISTINCT or not one.patient:
            continue
        member = former.member_of(call.connection, one.patient)
        best[member] = max(found, best.get(member, found), key=_rank)
    return sorted(best.items(), key=lambda pair: _rank(pair[1]), reverse=True)


def _rank(found: Decision) -> tuple[bool, float]:
    return found.outcome == LINK, found.weight


def _grade(found: Decision) -> str:
    if found.outcome == LINK:
        return CERTAIN
    return POSSIBLE if found.guards else PROBABLE


def _score(found: Decision) -> float:
    """The odds are 2 to the power of the bits beyond what the population needs."""
    bits = max(-30.0, min(30.0, found.weight - found.needed))
    chance = 1 / (1 + 2**-bits)
    return round(max(chance, 0.99) if found.outcome == LINK else min(chance, 0.98), 3)


def _seen(call: Call, found: Sequence[tuple[str, Decision]]) -> list[tuple[Stored, Decision]]:
    rows = [(read.current(call.connection, call.access, "Patient", member), best) for member, best in found]
    return [(row, best) for row, best in rows if row is not None and row.body is not None]


def _bundle(call: Call, found: Sequence[tuple[Stored, Decision]]) -> bytes:
    left = leaving(call.connection, call.access, [row for row, _ in found], call.base)
    call.released.extend(left.rows)
    best = {row.rid: decision for row, decision in found}
    entries = [_entry(call.base, row, best[row.rid]) for row in left.rows]
    made: dict[str, Any] = {"resourceType": "Bundle", **_meta(left), "type": "searchset", "total": len(entries)}
    if entries := [*entries, *left.notices()]:
        made["entry"] = entries
    return json.write(made)


def _meta(left: Leaving) -> dict[str, Any]:
    security = left.security()
    return {"meta": {"security": security}} if security else {}


def _entry(base: str, row: Stored, found: Decision) -> dict[str, Any]:
    grade = {"url": GRADE, "valueCode": _grade(found)}
    search = {"extension": [grade], "mode": "match", "score": _score(found)}
    return {"fullUrl": f"{base}/Patient/{row.id}", "resource": msgspec.Raw(row.body or b"null"), "search": search}


ROWS = (
    Operation(
        "match",
        "http://hl7.org/fhir/OperationDefinition/Patient-match",
        ("type",),
        match,
        ("Patient",),
        (
            Parameter("resource", "Resource", required=True),
            Parameter("onlyCertainMatches", "boolean"),
            Parameter("count", "integer"),
        ),
        resource="resource",
        get_levels=(),
    ),
)
