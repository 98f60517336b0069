"""Which member a source speaks of: the one question that every feed asks.

Rules: docs/identity.md "Resolving". A source person that is known is the member it is linked to. A new one is
compared with whom it might be: one clear match is linked, a doubtful one gets a Patient of its own and a person
decides later, so that nobody is lost meanwhile.
Refuses (outcome `contradiction`): strong identifiers that name different members, or one whose name and birth date
are somebody else's. What brought that waits, and a person decides.
`resolve` only reads; `settle` writes in the transaction of what the source sent, and says whether it still holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import Connection

from hub import outbox
from hub.identity import events, former, pairs, persons
from hub.identity.blocking import keys
from hub.identity.candidates import candidates_of, identified, identified_of, recorded, said_by
from hub.identity.chosen import current
from hub.identity.counts import frequencies
from hub.identity.decide import LINK, Decision, among, decide
from hub.identity.frequencies import Frequencies
from hub.identity.guards import REVIEW as REVIEW
from hub.identity.person import Person
from hub.identity.persons import SourcePerson
from hub.identity.strong import contradicting
from hub.search import merged
from hub.search.hashes import key as number_of
from hub.store.rids import new_rid
from hub.store.turns import lock_numbers

KNOWN, NEW, CONTRADICTION = "known", "new", "contradiction"
NOBODY = Person("")
ASK = "identity-review"  # the kind of work that asks a person (hub.identity.review)
HUB = "hub"


@dataclass(frozen=True, slots=True)
class Resolution:
    """`person` is the number of the source person, also of one that is not stored yet. `patient`: the member's id,
    None where there is none yet. `outcome`: known, link, review, new or contradiction. `review`: source persons
    to be looked at beside this one; `because`: one line of evidence without a value of a person. `is_stored`: the
    source person had a row already."""

    person: int
    source: str
    key: str
    said: Person
    patient: str | None
    outcome: str
    review: tuple[int, ...] = ()
    because: str = ""
    is_stored: bool = True


class Asked(NamedTuple):
    """What a source says of somebody it calls `key`."""

    said: Person
    source: str
    key: str


def resolve(connection: Connection, said: Person, source: str, key: str, now: int) -> Resolution:
    """`now` in microseconds. Raises nothing: the outcome says what is."""
    return resolve_all(connection, [Asked(said, source, key)], now)[0]


def resolve_all(connection: Connection, asked: Sequence[Asked], now: int) -> list[Resolution]:
    """The same for several, each by what is stored: they know nothing of each other (hub.identity.underway)."""
    there = persons.find_all(connection, {(one.source, one.key) for one in asked})
    known = [there.get((one.source, one.key)) for one in asked]
    new = [place for place, one in enumerate(known) if one is None or not one.patient]
    numbers = {place: one.person if (one := known[place]) else new_rid(now) for place in new}
    found = candidates_of(connection, [(asked[place].said, {numbers[place]}) for place in new])
    likely = dict(zip(new, found, strict=True))
    counted = frequencies(connection, questions=len(new))
    return [
        _new(connection, numbers[place], one, likely[place], known[place] is not None, counted)
        if place in likely
        else _known(connection, known[place], one.said)  # type: ignore[arg-type]
        for place, one in enumerate(asked)
    ]


def _known(connection: Connection, known: SourcePerson, said: Person) -> Resolution:
    """It is who it was, unless its identifiers are somebody else's. Those that it said before were looked at
    then."""
    fresh = set(said.identifiers) - set(said_by(known).identifiers)
    others = identified(connection, said, {known.person}) if fresh else []
    others = [one for one in others if one.patient != known.patient]
    others = [one for one in others if not _held_apart(connection, known.person, [one])]
    if others:
        review = tuple(sorted(one.person for one in others))
        because = "an identifier is another member's"
        return Resolution(
            known.person, known.source, known.key, said, known.patient, CONTRADICTION, review, because
        )
    patient = former.member_of(connection, known.patient) if merged.are_there() else known.patient
    return Resolution(known.person, known.source, known.key, said, patient, KNOWN)


def _new(
    connection: Connection,
    person: int,
    asked: Asked,
    found: Sequence[SourcePerson],
    is_stored: bool,
    counted: Frequencies,
) -> Resolution:
    said, limits = asked.said, current().limits
    apart = _held_apart(connection, person, found) if is_stored else set()
    weighed: dict[str, list[tuple[SourcePerson, Decision]]] = {}
    for one in found:
        if one.person not in apart and one.patient:
            weighed.setdefault(one.patient, []).append((one, decide(said, said_by(one), counted, limits)))
    choice = among({member: [each for _, each in several] for member, several in weighed.items()}, limits)
    strong = {member for member, several in weighed.items() if any(each.identifiers for _, each in several)}
    made = Resolution(person, asked.source, asked.key, said, None, NEW, is_stored=is_stored)
    review = _persons(weighed, choice.review)
    because = _because(weighed, (choice.member, *choice.review))
    if len(strong) > 1:
        return replaced(made, CONTRADICTION, None, _persons(weighed, sorted(strong)), because)
    if choice.outcome == LINK and not _opposed(said, weighed[choice.member]):
        return replaced(made, LINK, choice.member, review, because)
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
    return replace(made, outcome=outcome, patient=patient, review=review, because=because)


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


@dataclass(frozen=True, slots=True)
class Settled:
    """What is to be kept: who it is, the member that it is now, and the source's own record."""

    made: Resolution
    patient: str
    record: Mapping[str, Any]

    @property
    def whole(self) -> dict[str, Any]:
        return recorded(self.made.said, dict(self.record))


