"""Which member a source speaks of: the one question that every feed asks.

Rules: docs/identity.md "Resolving". A source person that is known is the member it is linked to. A new one is
compared with whom it might be: one clear match is linked, a doubtful one gets a Patient of its own and a person
decides later, so that nobody is lost meanwhile.
Refuses (outcome `contradiction`): strong identifiers that name different members, or one whose name and birth date
are somebody else's. What brought that waits, and a person decides.
`resolve` only reads; `settle` writes in the transaction of what the source sent, and says whether it still holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from hub import outbox
from hub.identity import events, former, pairs, persons
from hub.identity.blocking import keys
from hub.identity.candidates import candidates, identified, recorded, said_by
from hub.identity.chosen import current
from hub.identity.counts import frequencies
from hub.identity.decide import LINK, Decision, among, decide
from hub.identity.guards import REVIEW
from hub.identity.person import Person
from hub.identity.persons import SourcePerson
from hub.identity.strong import contradicting
from hub.search import merged
from hub.search.hashes import key as number_of
from hub.store.rids import new_rid
from hub.store.turns import lock_numbers

KNOWN, NEW, CONTRADICTION = "known", "new", "contradiction"
ASK = "identity-review"  # the kind of work that asks a person (hub.identity.review)
HUB = "hub"


@dataclass(frozen=True, slots=True)
class Resolution:
    """`person` is the number of the source person, also of one that is not stored yet. `patient`: the member's id,
    None where there is none yet. `outcome`: known, link, review, new or contradiction. `review`: source persons
    to be looked at beside this one; `because`: one line of evidence without a value of a person."""

    person: int
    source: str
    key: str
    said: Person
    patient: str | None
    outcome: str
    review: tuple[int, ...] = ()
    because: str = ""


def resolve(connection: Connection, said: Person, source: str, key: str, now: int) -> Resolution:
    """`now` in microseconds. Raises nothing: the outcome says what is."""
    known = persons.find(connection, source, key)
    if known is not None and known.patient:
        return _known(connection, known, said)
    person = known.person if known else new_rid(now)
    return _new(connection, person, source, key, said)


def _known(connection: Connection, known: SourcePerson, said: Person) -> Resolution:
    """It is who it was, unless its identifiers are somebody else's. Those that it said before were looked at
    then."""
    fresh = set(said.identifiers) - set(said_by(known).identifiers)
    others = [one for one in identified(connection, said, {known.person}) if fresh and one.patient != known.patient]
    others = [one for one in others if not _held_apart(connection, known.person, [one])]
    if others:
        review = tuple(sorted(one.person for one in others))
        because = "an identifier is another member's"
        return Resolution(
            known.person, known.source, known.key, said, known.patient, CONTRADICTION, review, because
        )
    patient = former.member_of(connection, known.patient) if merged.are_there() else known.patient
    return Resolution(known.person, known.source, known.key, said, patient, KNOWN)


def _new(connection: Connection, person: int, source: str, key: str, said: Person) -> Resolution:
    found = candidates(connection, said, {person})
    apart = _held_apart(connection, person, found)
    counted, limits = frequencies(connection), current().limits
    weighed: dict[str, list[tuple[SourcePerson, Decision]]] = {}
    for one in found:
        if one.person not in apart and one.patient:
            weighed.setdefault(one.patient, []).append((one, decide(said, said_by(one), counted, limits)))
    choice = among({member: [each for _, each in several] for member, several in weighed.items()})
    strong = {member for member, several in weighed.items() if any(each.identifiers for _, each in several)}
    made = Resolution(person, source, key, said, None, NEW)
    review = _persons(weighed, choice.review)
    because = _because(weighed, (choice.member, *choice.review))
    if len(strong) > 1:
        return replaced(made, CONTRADICTION, None, _persons(weighed, sorted(strong)), because)
    if choice.outcome == LINK and not _opposed(said, weighed[choice.member]):
        return replaced(made, LINK, choice.member, (), because)
    if strong and choice.outcome != LINK:
        return replaced(made, CONTRADICTION, None, _persons(weighed, sorted(strong)), because)
    if choice.outcome == REVIEW or choice.outcome == LINK:
        return replaced(made, REVIEW, None, review or _persons(weighed, [choice.member]), because)
    return made


def _opposed(said: Person, several: Sequence[tuple[SourcePerson, Decision]]) -> bool:
    """Another record of the member has another number of the same kind."""
    return any(contradicting(said.identifiers, said_by(one).identifiers) for one, _ in several)


def replaced(
    made: Resolution, outcome: str, patient: str | None, review: tuple[int, ...], because: str
) -> Resolution:
    return Resolution(made.person, made.source, made.key, made.said, patient, outcome, review, because)


def _persons(
    weighed: Mapping[str, Sequence[tuple[SourcePerson, Decision]]], members: Sequence[str]
) -> tuple[int, ...]:
    """Of each of these members the record that is the likeliest."""
    return tuple(max(weighed[member], key=lambda one: one[1].weight)[0].person for member in members if member)


def _because(weighed: Mapping[str, Sequence[tuple[SourcePerson, Decision]]], members: Sequence[str]) -> str:
    best = [max(weighed[member], key=lambda one: one[1].weight)[1] for member in members if member]
    return "; ".join(map(str, best))[:2000]


def _held_apart(connection: Connection, person: int, found: Sequence[SourcePerson]) -> set[int]:
    if not found:
        return set()
    return pairs.held_apart(connection, person, [one.person for one in found])


def settle(
    connection: Connection, made: Resolution, patient: str, record: Mapping[str, Any], now: int, who: str = HUB
) -> bool:
    """Keep it, with the member that it is now. False where another message decided meanwhile: then nothing is
    written, and the caller resolves anew."""
    whole = recorded(made.said, dict(record))
    if made.outcome == KNOWN and _says_nothing_new(connection, made, whole):
        return True
    _take_turns(connection, made)
    there = persons.find(connection, made.source, made.key)
    if not _still_holds(connection, made, there):
        return False
    persons.put(connection, made.person, made.source, made.key, patient, whole, now)
    if there is None or said_by(there) != made.said:
        persons.keep_keys(connection, made.person, keys(made.said), new=there is None)
    if made.outcome in (LINK, REVIEW):
        _tell(connection, made, patient, now, who)
    return True


def _says_nothing_new(connection: Connection, made: Resolution, record: Mapping[str, Any]) -> bool:
    there = persons.get(connection, made.person)
    return there is not None and there.record == record


def ask(connection: Connection, made: Resolution, now: int, who: str = HUB) -> None:
    """Of a contradiction a person decides: the source person is kept, with the member it had, if any."""
    whole = recorded(made.said, {})
    if persons.get(connection, made.person) is None:
        persons.put(connection, made.person, made.source, made.key, made.patient or "", whole, now)
    _tell(connection, made, made.patient or "", now, who)


def _tell(connection: Connection, made: Resolution, patient: str, now: int, who: str) -> None:
    kind = events.LINK if made.outcome == LINK else events.REVIEW
    evidence = {"because": made.because, "outcome": made.outcome}
    event = events.add(
        connection, now, kind, who, survivor=patient, persons=[made.person, *made.review], evidence=evidence
    )
    rows = [
        outbox.row(ASK, f"{event}/{other}", {"one": made.person, "other": other, "because": made.because}, now)
        for other in made.review
        if pairs.put(connection, made.person, other, pairs.IN_REVIEW, event)
    ]
    outbox.add(connection, rows)


def _still_holds(connection: Connection, made: Resolution, there: SourcePerson | None) -> bool:
    """What decided it is as it was: the source person that is there, and whoever has one of its identifiers."""
    if made.outcome == KNOWN:
        return there is not None and there.person == made.person
    if there is not None and (there.person != made.person or (there.patient and made.outcome != REVIEW)):
        return False
    others = {one.patient for one in identified(connection, made.said, {made.person}) if one.patient}
    apart_or_asked = made.outcome == REVIEW
    return others <= ({made.patient} if made.patient else set()) or apart_or_asked


def _take_turns(connection: Connection, made: Resolution) -> None:
    """Two sources that bring one new person at the same moment decide one after the other."""
    if connection.dialect.name != "postgresql":
        return
    words = {number_of("", "identity", each.system, each.value) for each in made.said.identifiers}
    words.add(number_of("", "identity", made.source, made.key))
    lock_numbers(connection, words)
