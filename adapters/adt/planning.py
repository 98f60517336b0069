"""From parsed hospital messages to what is to be written of each: reads, matches, maps; several at once.

Rules: docs/adr/0006 (all messages of a visit, whatever their order), docs/identity.md "Resolving". What several
messages ask of the store is asked with one statement for all of them.
A message that resembles somebody new in a message before it waits for that one (`Later`): it must be compared with
what that one stores.
Refuses, message by message: what adapters.adt.members, fhir_mappings.adt and adapters.adt.known refuse.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from adapters.adt import known as store
from adapters.adt.local_tables import LocalTables
from adapters.adt.members import Members, of_numbers, patient
from adapters.adt.readings import reading
from fhir_mappings.adt.directory import TYPES as DIRECTORY
from fhir_mappings.adt.directory import keys as directory_keys
from fhir_mappings.adt.directory import named_in, with_known
from fhir_mappings.adt.events import EVENTS, VISIT
from fhir_mappings.adt.facilities import Facilities, Facility
from fhir_mappings.adt.member_keys import MemberKeys, member_keys
from fhir_mappings.adt.person import is_late
from fhir_mappings.adt.problems import AdtProblem, Unmatched
from fhir_mappings.adt.records import AdtMessage
from fhir_mappings.adt.visit import NOBODY, KnownMember, person_bundle, visit_bundle
from fhir_mappings.alerts.notification_adt import placed_once
from hub import clock
from hub.access import Access
from hub.fhir.bundles import Entry, entries_of
from hub.identity.resolve import Resolution
from hub.identity.underway import to_wait
from hub.inbox import held as held_messages
from hub.inbox import work as inbox
from hub.inbox.messages import Message
from hub.problems import Problem
from hub.search.values import plain
from hub.worker import Park

Element = dict[str, Any]
MOST_ENTRIES = 500  # of one message
ACCESS = Access.system("adt", brings=0)
# what is wrong with one message, and with no other
REFUSALS = (AdtProblem, Park, Problem, store.Emptied)


class Later(Exception):
    """A message before it must be stored first."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One message, taken apart. `subject`: adapters.adt.known.subject."""

    message: Message
    record: AdtMessage
    facilities: Facilities
    keys: MemberKeys
    subject: str

    @property
    def facility(self) -> Facility:
        return self.facilities.of(self.record.facility)

    @property
    def access(self) -> Access:
        return Access.system(f"adt {self.message.feed} {self.message.control_id}")

    @property
    def names(self) -> frozenset[Any]:
        """What it is about: two messages of one batch have none of these in common."""
        return frozenset((self.subject, *self.keys.tokens))


@dataclass(frozen=True, slots=True)
class Plan:
    """What one message will have written. `others` are the places in the inbox of what was told of its subject
    before, `held` the messages that waited for it, `resolved` who it is about, `entries` what goes to the store."""

    draft: Draft
    others: frozenset[int]
    held: Sequence[Message]
    resolved: Resolution | None
    member: KnownMember
    entries: Sequence[Entry]


@dataclass(slots=True)
class _Half:
    """A plan in the making."""

    draft: Draft
    others: Mapping[int, bytes]
    held: Sequence[Message]
    resolved: Resolution | None = None
    member: KnownMember = NOBODY
    bundle: Element | None = None


def draft_of(message: Message, record: AdtMessage, facilities: Facilities, cin_system: str) -> Draft:
    """Raises AdtProblem."""
    facility = facilities.of(record.facility)
    keys = member_keys(record, facility, cin_system)
    return Draft(message, record, facilities, keys, store.subject(facility, keys))


