"""Messages about one person, of all visits and of none -> what this feed says of the person.

Rules: visit_fold.py (order), merging.py (fields); HL7 v2.5.1 chapter 2.10.4 (snapshot mode).
- A group (IN1, NK1, AL1) says of each of its items that it stands, and of what the group before it in the same
  visit had and this one has not, that it stands no longer. What was said last of an item counts. A group that is
  not sent says nothing. Another visit's list takes nothing off this one's.
- IAM says by its action code (IAM-6, table 0323) what becomes of one allergy: D ends it, X says nothing.
- Roles (ROL, PRT) are the newest that were sent.
Refuses: nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from fhir_mappings.adt.events import EVENTS, VISIT
from fhir_mappings.adt.merging import merged
from fhir_mappings.adt.records import AdtMessage, Allergy, Insurance, NextOfKin, PatientFields, Role, given

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Listed(Generic[Item]):
    """An item and whether it still stands on its list."""

    item: Item
    stands: bool


@dataclass(frozen=True, slots=True)
class Word(Generic[Item]):
    """What the message at `place` says of the item `key`."""

    place: int
    key: str
    listed: Listed[Item]


@dataclass(frozen=True, slots=True)
class Keys:
    """What makes two items the same; empty for an item that cannot be told apart."""

    insurance: Callable[[Insurance], str]
    next_of_kin: Callable[[NextOfKin], str]


@dataclass(frozen=True, slots=True)
class Person:
    """What was said."""

    patient: PatientFields = field(default_factory=PatientFields)
    insurances: tuple[Listed[Insurance], ...] = ()
    next_of_kin: tuple[Listed[NextOfKin], ...] = ()
    allergies: tuple[Listed[Allergy], ...] = ()
    roles: tuple[Role, ...] = ()


def fold_person(ordered: Sequence[AdtMessage], keys: Keys, since: int = 0) -> Person:
    """What these messages say of the person, in order (visit_fold.in_order). Of those before `since` only the
    groups count that the later ones end."""
    patient = PatientFields()
    for message in ordered[since:]:
        patient = merged(patient, message.patient)
    return Person(
        patient,
        _last_words(_words(ordered, since, lambda message: message.insurances, keys.insurance)),
        _last_words(_words(ordered, since, lambda message: message.next_of_kin, keys.next_of_kin)),
        _last_words([*_words(ordered, since, _snapshot, lambda item: item.key), *_actions(ordered, since)]),
        next((message.roles for message in reversed(ordered[since:]) if message.roles), ()),
    )


def _last_words(words: Iterable[Word[Item]]) -> tuple[Listed[Item], ...]:
    """The last word on each item."""
    ordered = sorted(words, key=lambda word: word.place)
    return tuple({word.key: word.listed for word in ordered}.values())


def _words(
    ordered: Sequence[AdtMessage],
    since: int,
    group: Callable[[AdtMessage], tuple[Item, ...]],
    key: Callable[[Item], str],
) -> Iterator[Word[Item]]:
    """What each group says of its items, and of those that were in the group before it."""
    before: dict[str, dict[str, Item]] = {}
    for place, message in enumerate(ordered):
        items = {name: item for item in group(message) if (name := key(item))}
        if not items:
            continue
        previous = before.get(_visit(message), {})
        before[_visit(message)] = items
        if place >= since:
            ended = {name: item for name, item in previous.items() if name not in items}
            yield from (Word(place, name, Listed(item, False)) for name, item in ended.items())
            yield from (Word(place, name, Listed(item, True)) for name, item in items.items())


def _actions(ordered: Sequence[AdtMessage], since: int) -> Iterator[Word[Allergy]]:
    """What IAM says of single allergies."""
    for place, message in enumerate(ordered):
        for allergy in message.allergies:
            if place >= since and allergy.segment == "IAM" and allergy.key and _action(allergy) != "X":
                yield Word(place, allergy.key, Listed(allergy, _action(allergy) != "D"))


def _snapshot(message: AdtMessage) -> tuple[Allergy, ...]:
    return tuple(allergy for allergy in message.allergies if allergy.segment == "AL1")


def _action(allergy: Allergy) -> str:
    action = given(allergy.action)
    return action.code if action else ""


def _visit(message: AdtMessage) -> str:
    if EVENTS[message.event].scope != VISIT:
        return ""
    number = given(message.visit.visit_number) or given(message.patient.account)
    return number.id if number else ""
