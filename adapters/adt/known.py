"""What the store and the inbox know already of the person, the visit and the directory of a hospital message.

Rules: docs/adr/0006: messages are kept, and read again. `subject` of an inbox message is its visit at the facility,
or the person for events of no visit.
Refuses (Park): a cancel of a visit that nobody has told of; else it only reads.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from fhir_mappings.adt.events import EVENTS
from fhir_mappings.adt.facilities import Facility
from fhir_mappings.adt.member_keys import MemberKeys
from fhir_mappings.adt.records import AdtMessage
from hub.access import Access
from hub.fhir import json
from hub.inbox import held
from hub.inbox import work as inbox
from hub.inbox.messages import Message
from hub.search.criterion import ReferenceValue, TokenValue
from hub.search.query import Limits, parse
from hub.store import keyed, read
from hub.store.criteria import value_key
from hub.store.read import Stored
from hub.worker import Park

LATEST_EVENTS = 20  # of a member: the newest event is hardly ever further back
VISITS = 200  # of a member that are looked at at a time
PERSON = "person"
VISIT = "visit"  # what a cancel waits for (hub.inbox.waits): a message of its visit
DAY = len("2026-11-22")
TARGET = ("Provenance", "target")

Token = tuple[str, str]  # system, value
Asked = tuple[str, str, str]  # type, system, value of an identifier


def subject(facility: Facility, keys: MemberKeys) -> str:
    """What the message is about: its visit, else the person by the facility's number or the CIN."""
    return f"{facility.code}|{keys.visit_number}" if keys.visit_number else _person(facility, keys)


def _person(facility: Facility, keys: MemberKeys) -> str:
    return f"{facility.code}|{PERSON}|{keys.mrn or keys.cin}"


class Emptied(Exception):
    """Messages that would be read again were emptied (hub.inbox.retention)."""


def refuse_cancel_of_nothing(record: AdtMessage, about: str) -> None:
    """A cancel of a visit that nobody has told of waits for it. Raises Park."""
    if EVENTS[record.event].withdraws:
        why = ("waiting", "204: no message of this visit has come yet", "PV1-19")
        raise Park(*why, awaits=held.thing(VISIT, about), code="204")


def is_visit_known(connection: Connection, about: str) -> bool:
    """Whether a message of a visit has been processed; for hub.inbox.waits."""
    return bool(inbox.seqs_told(connection, about))


def others(connection: Connection, about: str, seq: int) -> dict[int, bytes]:
    """The subject's messages that are in the store already, by their place in the inbox. Raises Emptied."""
    return others_in(inbox.of_subject(connection, about), seq)


def others_in(said: Iterable[Message], seq: int) -> dict[int, bytes]:
    """The same, of what was said about the subject. Raises Emptied."""
    there = {other.seq: other.raw for other in said if other.is_told and other.seq != seq}
    if not all(there.values()):
        raise Emptied
    return there


def told_of(
    connection: Connection, access: Access, patient: str, facility: Facility, keys: MemberKeys
) -> dict[int, bytes]:
    """All that this feed told of the person: messages of their visits and of no visit."""
    numbers = {
        identifier["value"]
        for encounter in _visits(connection, access, patient)
        for identifier in encounter.get("identifier", ())
        if identifier.get("system") == facility.visit_system
    }
    subjects = [_person(facility, keys), *(f"{facility.code}|{number}" for number in sorted(numbers))]
    return {seq: raw for about in subjects for seq, raw in others(connection, about, -1).items()}


def _visits(connection: Connection, access: Access, patient: str) -> Iterator[dict[str, Any]]:
    """All of them: the newest word on an address may stand in the oldest visit."""
    query, after = parse("Encounter", [("subject", f"Patient/{patient}")], Limits()), list[int]()
    while rows := read.page(connection, access, query, after, VISITS):
        yield from (json.stored(row.body) for row in rows if row.body)
        after = [rows[-1].rid]


