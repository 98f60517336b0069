"""A source says that two of its numbers are one person (HL7 v2 A34, A40; another feed's own way).

Rules: docs/identity.md "Merges of a source"; known-failures.md SEC-47, bad-input.md V19 to V22. Both numbers are of
one authority: a source merges nobody else's persons.
- Nobody else knows the member of the number that goes: the members are merged.
- The member of the number that goes has other sources, too: only this source's person moves to the other member,
  unless strong identifiers contradict; then a person decides (`Doubtful`).
- They are one member already: nothing is done, unless the same merge was made the other way round (`Circle`).
Refuses: a number that nobody has brought yet (`Unknown`); nothing is written then.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hub import outbox
from hub.identity import events, former, pairs, persons
from hub.identity.candidates import said_by
from hub.identity.desk import Desk
from hub.identity.merge import merge
from hub.identity.persons import SourcePerson
from hub.identity.resolve import ASK
from hub.identity.split import move
from hub.identity.strong import contradicting
from hub.store.rids import new_rid

Number = tuple[str, str]  # source, key


class Unknown(Exception):
    """The number that goes is nobody's yet: what said so waits."""


class Circle(Exception):
    """The other number was merged into this one before."""


class Doubtful(Exception):
    """The identifiers of the two contradict: a person decides."""


@dataclass(frozen=True, slots=True)
class Joined:
    """`patient` is the member that both are now; `event` 0 where nothing was to be done."""

    patient: str
    event: int


def join(desk: Desk, kept: Sequence[Number], gone: Sequence[Number], who: str) -> Joined:
    """The person with one of the first numbers takes in the one with one of the others. Raises Unknown, Circle,
    Doubtful."""
    goes, remains = _first(desk, gone), _first(desk, kept)
    if goes is None or not goes.patient:
        raise Unknown
    if remains is None or not remains.patient:
        return _renamed(desk, goes, kept[0], who)
    if goes.patient == remains.patient:
        return _again(desk, remains, goes, who)
    if _contradict(desk, remains, goes):
        _ask(desk, remains, goes, who, "a source merges them, and their identifiers contradict")
        raise Doubtful
    target, evidence = former.member_of(desk.connection, remains.patient), {"by": "source"}
    others = persons.several(desk.connection, persons.of_patients(desk.connection, [goes.patient]))
    if all(one.source == goes.source for one in others):
        done = merge(desk, target, goes.patient, who, evidence | {"gone": goes.person, "kept": remains.person})
        return Joined(done.survivor, done.event)
    return Joined(target, _moved(desk, goes, remains, target, who))


def _first(desk: Desk, numbers: Sequence[Number]) -> SourcePerson | None:
    found = (persons.find(desk.connection, *number) for number in numbers)
    return next((one for one in found if one is not None), None)


def _renamed(desk: Desk, goes: SourcePerson, number: Number, who: str) -> Joined:
    """Nobody had the number that remains: it is the one person's new number."""
    person = new_rid(desk.now)
    persons.put(desk.connection, person, *number, goes.patient, goes.record, desk.now)
    numbers = [goes.person, person]
    event = events.add(desk.connection, desk.now, events.LINK, who, survivor=goes.patient, persons=numbers)
    return Joined(goes.patient, event)


def _again(desk: Desk, remains: SourcePerson, goes: SourcePerson, who: str) -> Joined:
    """Sent again, or the other way round."""
    for found in events.of_patient(desk.connection, remains.patient):
        said = found.evidence
        if found.undone_by == 0 and (said.get("gone"), said.get("kept")) == (remains.person, goes.person):
            _ask(desk, remains, goes, who, "a source merges them the other way round than before")
            raise Circle
    return Joined(remains.patient, 0)


def _contradict(desk: Desk, remains: SourcePerson, goes: SourcePerson) -> bool:
    """Another record of the member that remains has another number of a kind of which a person has one. The numbers
    that the source merges are not asked: they contradict by nature."""
    own = {(each.source, each.key) for each in (remains, goes)}
    mine = [each for each in said_by(goes).identifiers if not _is_own(each.value, own)]
    others = persons.several(desk.connection, persons.of_patients(desk.connection, [remains.patient]))
    theirs = [each for one in others for each in said_by(one).identifiers if not _is_own(each.value, own)]
    return bool(contradicting(mine, theirs))


def _is_own(value: str, own: set[Number]) -> bool:
    return any(key.rpartition("|")[2] == value for _, key in own)


def _ask(desk: Desk, remains: SourcePerson, goes: SourcePerson, who: str, because: str) -> None:
    numbers = [remains.person, goes.person]
    event = events.add(
        desk.connection, desk.now, events.REVIEW, who, survivor=remains.patient, persons=numbers,
        evidence={"because": because},
    )  # fmt: skip
    if pairs.put(desk.connection, remains.person, goes.person, pairs.IN_REVIEW, event):
        payload = {"one": goes.person, "other": remains.person, "because": because}
        outbox.add(desk.connection, [outbox.row(ASK, f"{event}/{goes.person}", payload, desk.now)])


def _moved(desk: Desk, goes: SourcePerson, remains: SourcePerson, target: str, who: str) -> int:
    evidence = {"by": "source", "gone": goes.person, "kept": remains.person}
    event = events.add(
        desk.connection, desk.now, events.SPLIT, who, survivor=target, absorbed=goes.patient,
        persons=[goes.person], evidence=evidence,
    )  # fmt: skip
    move(desk, [goes.person], goes.patient, target, event)
    return event
