"""Two Patients become one member: every reference to the one leads to the other, in one transaction, and all of
it is remembered, so that it can be taken back (hub.identity.unmerge).

Rules: docs/identity.md "Merge"; R5 https://hl7.org/fhir/R5/patient-operation-merge.html (the source patient
goes, the target patient remains); known-failures.md SEC-47.
Refuses: the same Patient twice (`invalid`), one that is not there (`not-found`), one that was merged already, a
merge that would make a circle, and a target that is hidden from some who see the source: its name would be told
(`conflict`). A target that was merged stands for who it is now.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub import outbox
from hub.fhir.reference_places import with_texts
from hub.identity import about, absorbing, events, former, persons, rewritten
from hub.identity.desk import Desk, Resource, content
from hub.identity.rewritten import ACTIVE, BELONGS, IDENTIFIER, Rewritten
from hub.members import movable
from hub.problems import Problem
from hub.rewriting import Rewriting
from hub.rights.relations import TYPES, relations_of
from hub.rights.stricter import denials
from hub.search.edges import address
from hub.store.read import Stored

SWEEP = "identity-sweep"  # the kind of work that looks again, when every writer of that moment has ended
WAITS = (5_000_000, 120_000_000)  # microseconds


@dataclass(frozen=True, slots=True)
class Merged:
    """`survivor` is the id of the Patient who remains; `rewritten` how many resources were."""

    event: int
    survivor: str
    absorbed: str
    rewritten: int


@dataclass(slots=True)
class _Moves:
    """What is to be written, by row number, and what stood there."""

    contents: dict[int, tuple[Stored, Resource]] = field(default_factory=dict)
    before: list[tuple[int, str, str]] = field(default_factory=list)
    belong: list[int] = field(default_factory=list)


def merge(desk: Desk, survivor: str, absorbed: str, who: str, evidence: Mapping[str, Any] | None = None) -> Merged:
    """Raises Problem."""
    target = checked(desk, survivor, absorbed)
    told = dict(evidence or {})
    moved = persons.of_patients(desk.connection, [absorbed])
    told["denials"] = denials(
        about.consents(desk.connection, target), about.consents(desk.connection, absorbed), desk.now
    )
    event = events.add(
        desk.connection,
        *(desk.now, events.MERGE, who),
        survivor=target,
        absorbed=absorbed,
        persons=moved,
        evidence=told,
    )
    earlier = former.add(desk.connection, absorbed, target, event)
    persons.link(desk.connection, moved, target)
    moves = _moves(desk, target, absorbed)
    told["uncounted"] = _uncounted(desk, moves, absorbed)
    events.explain(desk.connection, event, told)
    _patients(desk, moves, target, absorbed, earlier)
    count = _moved(desk, moves, target, absorbed, event)
    rows = [outbox.row(SWEEP, f"{event}/{wait}", {"absorbed": absorbed}, desk.now) for wait in WAITS]
    outbox.add(desk.connection, [row | {"due": desk.now + wait} for row, wait in zip(rows, WAITS, strict=True)])
    return Merged(event, target, absorbed, count)


def sweep(desk: Desk, absorbed: str) -> int:
    """What another writer said of the former Patient while it was merged comes to the member, too."""
    event, target = former.merged_by(desk.connection, absorbed), former.member_of(desk.connection, absorbed)
    found = events.event(desk.connection, event)
    moves = _moves(desk, target, absorbed) if found else _Moves()
    if found is None or not moves.before:
        return 0
    uncounted = [*found.evidence.get("uncounted", ()), *_uncounted(desk, moves, absorbed)]
    events.explain(desk.connection, event, {**found.evidence, "uncounted": uncounted})
    return _moved(desk, moves, target, absorbed, event)


def _moved(desk: Desk, moves: _Moves, target: str, absorbed: str, event: int) -> int:
    rewriting = Rewriting(frozenset(((address("Patient", absorbed), address("Patient", target)),)))
    versions = desk.write(moves.contents, rewriting, f"identity merge {event}")
    desk.belong(moves.belong)
    rows = (Rewritten(event, rid, place, was, versions.get(rid, 0)) for rid, place, was in moves.before)
    rewritten.keep(desk.connection, rows)
    return len(versions)


def checked(desk: Desk, survivor: str, absorbed: str) -> str:
    """Who remains. Raises Problem."""
    if survivor == absorbed:
        raise Problem("invalid", "A Patient is not merged with itself")
    target = former.member_of(desk.connection, survivor)
    if target == absorbed:
        raise Problem("conflict", "The target was merged into the source: that would be a circle")
    if former.merged_by(desk.connection, absorbed):
        raise Problem("conflict", "The source was merged already; unmerge it first")
    there = desk.patients([target, absorbed])
    if any(name not in there or there[name].deleted for name in (target, absorbed)):
        raise Problem("not-found", "There is no such Patient")
    one, other = there[absorbed].labels, there[target].labels
    if absorbing.guards_more(other, one) and not absorbing.guards_more(one, other):
        raise Problem("conflict", "The target is more sensitive than the source: merge them the other way round")
    return target


def _moves(desk: Desk, target: str, absorbed: str) -> _Moves:
    """What says the former Patient says the other one; what only belongs to it, belongs to the other one."""
    moves = _Moves()
    narrowing = about.subscriptions(desk.connection)
    for row in desk.rows(about.of_patient(desk.connection, absorbed) | narrowing):
        moved = [] if row.body is None else _texts(content(row), absorbed, desk.base)
        if moved:
            texts = {pointer: f"Patient/{target}" for pointer, _ in moved}
            moves.contents[row.rid] = (row, with_texts(content(row), texts))
            moves.before += [(row.rid, *each) for each in moved]
        elif row.type != "Patient" and row.rid not in narrowing:
            moves.belong.append(row.rid)
            moves.before.append((row.rid, BELONGS, ""))
    return moves


def _texts(resource: Resource, patient: str, base: str) -> list[tuple[str, str]]:
    """Pointer and text of each reference to the Patient."""
    return [(place.pointer, place.text) for place, named in movable(resource, base) if named == patient]


def _uncounted(desk: Desk, moves: _Moves, absorbed: str) -> list[list[int]]:
    """Relations to the former Patient that its resources say, and that do not count: [row number, *relation]."""
    said = [(rid, row) for rid, (row, _) in moves.contents.items() if row.type in TYPES]
    who = address("Patient", absorbed)
    made = {(rid, one) for rid, row in said for one in relations_of(content(row), desk.base) if one[0] == who}
    return [[rid, *one] for rid, one in sorted(made - about.relations(desk.connection, dict(said), absorbed))]


def _patients(desk: Desk, moves: _Moves, target: str, absorbed: str, earlier: Iterable[str]) -> None:
    rows = desk.patients([target, absorbed, *earlier])
    known = {absorbed, target, *former.all_of(desk.connection, target)}
    made = {name: moves.contents.get(row.rid, (row, content(row)))[1] for name, row in rows.items()}
    if not absorbing.guards_more(rows[absorbed].labels, rows[target].labels):
        _hand_over(moves, rows, made, target, absorbed)
    moves.before.append((rows[absorbed].rid, ACTIVE, rewritten.text(made[absorbed].get("active"))))
    made[absorbed] = absorbing.active(made[absorbed], False)
    for name, row in rows.items():
        replaces = replaced(desk, row) if name == target else []
        linked = absorbing.linked(made[name], target, replaces, known)
        if row.rid in moves.contents or linked != content(row):  # else a new version would tell of the other one
            moves.contents[row.rid] = (row, linked)


def replaced(desk: Desk, row: Stored) -> list[str]:
    """Ids of those who are this Patient now, but for who is more sensitive."""
    names = former.all_of(desk.connection, row.id)
    rows = desk.patients(names).values()
    return sorted(one.id for one in rows if not absorbing.guards_more(one.labels, row.labels))


def _hand_over(
    moves: _Moves, rows: Mapping[str, Stored], made: dict[str, Resource], target: str, absorbed: str
) -> None:
    """The identifiers."""
    given = absorbing.identifiers(made[absorbed])
    added = absorbing.lacking(made[target], given)
    moves.before.append((rows[absorbed].rid, IDENTIFIER, rewritten.text(given)))
    moves.before.append((rows[target].rid, IDENTIFIER, rewritten.text(added)))
    made[target] = absorbing.with_identifiers(made[target], added)
    made[absorbed] = absorbing.without_identifiers(made[absorbed], given)
