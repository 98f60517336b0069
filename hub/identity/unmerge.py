"""A merge is taken back: what it rewrote says again what it said, and what came since with a source person of the
former Patient is that one's.

Rules: docs/identity.md "Unmerge"; known-failures.md SEC-47. Merges of one member are taken back in any order.
Refuses (`not-found`): a Patient who is merged into nobody.
What somebody edited since so that nobody can tell what it was, stays with the member, is named in the event and
waits for a person.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from hub.fhir import json
from hub.fhir.reference_places import with_texts
from hub.identity import about, absorbing, events, former, persons, rewritten
from hub.identity.desk import Desk, Resource, content
from hub.identity.events import Event
from hub.identity.merge import replaced
from hub.identity.restoring import restored
from hub.identity.rewritten import ACTIVE, BELONGS, IDENTIFIER, Rewritten
from hub.members import movable
from hub.problems import Problem
from hub.rewriting import Rewriting
from hub.search.edges import address
from hub.store.read import Stored
from hub.store.tables import history


@dataclass(frozen=True, slots=True)
class Unmerged:
    """`holder` is the Patient who was both until now; `lost` are resources that a person has to look at."""

    event: int
    undone: int
    patient: str
    holder: str
    lost: tuple[str, ...] = ()


@dataclass(slots=True)
class _Back:
    """What is written back, by row number. `same`: the version since which all that was rewritten stands where it
    stood."""

    contents: dict[int, tuple[Stored, Resource]] = field(default_factory=dict)
    places: list[tuple[int, str]] = field(default_factory=list)
    belong: set[int] = field(default_factory=set)
    same: list[tuple[int, int]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def unmerge(desk: Desk, patient: str, who: str, evidence: Mapping[str, Any] | None = None) -> Unmerged:
    """Raises Problem."""
    merged = _merge_of(desk, patient)
    holder = former.member_of(desk.connection, patient)
    path = former.path(desk.connection, patient)
    moved = former.remove(desk.connection, patient)
    back = _written_back(desk, merged, path, moved, patient, holder)
    _came_since(desk, merged, back, patient, holder)
    _patients(desk, path, moved, back, patient, holder)
    event = events.add(
        desk.connection,
        *(desk.now, events.UNMERGE, who),
        survivor=holder,
        absorbed=patient,
        persons=merged.persons,
        evidence={**(evidence or {}), "lost": back.lost},
        undoes=merged.seq,
    )
    mine = [one.person for one in persons.several(desk.connection, merged.persons) if one.patient == holder]
    persons.link(desk.connection, mine, patient)
    uncounted = frozenset((each[0], tuple(each[1:])) for each in merged.evidence.get("uncounted", ()))
    moves = frozenset(((address("Patient", holder), address("Patient", patient)),))
    versions = desk.write(back.contents, Rewriting(moves, uncounted), f"identity unmerge {event}")
    same = ((rid, was, versions[rid]) for rid, was in back.same if rid in versions)
    rewritten.carry(desk.connection, same)
    desk.belong(sorted(back.belong))
    rewritten.forget(desk.connection, path[1:], back.places)
    return Unmerged(event, merged.seq, patient, holder, tuple(back.lost))


def _merge_of(desk: Desk, patient: str) -> Event:
    found = events.event(desk.connection, former.merged_by(desk.connection, patient))
    if found is None:
        raise Problem("not-found", "This Patient is merged into nobody")
    return found


def _written_back(desk: Desk, merged: Event, path: list[int], moved: list[str], patient: str, holder: str) -> _Back:
    back = _Back()
    rows = rewritten.of_events(desk.connection, [merged.seq])
    also = [former.merged_by(desk.connection, each) for each in moved]
    for rid, found in rewritten.of_events(desk.connection, also).items():  # what came in about those since
        mine = rows.setdefault(rid, [])
        known = {row.pointer for row in mine}
        mine += [row._replace(before=f"Patient/{patient}") for row in found if row.pointer not in known]
    names = {patient, holder, *(each.survivor for each in events.several(desk.connection, path))}
    for row in desk.rows(rows):
        _one(desk, back, row, rows[row.rid], holder, names)
    return back


def _one(desk: Desk, back: _Back, row: Stored, found: list[Rewritten], holder: str, names: set[str]) -> None:
    """`names`: all who the member was on the way from the former Patient to who it is now."""
    back.places += [(row.rid, each.pointer) for each in found if each.pointer not in rewritten.ELEMENTS]
    before = rewritten.pointers(found)
    if any(each.pointer == BELONGS for each in found) or row.body is None:
        back.belong.add(row.rid)
    if row.body is None or not before:
        return
    now = content(row)
    version = max(each.version for each in found if each.pointer in before)
    now_said = named(now, {holder}, desk.base)
    then_said = named(_at(desk, row, version), names, desk.base)
    made = restored(now_said, then_said, before)
    if now_said.keys() == then_said.keys():
        back.same.append((row.rid, version))
    if made.lost:
        back.lost.append(f"{row.type}/{row.id}")
    if made.texts:
        back.contents[row.rid] = (row, with_texts(now, made.texts))


def _at(desk: Desk, row: Stored, version: int) -> Resource:
    """What the resource was when a merge had written it."""
    if row.version == version:
        return content(row)
    which = (history.c.rid == row.rid, history.c.version == version)
    body = desk.connection.execute(select(history.c.body).where(*which)).scalar()
    return json.stored(body) if body else content(row)


def named(resource: Resource, patients: Collection[str], base: str) -> dict[str, str]:
    return {place.pointer: place.text for place, named in movable(resource, base) if named in patients}


def _came_since(desk: Desk, merged: Event, back: _Back, patient: str, holder: str) -> None:
    """What came with a source person of the former Patient is about that one, all of it."""
    for row in desk.rows(about.of_persons(desk.connection, merged.persons)):
        if row.type == "Patient" or row.body is None:
            continue
        now = back.contents.get(row.rid, (row, content(row)))[1]
        texts = dict.fromkeys(named(now, {holder}, desk.base), f"Patient/{patient}")
        if texts:
            back.contents[row.rid] = (row, with_texts(now, texts))
        else:
            back.belong.add(row.rid)


def _patients(desk: Desk, path: list[int], moved: list[str], back: _Back, patient: str, holder: str) -> None:
    rows = desk.patients([patient, holder, *moved])
    made = {name: back.contents.get(row.rid, (row, content(row)))[1] for name, row in rows.items() if row.body}
    known = {patient, holder, *moved, *former.all_of(desk.connection, holder)}
    if patient in made:
        _identifiers(desk, path, rows, made, patient, holder)
        was = rewritten.element(desk.connection, path[0], rows[patient].rid, ACTIVE)
        made[patient] = absorbing.active(made[patient], was)
    for name, resource in made.items():
        row, now = rows[name], former.member_of(desk.connection, name)
        linked = absorbing.linked(resource, now, replaced(desk, row), known)
        if row.rid in back.contents or linked != content(row):  # else a new version would tell of the other one
            back.contents[row.rid] = (row, linked)


def _identifiers(
    desk: Desk, path: list[int], rows: Mapping[str, Stored], made: dict[str, Resource], patient: str, holder: str
) -> None:
    """They go back; and those that the merge brought, and later merges of the chain took on, leave the member."""
    given = rewritten.element(desk.connection, path[0], rows[patient].rid, IDENTIFIER)
    if given is None:  # they stayed where they were
        return
    gone = given
    for event in path:
        gone = _taken_back(desk, event, gone, given if event != path[0] else ())
    if holder in made:
        made[holder] = absorbing.without_identifiers(made[holder], gone)
    made[patient] = absorbing.with_identifiers(made[patient], given)


def _taken_back(desk: Desk, event: int, gone: list[dict[str, Any]], given: Iterable[Any]) -> list[dict[str, Any]]:
    """Of those that go, the ones that this merge added to its survivor; it adds and gives them no more."""
    found = events.event(desk.connection, event)
    assert found is not None
    rows = desk.patients([found.survivor, found.absorbed])
    added = _kept(desk, event, rows, found.survivor)
    left = absorbing.both(gone, added)
    if given:
        rewritten.change(
            desk.connection, event, rows[found.survivor].rid, IDENTIFIER, absorbing.without(added, gone)
        )
        theirs = _kept(desk, event, rows, found.absorbed)
        rewritten.change(
            desk.connection, event, rows[found.absorbed].rid, IDENTIFIER, absorbing.without(theirs, gone)
        )
    return left


def _kept(desk: Desk, event: int, rows: Mapping[str, Stored], patient: str) -> list[dict[str, Any]]:
    if patient not in rows:
        return []
    return rewritten.element(desk.connection, event, rows[patient].rid, IDENTIFIER) or []


def lost_of(events_found: Iterable[Event]) -> Iterator[str]:
    """Resources that are to be looked at."""
    for found in events_found:
        yield from found.evidence.get("lost", ())
