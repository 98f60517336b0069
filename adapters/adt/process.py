"""One hospital message from the inbox: parse, find the member, map the whole visit, commit; or wait in a state.

An Encounter is made from all messages of its visit, in the order of their events (fhir_mappings.adt.visit), so the
order of arrival does not matter. The message becomes `processed` in the same transaction as its resources.
A member is found by CIN or by the hospital's record number; nobody is guessed: two different members, or a CIN
whose person has another name and birth date, wait for a person (`unmatched`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from adapters.adt.local_tables import LocalTables
from adapters.adt.message import parse
from fhir_mappings.adt.facilities import Facility
from fhir_mappings.adt.member_keys import MemberKeys, member_keys
from fhir_mappings.adt.problems import AdtProblem, UnknownFacility, UnmappedCode, Unmatched
from fhir_mappings.adt.records import AdtMessage
from fhir_mappings.adt.visit import KnownMember, visit_bundle
from hub import clock, inbox
from hub.access import Access
from hub.fhir import json
from hub.fhir.bundles import entries_of
from hub.inbox import Message
from hub.problems import Problem
from hub.search.query import Limits
from hub.search.query import parse as parse_query
from hub.search.values import plain
from hub.store import read
from hub.store.engine import Database
from hub.transactions import Transactions
from hub.worker import Park

SOURCE = "adt"
TRIES = 5
LATEST_EVENTS = 20  # of a member: the newest event is hardly ever further back
CHANGED_MEANWHILE = ("precondition", "conflict", "multiple-matches")
SPEAKABLE = re.compile(r"[A-Za-z0-9_.\-]{1,20}")


class Overtaken(Exception):
    """Another message of the visit was processed while this one was mapped."""


@dataclass(frozen=True, slots=True)
class Processor:
    """The worker's handler for messages of source `adt`."""

    database: Database
    transactions: Transactions
    tables: LocalTables
    cin_system: str
    now: clock.Clock = clock.now

    def __call__(self, message: Message) -> None:
        """Commit the message's visit. Raises Park (wait in a named state) or Problem."""
        try:
            self._process(message)
        except AdtProblem as problem:
            raise Park(problem.state, _reason(problem), problem.where) from None

    def _process(self, message: Message) -> None:
        record = parse(message.raw)
        facility = self.tables.facilities().of(record.facility)
        keys = member_keys(record, facility, self.cin_system)
        subject = f"{facility.code}|{keys.visit_number}"
        for attempt in range(1, TRIES + 1):
            try:
                self._commit(message, record, facility, keys, subject)
            except Overtaken:
                if attempt == TRIES:
                    raise Problem("busy", "Other messages of this visit kept changing it") from None
            except Problem as problem:
                if attempt == TRIES or problem.kind not in CHANGED_MEANWHILE:
                    raise
            else:
                return

    def _commit(
        self, message: Message, record: AdtMessage, facility: Facility, keys: MemberKeys, subject: str
    ) -> None:
        access = Access.system(f"adt {message.feed} {message.control_id}")
        with self.database.read() as connection:
            others = _others(connection, subject, message.seq)
            known = self._known(connection, access, facility, keys)
        bundle = visit_bundle(
            [record, *(parse(raw) for raw in others.values())],
            known,
            facility,
            self.tables.codes(),
            self.cin_system,
            latest=record,
            recorded=clock.moment(message.received),
        )

        def settle(connection: Connection) -> None:
            now_there = inbox.seqs_of_subject(connection, subject, inbox.PROCESSED)
            if now_there - {message.seq} != others.keys():
                raise Overtaken
            inbox.set_subject(connection, message.seq, subject)
            inbox.processed(connection, message.seq, clock.micros(self.now()))

        self.transactions.commit(entries_of(bundle, 500), access, inside=settle, many=True)

    def _known(self, connection: Connection, access: Access, facility: Facility, keys: MemberKeys) -> KnownMember:
        """The one member these keys name, or nobody. Raises Unmatched."""
        found: dict[str, dict[str, Any]] = {}
        for system, value in keys.tokens:
            for patient in _patients(connection, access, system, value):
                found[patient["id"]] = patient
        if len(found) > 1:
            raise Unmatched("CIN and medical record number name different members", "PID-3")
        for identity, patient in found.items():
            owned = patient.get("meta", {}).get("source") == facility.feed
            if not owned and _another_person(patient, keys):
                raise Unmatched("The member with this number has another name and birth date", "PID-5")
            return KnownMember(identity, owned, patient, _as_of(connection, access, identity, facility))
        return KnownMember()


def _others(connection: Connection, subject: str, seq: int) -> dict[int, bytes]:
    """The visit's messages that are in the store already, by their place in the inbox."""
    found = inbox.of_subject(connection, subject)
    return {other.seq: other.raw for other in found if other.state == inbox.PROCESSED and other.seq != seq}


def _patients(connection: Connection, access: Access, system: str, value: str) -> list[dict[str, Any]]:
    escaped = re.sub(r"([\\|,$])", r"\\\1", value)
    query = parse_query("Patient", [("identifier", f"{system}|{escaped}")], Limits())
    rows = read.page(connection, access, query, (), 3)
    return [json.stored(row.body) for row in rows if row.body]


def _as_of(connection: Connection, access: Access, identity: str, facility: Facility) -> datetime | None:
    """When the newest event happened that this feed told of the member, by the Provenance of its messages."""
    wanted = [("target", f"Patient/{identity}"), ("_sort", "-_lastUpdated")]
    rows = read.page(connection, access, parse_query("Provenance", wanted, Limits()), (), LATEST_EVENTS)
    found = (json.stored(row.body) for row in rows if row.body)
    told = [p["occurredDateTime"] for p in found if _feed(p) == facility.feed and "T" in p["occurredDateTime"]]
    return max(map(datetime.fromisoformat, told), default=None)


def _feed(provenance: Mapping[str, Any]) -> str:
    """The feed whose message a Provenance names; empty where it names something else."""
    for entity in provenance.get("entity", ()):
        return str(entity["what"].get("identifier", {}).get("system", ""))
    return ""


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
