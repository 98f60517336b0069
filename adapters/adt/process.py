"""One hospital message from the inbox: parse, find the member, map the whole visit, commit; or wait in a state.

An Encounter is made from all messages of its visit, in the order of their events (fhir_mappings.adt.visit), so the
order of arrival does not matter. The message becomes `processed` in the same transaction as its resources.
A cancel of a visit that nobody has told of makes none: it waits (`waiting`, 204), and counts with the first message
of its visit.
Events of no visit (A28, A31, A60) are about the person alone. A merge (A34, A40) goes to the function that this
handler is given, whole and with nothing else; without one it waits (`unmatched`).
A member is found by CIN or by the hospital's record number; nobody is guessed: two different members, or a CIN
whose person has another name and birth date, wait for a person (`unmatched`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from adapters.adt import known as store
from adapters.adt.awaited import SPEAKABLE, awaited
from adapters.adt.local_tables import LocalTables
from adapters.adt.members import Members, of_numbers, patient
from adapters.adt.message import parse
from fhir_mappings.adt.directory import keys as directory_keys
from fhir_mappings.adt.directory import named_in, with_known
from fhir_mappings.adt.events import EVENTS, MERGE, VISIT
from fhir_mappings.adt.facilities import Facilities, Facility
from fhir_mappings.adt.member_keys import MemberKeys, MergeKeys, member_keys, merge_keys
from fhir_mappings.adt.person import is_late
from fhir_mappings.adt.problems import AdtProblem, UnknownFacility, UnmappedCode, Unmatched, Unreadable
from fhir_mappings.adt.records import AdtMessage
from fhir_mappings.adt.visit import KnownMember, person_bundle, visit_bundle
from hub import clock
from hub.access import Access
from hub.fhir.bundles import entries_of
from hub.identity.resolve import Resolution
from hub.inbox import held as held_messages
from hub.inbox import work as inbox
from hub.inbox.messages import LATE, Message
from hub.problems import Problem
from hub.search.values import plain
from hub.store.engine import Database
from hub.transactions import Transactions
from hub.worker import Park

SOURCE = "adt"
TRIES = 5
CHANGED_MEANWHILE = ("precondition", "conflict", "multiple-matches")
TOO_LATE = "The messages that it would be put together with were emptied"

# merges the persons of one message and settles the message in the same transaction; raises AdtProblem or Problem
Merging = Callable[[Sequence[MergeKeys], AdtMessage, Message], None]


class Overtaken(Exception):
    """Another message of the visit was processed while this one was mapped."""


def cannot_merge(groups: Sequence[MergeKeys], record: AdtMessage, message: Message) -> None:
    """Until somebody can: the merge waits for a person. Raises Unmatched."""
    raise Unmatched("A merge of two persons waits for the identity store", "MRG-1")


@dataclass(frozen=True, slots=True)
class Processor:
    """The worker's handler for messages of source `adt`."""

    database: Database
    transactions: Transactions
    tables: LocalTables
    cin_system: str
    now: clock.Clock = clock.now
    merge: Merging = cannot_merge
    acknowledge: Callable[[Connection, Message], None] = lambda connection, message: None  # as it is processed
    members: Members | None = None  # None: only the numbers of stored Patients are looked at

    def __call__(self, message: Message) -> None:
        """Commit the message's visit. Raises Park (wait in a named state) or Problem."""
        try:
            self._process(message)
        except AdtProblem as problem:
            code = problem.code if isinstance(problem, Unreadable) else ""
            awaits = awaited(problem)
            raise Park(problem.state, _reason(problem), problem.where, awaits, code) from None
        except store.Emptied:
            raise Park(LATE, TOO_LATE, "PV1-19") from None

    def _process(self, message: Message) -> None:
        record = parse(message.raw)
        facilities = self.tables.facilities()
        facility = facilities.of(record.facility)
        if EVENTS[record.event].scope == MERGE:
            self.merge(merge_keys(record, facility, self.cin_system), record, message)
            return
        keys = member_keys(record, facility, self.cin_system)
        for attempt in range(1, TRIES + 1):
            try:
                self._commit(message, record, facilities, keys)
            except Overtaken:
                if attempt == TRIES:
                    raise Problem("busy", "Other messages of this visit kept changing it") from None
            except Problem as problem:
                if attempt == TRIES or problem.kind not in CHANGED_MEANWHILE:
                    raise
            else:
                return

    def _commit(self, message: Message, record: AdtMessage, facilities: Facilities, keys: MemberKeys) -> None:
        access = Access.system(f"adt {message.feed} {message.control_id}")
        facility = facilities.of(record.facility)
        subject = store.subject(facility, keys)
        with self.database.read() as connection:
            others = store.others(connection, subject, message.seq)
            if not others:
                store.refuse_cancel_of_nothing(record, subject)
            held = held_messages.waiting(connection, store.VISIT, subject)
            resolved = self.members.resolve(connection, record, facility, keys) if self.members else None
            member = self._known(connection, access, facility, keys, resolved)
            waited = [(parse(one.raw), clock.moment(one.received)) for one in held]
            new = [record, *(each for each, _ in waited)]
            seen = [*new, *(parse(raw) for raw in others.values())]
            more = self._more(connection, access, facility, keys, new, member, others)
            bundle = self._bundle(seen, more, record, member, facilities.guarded(facility, seen), message, waited)
            known = store.directory(connection, access, directory_keys(named_in(bundle)))

        writing = replace(access, person=resolved.person) if resolved else access

        def settle(connection: Connection) -> None:
            now_there = inbox.seqs_told(connection, subject)
            if now_there - {message.seq} != others.keys():
                raise Overtaken
            if resolved and not self._settled(connection, access, resolved, member, record, keys):
                raise Overtaken
            if held:
                now = clock.micros(self.now())
                held_messages.processed(connection, [one.seq for one in held], store.VISIT, subject, now)
            inbox.processed(connection, message, clock.micros(self.now()), subject)
            self.acknowledge(connection, message)

        self.transactions.commit(entries_of(with_known(bundle, known), 500), writing, inside=settle, many=True)

    def _more(
        self,
        connection: Connection,
        access: Access,
        facility: Facility,
        keys: MemberKeys,
        new: Sequence[AdtMessage],
        member: KnownMember,
        others: Mapping[int, bytes],
    ) -> list[AdtMessage]:
        """For a message that comes late: what this feed said of the person elsewhere."""
        if member.patient_id is None or not any(is_late(one, member, facility) for one in new):
            return []
        told = store.told_of(connection, access, member.patient_id, facility, keys)
        return [parse(raw) for seq, raw in told.items() if seq not in others]

    def _bundle(
        self,
        seen: Sequence[AdtMessage],
        more: Sequence[AdtMessage],
        record: AdtMessage,
        member: KnownMember,
        facility: Facility,
        message: Message,
        waited: Sequence[tuple[AdtMessage, datetime]],
    ) -> dict[str, Any]:
        tables, received = self.tables.codes(), clock.moment(message.received)
        if EVENTS[record.event].scope != VISIT:
            every = [*seen, *more]
            return person_bundle(every, member, facility, tables, self.cin_system, latest=record, recorded=received)
        told = [(record, received), *waited]
        return visit_bundle(seen, member, facility, tables, self.cin_system, told=told, others=more)

    def _settled(
        self,
        connection: Connection,
        access: Access,
        resolved: Resolution,
        member: KnownMember,
        record: AdtMessage,
        keys: MemberKeys,
    ) -> bool:
        """Keep who it is, in the message's own transaction. False: somebody else decided meanwhile."""
        identity = member.patient_id or next(iter(of_numbers(connection, access, keys.tokens)), "")
        return self.members is None or self.members.settle(connection, resolved, identity, record, keys)

    def _known(
        self,
        connection: Connection,
        access: Access,
        facility: Facility,
        keys: MemberKeys,
        resolved: Resolution | None,
    ) -> KnownMember:
        """The one member these keys name, or nobody. Raises Unmatched."""
        found = of_numbers(connection, access, keys.tokens)
        if resolved and resolved.patient and (known := patient(connection, access, resolved.patient)):
            found[known["id"]] = known
        if len(found) > 1:
            raise Unmatched("CIN and medical record number name different members", "PID-3")
        for identity, one in found.items():
            owned = one.get("meta", {}).get("source") == facility.feed
            if not owned and _another_person(one, keys):
                raise Unmatched("The member with this number has another name and birth date", "PID-5")
            return KnownMember(identity, owned, one, store.as_of(connection, access, identity, facility))
        return KnownMember()


def _another_person(patient: Mapping[str, Any], keys: MemberKeys) -> bool:
    """Both the birth date and the family name contradict. One alone may be a typing error."""
    born, families = patient.get("birthDate"), {plain(name.get("family", "")) for name in patient.get("name", ())}
    if not born or not families or not keys.birth_date or not keys.family:
        return False
    same_day = born.startswith(keys.birth_date) or keys.birth_date.startswith(born)
    return not same_day and plain(keys.family) not in families


def _reason(problem: AdtProblem) -> str:
    """With the code or facility that wants a row in its table, where it looks like a code."""
    if isinstance(problem, UnmappedCode | UnknownFacility) and SPEAKABLE.fullmatch(problem.code):
        return f"{problem.reason}: {problem.code}"
    return problem.reason
