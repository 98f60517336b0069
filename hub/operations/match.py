"""Patient/$match: who of the members this might be, with a grade.

Rules: https://hl7.org/fhir/R4/patient-operation-match.html; match-grade
https://hl7.org/fhir/R4/extension-match-grade.html; how grades are decided: hub.identity.decide, docs/identity.md.
The score is the chance that both are one person, from the weights, among as many members as there are.
Source persons say only who might be meant, for they know what guarded sources said. Whether a member is found, and
its grade, is decided by its Patient as the caller is shown it, and by nothing else.
Refuses: a `resource` that is no Patient (400). A member that the caller may not see is not found; nor are former
Patients.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from hub.fhir import json
from hub.identity import former
from hub.identity.blocking import keys
from hub.identity.candidates import candidates
from hub.identity.chosen import current
from hub.identity.counts import frequencies
from hub.identity.decide import LINK, Decision, decide
from hub.identity.guards import DISTINCT
from hub.identity.patient import person_of
from hub.identity.person import Person
from hub.identity.strong import Systems
from hub.leaving import Leaving, leaving, one
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
    return _bundle(call, found[: min(most, call.limits.most)])


def _graded(call: Call, given: dict[str, Any]) -> list[tuple[Stored, Decision]]:
    """The members that the caller sees, and the decision about each, the likeliest first."""
    said = person_of(given, call.access.who, Systems())
    asked, counted = keys(said), frequencies(call.connection)
    found: list[tuple[Stored, Decision]] = []
    for row in _seen(call, _members(call, said)):
        shown = one(call.connection, call.access, row, call.base)
        other = person_of(json.stored(shown.body or b"{}") if shown else {}, "", Systems())
        decided = decide(said, other, counted, current().limits)
        # no key in common: it was found by what another record says
        if decided.outcome != DISTINCT and asked & keys(other):
            found.append((row, decided))
    return sorted(found, key=lambda pair: _rank(pair[1]), reverse=True)


def _members(call: Call, said: Person) -> list[str]:
    """Who might be meant, in the order of their ids."""
    named = {each.patient for each in candidates(call.connection, said) if each.patient}
    return sorted({former.member_of(call.connection, each) for each in named})


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


def _seen(call: Call, members: Sequence[str]) -> list[Stored]:
    rows = (read.current(call.connection, call.access, "Patient", each) for each in members)
    return [row for row in rows if row is not None and row.body is not None]


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
