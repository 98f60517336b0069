"""What the store and the inbox know already of the person, the visit and the directory of a hospital message.

Rules: docs/adr/0006: messages are kept, and read again. `subject` of an inbox message is its visit at the facility,
or the person for events of no visit.
Refuses: nothing; it only reads.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from fhir_mappings.adt.entries import escaped
from fhir_mappings.adt.facilities import Facility
from fhir_mappings.adt.member_keys import MemberKeys
from hub.access import Access
from hub.fhir import json
from hub.inbox import work as inbox
from hub.inbox.messages import PROCESSED
from hub.search.query import Limits, parse
from hub.store import read

LATEST_EVENTS = 20  # of a member: the newest event is hardly ever further back
VISITS = 50  # of a member at one facility, newest first: a late message is older than what is not looked at
PERSON = "person"
DAY = len("2026-11-22")


def subject(facility: Facility, keys: MemberKeys) -> str:
    """What the message is about: its visit, else the person by the facility's number or the CIN."""
    return f"{facility.code}|{keys.visit_number}" if keys.visit_number else _person(facility, keys)


def _person(facility: Facility, keys: MemberKeys) -> str:
    return f"{facility.code}|{PERSON}|{keys.mrn or keys.cin}"


def others(connection: Connection, about: str, seq: int) -> dict[int, bytes]:
    """The subject's messages that are in the store already, by their place in the inbox."""
    found = inbox.of_subject(connection, about)
    return {other.seq: other.raw for other in found if other.state == PROCESSED and other.seq != seq}


def told_of(
    connection: Connection, access: Access, patient: str, facility: Facility, keys: MemberKeys
) -> dict[int, bytes]:
    """All that this feed told of the person: messages of their visits and of no visit."""
    wanted = [("subject", f"Patient/{patient}"), ("_sort", "-date")]
    rows = read.page(connection, access, parse("Encounter", wanted, Limits()), (), VISITS)
    numbers = {
        identifier["value"]
        for row in rows
        if row.body
        for identifier in json.stored(row.body).get("identifier", ())
        if identifier.get("system") == facility.visit_system
    }
    subjects = [_person(facility, keys), *(f"{facility.code}|{number}" for number in sorted(numbers))]
    return {seq: raw for about in subjects for seq, raw in others(connection, about, -1).items()}


def patients(connection: Connection, access: Access, system: str, value: str) -> list[dict[str, Any]]:
    """Up to three with this identifier: two are too many already."""
    return _identified(connection, access, "Patient", [(system, value)], 3)


def directory(
    connection: Connection, access: Access, keys: Sequence[tuple[str, str, str, str]]
) -> Mapping[str, str]:
    """fullUrl -> reference of those entries (type, system, value, fullUrl) that are there. Of several with one
    number the first counts: they are the same."""
    found: dict[str, str] = {}
    for kind in dict.fromkeys(kind for kind, *_ in keys):
        wanted = {(system, value): url for each, system, value, url in keys if each == kind}
        for resource in _identified(connection, access, kind, list(wanted), 4 * len(wanted)):
            for identifier in resource.get("identifier", ()):
                url = wanted.get((identifier.get("system"), identifier.get("value")))
                if url:
                    found.setdefault(url, f"{kind}/{resource['id']}")
    return found


def _identified(
    connection: Connection, access: Access, kind: str, tokens: Iterable[tuple[str, str]], most: int
) -> list[dict[str, Any]]:
    asked = ",".join(f"{system}|{escaped(value)}" for system, value in tokens)
    rows = read.page(connection, access, parse(kind, [("identifier", asked)], Limits()), (), most)
    return [json.stored(row.body) for row in rows if row.body]


def as_of(connection: Connection, access: Access, identity: str, facility: Facility) -> datetime | None:
    """When the newest event was recorded that this feed told of the member, by the Provenance of its messages."""
    wanted = [("target", f"Patient/{identity}"), ("_sort", "-_lastUpdated")]
    rows = read.page(connection, access, parse("Provenance", wanted, Limits()), (), LATEST_EVENTS)
    found = (json.stored(row.body) for row in rows if row.body)
    told = (_recorded(provenance) for provenance in found if _feed(provenance) == facility.feed)
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
