"""Which member a hospital's message speaks of, and what it says of that person: hub.identity asked by a feed.

Rules: docs/identity.md "Resolving"; docs/adr/0006, docs/adr/0016. A person of a hospital is its record number at
the hospital's authority; without one the CIN, as this feed says it. Of the segments only PID is compared. Social
Security numbers are never read.
Refuses (Unmatched): numbers of different members, or of somebody with another name and birth date. People decide.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from fhir_mappings.adt.facilities import Facility
from fhir_mappings.adt.member_keys import MemberKeys
from fhir_mappings.adt.problems import Unmatched
from fhir_mappings.adt.records import AdtMessage, PatientFields, given
from hub import clock
from hub.access import Access
from hub.fhir import json
from hub.identity import decided, former, pairs, resolve
from hub.identity.candidates import identified
from hub.identity.feeds import Number
from hub.identity.patient import person_of
from hub.identity.resolve import CONTRADICTION, NEW, Resolution
from hub.identity.strong import US_MBI, Systems
from hub.inbox.messages import Awaited
from hub.search import merged
from hub.store import read
from hub.store.engine import Database

SEXES = {"F": "female", "M": "male"}
Token = tuple[str, str]


class Undecided(Unmatched):
    """A person is asked; `awaits` names the question, if it is open."""

    def __init__(self, awaits: Awaited | None):
        super().__init__("The identifiers name another member, or a person with another name", "PID-3")
        self.awaits = awaits


Resource = dict[str, Any]


def systems(facility: Facility, cin_system: str) -> Systems:
    """Which numbers are strong here."""
    return Systems(exact=((cin_system, "cin"), (US_MBI, "mbi"), (facility.mrn_system, "mrn")))


def number(token: Token, facility: Facility, cin_system: str) -> Number:
    """What this source calls the person."""
    system, value = token
    return (facility.feed, f"cin|{value}") if system == cin_system else (system, value)


def said(record: AdtMessage, keys: MemberKeys) -> Resource:
    """The source's own record: a Patient with what PID says."""
    fields = record.patient
    told: Resource = {
        "resourceType": "Patient",
        "identifier": [{"system": system, "value": value} for system, value in keys.tokens],
        "name": [_name(one) for one in (*_given(fields.names), *_given(fields.aliases))],
        "gender": _sex(fields),
        "birthDate": keys.birth_date,
        "telecom": [{"system": "phone", "value": one.number} for one in _given(fields.home_phones) if one.number],
        "address": [_address(one) for one in _given(fields.addresses)],
        "multipleBirthInteger": _order(fields),
    }
    return {name: value for name, value in told.items() if value}


def _given(several: Any) -> Sequence[Any]:
    return given(several) or ()


def _name(one: Any) -> Resource:
    parts = {"family": one.family, "given": [each for each in (one.given, one.middle) if each]}
    return {
        name: value for name, value in (parts | {"suffix": [one.suffix] if one.suffix else []}).items() if value
    }


def _sex(fields: PatientFields) -> str:
    found = given(fields.sex)
    return SEXES.get(found.code.upper(), "") if found else ""


def _address(one: Any) -> Resource:
    parts = {"line": list(one.lines), "city": one.city, "postalCode": one.postal_code}
    return {name: value for name, value in parts.items() if value}


def _order(fields: PatientFields) -> int:
    found = given(fields.birth_order)
    return int(found.code) if found and found.code.isdecimal() and len(found.code) < 3 else 0


@dataclass(frozen=True, slots=True)
class Members:
    """Asks, and keeps what was answered with what the message brings."""

    database: Database
    cin_system: str
    now: clock.Clock = clock.now

    def resolve_all(
        self, connection: Connection, asked: Sequence[tuple[AdtMessage, Facility, MemberKeys]]
    ) -> list[Resolution | Unmatched]:
        """For each who it is, or why nobody knows: then a person is asked."""
        questions = [self._asked(*each) for each in asked]
        found = resolve.resolve_all(connection, questions, self._micros())
        return [self._decided(connection, one) for one in found]

    def _asked(self, record: AdtMessage, facility: Facility, keys: MemberKeys) -> resolve.Asked:
        source, key = number(_own(keys, facility), facility, self.cin_system)
        return resolve.Asked(person_of(said(record, keys), source, systems(facility, self.cin_system)), source, key)

    def _decided(self, connection: Connection, found: Resolution) -> Resolution | Unmatched:
        if found.outcome == CONTRADICTION:
            self.database.writing(lambda writing: resolve.ask(writing, found, self._micros()))
            return Undecided(decided.between(connection, (found.person, *found.review)))
        if found.outcome == NEW and found.is_stored and _are_two(connection, found):
            return Undecided(None)
        return found

    def settle_all(
        self, connection: Connection, found: Sequence[tuple[Resolution, str, AdtMessage, MemberKeys]]
    ) -> bool:
        """In the messages' own transaction. False: somebody else decided meanwhile."""
        several = [resolve.Settled(made, patient, said(record, keys)) for made, patient, record, keys in found]
        return resolve.settle_all(connection, several, self._micros())

    def _micros(self) -> int:
        return clock.micros(self.now())


def _are_two(connection: Connection, found: Resolution) -> bool:
    """A person said that it is nobody who has one of its numbers: then one of them has a wrong number."""
    apart = pairs.all_held_apart(connection, found.person)
    return bool(apart) and any(
        one.patient and one.person in apart for one in identified(connection, found.said, {found.person})
    )


def _own(keys: MemberKeys, facility: Facility) -> Token:
    """The record number; without one the CIN."""
    own = [token for token in keys.tokens if token[0] == facility.mrn_system]
    return (own or keys.tokens)[0]


def patient(connection: Connection, access: Access, identity: str) -> Mapping[str, Any] | None:
    """The member with this id, who may have become another one meanwhile."""
    found = read.current(connection, access, "Patient", _now(connection, identity))
    return json.stored(found.body) if found and found.body else None


def of_numbers(
    connection: Connection, access: Access, tokens: Sequence[Token], found: Mapping[Token, Sequence[Resource]]
) -> dict[str, Mapping[str, Any]]:
    """By id the members who have one of these numbers; `found`: adapters.adt.known.patients_of."""
    members: dict[str, Mapping[str, Any]] = {}
    for one in (each for token in tokens for each in found.get(token, ())):
        member = one if _now(connection, one["id"]) == one["id"] else patient(connection, access, one["id"])
        if member is not None:
            members[member["id"]] = member
    return members


def _now(connection: Connection, identity: str) -> str:
    """Where nobody was ever merged, nobody is asked; the commit looks again."""
    return former.member_of(connection, identity) if merged.are_there() else identity
