"""A source person leaves a member: it is somebody else, with its own Patient and what came with it.

Rules: docs/identity.md "Split". If its own Patient was merged and holds nobody else, the merge is taken back. Else
it gets its former Patient, if that is nobody's now, or a new one made of what the source said; identifiers that no
other record of the member has go with it. A split is taken back by a merge.
A new Patient is as sensitive as what the source said, as all that came with it, and as the member's: nobody knows
for whose sake that one is guarded, so both stay so (hub.rights.labels: labels are never taken away).
Refuses: a source person that is not there (`not-found`), the only one of its member (`conflict`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import reduce
from operator import and_
from uuid import uuid4

from hub.access import Access
from hub.fhir.reference_places import with_texts
from hub.identity import about, absorbing, events, former, persons, rewritten
from hub.identity.desk import Desk, Resource, content
from hub.identity.persons import SourcePerson
from hub.identity.rewritten import IDENTIFIER, Rewritten
from hub.identity.unmerge import named, unmerge
from hub.problems import Problem
from hub.rewriting import Rewriting
from hub.rights.labels import labels_of, raised, with_labels
from hub.search.edges import address
from hub.store.read import Stored
from hub.transactions import single


@dataclass(frozen=True, slots=True)
class Split:
    """`member` is whom the source person left, `patient` who it is now."""

    event: int
    member: str
    patient: str


def split(desk: Desk, person: int, who: str, why: str = "") -> Split:
    """Raises Problem."""
    leaving = _leaving(desk, person)
    merge = _own_merge(desk, leaving)
    if merge:
        done = unmerge(desk, leaving.home, who, {"because": why, "split": person})
        return Split(done.event, leaving.patient, leaving.home)
    member, patient = leaving.patient, _patient_for(desk, leaving)
    evidence = {"because": why}
    event = events.add(
        desk.connection, desk.now, events.SPLIT, who, survivor=member, absorbed=patient, persons=[person],
        evidence=evidence,
    )  # fmt: skip
    move(desk, [person], member, patient, event)
    persons.at_home(desk.connection, person, patient)
    return Split(event, member, patient)


def _leaving(desk: Desk, person: int) -> SourcePerson:
    found = persons.get(desk.connection, person)
    if found is None or not found.patient:
        raise Problem("not-found", "There is no such source person")
    if len(persons.of_patients(desk.connection, [found.patient])) < 2:
        raise Problem("conflict", "This source person is the only one of its member")
    return found


def _own_merge(desk: Desk, leaving: SourcePerson) -> int:
    """The merge of its own Patient, where that was its alone."""
    merge = former.merged_by(desk.connection, leaving.home)
    found = events.event(desk.connection, merge) if merge else None
    if found is None or former.member_of(desk.connection, leaving.home) != leaving.patient:
        return 0
    return merge if set(found.persons) == {leaving.person} else 0


def _patient_for(desk: Desk, leaving: SourcePerson) -> str:
    there = desk.patients([leaving.home]).get(leaving.home)
    is_free = leaving.home != leaving.patient and not former.merged_by(desk.connection, leaving.home)
    if there is not None and not there.deleted and is_free:
        return leaving.home
    identity = str(uuid4())
    made = {**leaving.record.get("patient", {}), "resourceType": "Patient", "id": identity, "active": True}
    made.pop("link", None)
    made["meta"] = {"security": made.pop("meta", {}).get("security", [])}
    made = with_labels(made, _labels(desk, leaving, made))
    if not made["meta"]["security"]:
        del made["meta"]
    access = Access.system("identity split", person=leaving.person)
    desk.transactions.rewriting(Rewriting(frozenset())).commit(
        [single("PUT", "Patient", id=identity, resource=made)], access
    )
    return identity


def _labels(desk: Desk, leaving: SourcePerson, made: Resource) -> int:
    member = desk.patients([leaving.patient]).get(leaving.patient)
    came = [row.labels for row in desk.rows(about.of_persons(desk.connection, [leaving.person]))]
    mask = raised(labels_of(made, leaving.source, desk.part2), max(member.labels, 0) if member else 0)
    return raised(mask, reduce(and_, came) if came and min(came) > 0 else 0)


def move(desk: Desk, moved: Collection[int], member: str, patient: str, event: int) -> None:
    """What came with these source persons is about the other Patient; so are they."""
    persons.link(desk.connection, moved, patient)
    contents: dict[int, tuple[Stored, Resource]] = {}
    before: list[tuple[int, str, str]] = []
    belong: list[int] = []
    for row in desk.rows(about.of_persons(desk.connection, moved)):
        places = named(content(row), {member}, desk.base) if row.type != "Patient" else {}
        if places:
            contents[row.rid] = (row, with_texts(content(row), dict.fromkeys(places, f"Patient/{patient}")))
            before += [(row.rid, pointer, text) for pointer, text in places.items()]
        elif row.type != "Patient":
            belong.append(row.rid)
    before += _identifiers(desk, contents, moved, member, patient)
    moves = frozenset(((address("Patient", member), address("Patient", patient)),))
    versions = desk.write(contents, Rewriting(moves), f"identity {event}")
    desk.belong(belong)
    rewritten.keep(desk.connection, (Rewritten(event, rid, at, was, versions[rid]) for rid, at, was in before))


def _identifiers(
    desk: Desk, contents: dict[int, tuple[Stored, Resource]], moved: Collection[int], member: str, patient: str
) -> list[tuple[int, str, str]]:
    """Those that its record has, and no other record of the member."""
    mine = _said(desk, moved)
    others = _said(desk, persons.of_patients(desk.connection, [member]))
    gone = absorbing.without(mine, others)
    rows = desk.patients([member, patient])
    taken = absorbing.both(absorbing.identifiers(content(rows[member])), gone)
    before = []
    for name, change in ((member, absorbing.without_identifiers), (patient, absorbing.with_identifiers)):
        row = rows[name]
        made = change(content(row), taken)
        if made != content(row):
            contents[row.rid] = (row, made)
            before.append((row.rid, IDENTIFIER, rewritten.text(taken)))
    return before


def _said(desk: Desk, numbers: Collection[int]) -> list[dict[str, str]]:
    """The identifiers of the records of these source persons."""
    return [
        {"system": each["system"], "value": each["value"]}
        for one in persons.several(desk.connection, numbers)
        for each in one.record.get("patient", {}).get("identifier", ())
        if "system" in each and "value" in each
    ]