@dataclass(frozen=True, slots=True)
class Planner:
    """`members` None: only the numbers of stored Patients are looked at."""

    tables: LocalTables
    cin_system: str
    members: Members | None = None

    def plans(self, connection: Connection, drafts: Sequence[Draft]) -> list[Plan | Exception]:
        """A plan for each, or why there is none (`Later` included)."""
        halves = self._begun(connection, drafts)
        self._resolve(connection, halves)
        self._map(connection, halves)
        return self._finished(connection, halves)

    def _begun(self, connection: Connection, drafts: Sequence[Draft]) -> list[_Half | Exception]:
        subjects = [draft.subject for draft in drafts]
        said = inbox.of_subjects(connection, subjects)
        held = held_messages.waiting_for(connection, store.VISIT, subjects)
        found: list[_Half | Exception] = []
        for draft in drafts:
            try:
                others = store.others_in(said[draft.subject], draft.message.seq)
                if not others:
                    store.refuse_cancel_of_nothing(draft.record, draft.subject)
                found.append(_Half(draft, others, held[draft.subject]))
            except REFUSALS as refusal:
                found.append(refusal)
        return found

    def _resolve(self, connection: Connection, halves: list[_Half | Exception]) -> None:
        if self.members is None:
            return
        left = _left(halves)
        asked = [(one.draft.record, one.draft.facility, one.draft.keys) for _, one in left]
        answers = self.members.resolve_all(connection, asked)
        for (place, half), answer in zip(left, answers, strict=True):
            if isinstance(answer, Exception):
                halves[place] = answer
            else:
                half.resolved = answer
        several = [(place, half.resolved) for place, half in _left(halves) if half.resolved]
        for number in to_wait(connection, [one for _, one in several]):
            halves[several[number][0]] = Later()

    def _map(self, connection: Connection, halves: list[_Half | Exception]) -> None:
        left = _left(halves)
        tokens = {token for _, half in left for token in half.draft.keys.tokens}
        found = store.patients_of(connection, ACCESS, tokens)
        for place, half in left:
            try:
                half.member = self._known(connection, half, found)
            except REFUSALS as refusal:
                halves[place] = refusal
        _date(connection, [half for _, half in _left(halves)])
        for place, half in _left(halves):
            try:
                half.bundle = self._bundle(connection, half)
            except REFUSALS as refusal:
                halves[place] = refusal

    def _known(
        self, connection: Connection, half: _Half, numbers: Mapping[store.Token, Sequence[Element]]
    ) -> KnownMember:
        """The one member these keys name, or nobody; `_date` says as of when it is known. Raises Unmatched."""
        keys, resolved = half.draft.keys, half.resolved
        found = of_numbers(connection, ACCESS, keys.tokens, numbers)
        linked = resolved.patient if resolved else None
        if linked and linked not in found and (there := patient(connection, ACCESS, linked)):
            found[there["id"]] = there
        if len(found) > 1:
            raise Unmatched("CIN and medical record number name different members", "PID-3")
        for identity, one in found.items():
            owned = one.get("meta", {}).get("source") == half.draft.facility.feed
            if not owned and _another_person(one, keys):
                raise Unmatched("The member with this number has another name and birth date", "PID-5")
            return KnownMember(identity, owned, one)
        return NOBODY

    def _bundle(self, connection: Connection, half: _Half) -> Element:
        draft = half.draft
        waited = [(self._read(draft, one.raw), clock.moment(one.received)) for one in half.held]
        new = [draft.record, *(each for each, _ in waited)]
        seen = placed_once([*new, *(self._read(draft, raw) for raw in half.others.values())])
        more = self._more(connection, half, new)
        guarded = draft.facilities.guarded(draft.facility, seen)
        return self._mapped(draft, seen, more, half.member, guarded, waited)

    def _read(self, draft: Draft, raw: bytes) -> AdtMessage:
        """What the same facility told."""
        return reading(raw, draft.facility, self.cin_system, self.tables.codes())

    def _more(self, connection: Connection, half: _Half, new: Sequence[AdtMessage]) -> list[AdtMessage]:
        """For a message that comes late: what this feed said of the person elsewhere."""
        member, facility = half.member, half.draft.facility
        if member.patient_id is None or not any(is_late(one, member, facility) for one in new):
            return []
        told = store.told_of(connection, ACCESS, member.patient_id, facility, half.draft.keys)
        return [self._read(half.draft, raw) for seq, raw in told.items() if seq not in half.others]

    def _mapped(
        self,
        draft: Draft,
        seen: Sequence[AdtMessage],
        more: Sequence[AdtMessage],
        member: KnownMember,
        facility: Facility,
        waited: Sequence[tuple[AdtMessage, datetime]],
    ) -> Element:
        tables, received, record = self.tables.codes(), clock.moment(draft.message.received), draft.record
        if EVENTS[record.event].scope != VISIT:
            every = [*seen, *more]
            return person_bundle(every, member, facility, tables, self.cin_system, latest=record, recorded=received)
        told = [(record, received), *waited]
        return visit_bundle(seen, member, facility, tables, self.cin_system, told=told, others=more)

    def _finished(self, connection: Connection, halves: Sequence[_Half | Exception]) -> list[Plan | Exception]:
        """What is in the directory already is left as it is; what a message before brings is not brought twice."""
        named = [entry for _, half in _left(halves) for entry in named_in(half.bundle or {"entry": ()})]
        known = store.directory(connection, ACCESS, directory_keys(named))
        brought: set[str] = set()
        return [half if isinstance(half, Exception) else _plan(half, known, brought) for half in halves]


def _date(connection: Connection, halves: Sequence[_Half]) -> None:
    """Put in as of when each known member is known."""
    known = [(half, half.member.patient_id, half.draft.facility) for half in halves]
    found = store.as_of(connection, ACCESS, {(identity, feed) for _, identity, feed in known if identity})
    for half, identity, feed in known:
        if identity:
            half.member = replace(half.member, as_of=found.get((identity, feed)))


def _left(halves: Iterable[_Half | Exception]) -> list[tuple[int, _Half]]:
    return [(place, half) for place, half in enumerate(halves) if isinstance(half, _Half)]


def _plan(half: _Half, known: Mapping[str, str], brought: set[str]) -> Plan:
    entries = entries_of(with_known(half.bundle or {}, known), MOST_ENTRIES)
    entries = [entry for entry in entries if entry.type not in DIRECTORY or entry.full_url not in brought]
    brought |= {entry.full_url for entry in entries if entry.type in DIRECTORY}
    if half.resolved:
        entries = [replace(entry, person=half.resolved.person) for entry in entries]
    return Plan(half.draft, frozenset(half.others), half.held, half.resolved, half.member, entries)


def _another_person(patient: Mapping[str, Any], keys: MemberKeys) -> bool:
    """Both the birth date and the family name contradict. One alone may be a typing error."""
    born, families = patient.get("birthDate"), {plain(name.get("family", "")) for name in patient.get("name", ())}
    if not born or not families or not keys.birth_date or not keys.family:
        return False
    same_day = born.startswith(keys.birth_date) or keys.birth_date.startswith(born)
    return not same_day and plain(keys.family) not in families