def patients(connection: Connection, access: Access, tokens: Sequence[Token]) -> list[dict[str, Any]]:
    """Those with one of these identifiers, up to three of each: two are too many already."""
    return [one for several in patients_of(connection, access, tokens).values() for one in several]


def patients_of(
    connection: Connection, access: Access, tokens: Collection[Token]
) -> dict[Token, list[dict[str, Any]]]:
    """The same by identifier."""
    found: dict[Token, list[dict[str, Any]]] = {}
    for (_, system, value), one in _identified(connection, access, [("Patient", *each) for each in tokens], 3):
        found.setdefault((system, value), []).append(one)
    return found


def encounters(connection: Connection, facility: Facility, number: str) -> list[dict[str, Any]]:
    """Up to four with this visit number."""
    access = Access.system("adt visits")
    found = _identified(connection, access, [("Encounter", facility.visit_system, number)], 4)
    return [resource for _, resource in found]


def directory(
    connection: Connection, access: Access, keys: Sequence[tuple[str, str, str, str]]
) -> Mapping[str, str]:
    """fullUrl -> reference of those entries (type, system, value, fullUrl) that are there. Of several with one
    number the first counts: they are the same."""
    urls = {(kind, system, value): url for kind, system, value, url in keys}
    found: dict[str, str] = {}
    for asked, resource in _identified(connection, access, list(urls), 1):
        found.setdefault(urls[asked], f"{asked[0]}/{resource['id']}")
    return found


def _identified(
    connection: Connection, access: Access, asked: Sequence[Asked], most: int
) -> list[tuple[Asked, dict[str, Any]]]:
    """What has one of these identifiers: one statement for all."""
    for kind in {kind for kind, *_ in asked}:
        access.require("search-type", kind)
    by_key = {
        value_key((kind, "identifier"), TokenValue(system, value)): (kind, system, value)
        for kind, system, value in asked
    }
    rows = keyed.of_any(connection, access.sight, by_key, most)
    return [(by_key[key], json.stored(Stored(*row).body or b"")) for key, row in rows]


def as_of(
    connection: Connection, access: Access, asked: Collection[tuple[str, Facility]]
) -> dict[tuple[str, Facility], datetime]:
    """When the newest event was recorded that a feed told of a member (by id), by the Provenance of its messages;
    nothing where it told none."""
    access.require("search-type", "Provenance")
    keys = {identity: value_key(TARGET, ReferenceValue("Patient", identity)) for identity, _ in asked}
    told: dict[int, list[Mapping[str, Any]]] = {key: [] for key in keys.values()}
    for key, row in keyed.newest_of(connection, access.sight, told, LATEST_EVENTS):
        told[key].append(json.stored(Stored(*row).body or b""))
    found = {each: _newest(told[keys[each[0]]], each[1]) for each in asked}
    return {each: at for each, at in found.items() if at}


def _newest(provenances: Iterable[Mapping[str, Any]], facility: Facility) -> datetime | None:
    told = (_recorded(each) for each in provenances if _feed(each) == facility.feed)
    return max((_moment(at, facility) for at in told if len(at) >= DAY), default=None)


def _moment(at: str, facility: Facility) -> datetime:
    """A day alone is its beginning where the facility is, as for the order of messages."""
    found = datetime.fromisoformat(at)
    return found if found.tzinfo else found.replace(tzinfo=facility.zone)


def _recorded(provenance: Mapping[str, Any]) -> str:
    """EVN-2: the moment, or the end of the time from event to record (fhir_mappings.adt.msh_provenance)."""
    return str(provenance.get("occurredDateTime") or provenance.get("occurredPeriod", {}).get("end", ""))


def _feed(provenance: Mapping[str, Any]) -> str:
    """The feed whose message a Provenance names; empty where it names something else."""
    for entity in provenance.get("entity", ()):
        return str(entity["what"].get("identifier", {}).get("system", ""))
    return ""