def settle(
    connection: Connection, made: Resolution, patient: str, record: Mapping[str, Any], now: int, who: str = HUB
) -> bool:
    """Keep it, with the member that it is now. False where another message decided meanwhile: then nothing is
    written, and the caller resolves anew."""
    return settle_all(connection, [Settled(made, patient, record)], now, who)


def settle_all(connection: Connection, several: Sequence[Settled], now: int, who: str = HUB) -> bool:
    """The same for several, all or none: each of another source person."""
    left = _that_say_something_new(connection, several)
    if not left:
        return True
    _take_turns(connection, [one.made for one in left])
    there = persons.find_all(connection, {(one.made.source, one.made.key) for one in left})
    before = [there.get((one.made.source, one.made.key)) for one in left]
    if not _all_hold(connection, [one.made for one in left], before):
        return False
    persons.put_all(
        connection,
        [
            SourcePerson(one.made.person, one.made.source, one.made.key, one.patient, one.patient, one.whole, now)
            for one in left
        ],
    )
    _keep_keys(connection, [(one.made, was) for one, was in zip(left, before, strict=True)])
    for one in left:
        if one.made.outcome in (LINK, REVIEW):
            _tell(connection, one.made, one.patient, now, who)
    return True


def _that_say_something_new(connection: Connection, several: Sequence[Settled]) -> list[Settled]:
    numbers = {one.made.person for one in several if one.made.outcome == KNOWN}
    there = {one.person: one.record for one in persons.several(connection, numbers)}
    return [one for one in several if there.get(one.made.person) != one.whole or one.made.person not in numbers]


def _keep_keys(connection: Connection, several: Sequence[tuple[Resolution, SourcePerson | None]]) -> None:
    persons.keep_first_keys(connection, {made.person: keys(made.said) for made, was in several if was is None})
    for made, was in several:
        if was is not None and said_by(was) != made.said:
            persons.keep_keys(connection, made.person, keys(made.said))


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


def _all_hold(connection: Connection, several: Sequence[Resolution], before: Sequence[SourcePerson | None]) -> bool:
    """What decided them is as it was: the source persons that are there, and whoever has one of their
    identifiers."""
    others = identified_of(
        connection, [(made.said if made.outcome != KNOWN else NOBODY, {made.person}) for made in several]
    )
    return all(map(_still_holds, several, before, others))


def _still_holds(made: Resolution, there: SourcePerson | None, found: Sequence[SourcePerson]) -> bool:
    if made.outcome == KNOWN:
        return there is not None and there.person == made.person
    if there is not None and (there.person != made.person or (there.patient and made.outcome != REVIEW)):
        return False
    others = {one.patient for one in found if one.patient}
    apart_or_asked = made.outcome == REVIEW
    return others <= ({made.patient} if made.patient else set()) or apart_or_asked


def _take_turns(connection: Connection, several: Sequence[Resolution]) -> None:
    """Two sources that bring one new person at the same moment decide one after the other. All words at once, in
    one order: two that settle several never wait for each other in a circle."""
    if connection.dialect.name != "postgresql":
        return
    words = {
        number_of("", "identity", each.system, each.value) for made in several for each in made.said.identifiers
    }
    words |= {number_of("", "identity", made.source, made.key) for made in several}
    lock_numbers(connection, words)
