"""A hub's inbox and store with the handler of hospital messages, and what it has made of them."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import update

from adapters.adt.local_tables import LocalTables
from adapters.adt.process import SOURCE, Merging, Processor, cannot_merge
from conformance.validation import structure
from fhir_mappings.adt.codes import CodeTables
from fhir_mappings.adt.facilities import Facilities
from hub.access import Access
from hub.fhir import json as fhir_json
from hub.inbox import listing, work
from hub.inbox.arrivals import accept
from hub.inbox.messages import Arrival, Message
from hub.inbox.replaying import AGAIN
from hub.problems import Issue
from hub.rights.labels import Part2Sources
from hub.search.query import Limits, parse
from hub.store import read
from hub.store.engine import Database
from hub.store.tables import inbox
from hub.transactions import Transactions, single
from hub.worker import Park
from tests.fhir_mappings.adt.stay import CIN_SYSTEM

BASE = "https://hub.example/fhir"
KINDS = ("Patient", "Encounter", "Condition", "Coverage", "RelatedPerson", "AllergyIntolerance")
DIRECTORY = ("Practitioner", "PractitionerRole", "Organization", "Location")
START = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)


def _validate(resource: dict[str, Any], kind: str, conditional: bool, _: str = "") -> list[Issue]:
    return structure.validate(resource, kind, conditional_references=conditional)


@dataclass
class Ward:
    """`rows` are the facilities. Every write moves the clock on by a second: `_lastUpdated` orders."""

    database: Database
    rows: list[dict[str, str]]
    merge: Merging = cannot_merge
    seconds: int = 0

    def __post_init__(self) -> None:
        programs = Part2Sources.of(
            Facilities.load(self.rows).of(r["facility"]).feed for r in self.rows if "part2" in r
        )
        self.transactions = Transactions(
            self.database, _validate, lambda changes: (), BASE, self._now, part2=programs
        )
        tables, facilities = CodeTables.load(), Facilities.load(self.rows)
        local = LocalTables(lambda: facilities, lambda: tables)
        self.processor = Processor(self.database, self.transactions, local, CIN_SYSTEM, self._now, self.merge)

    def _now(self) -> datetime:
        self.seconds += 1
        return START + timedelta(seconds=self.seconds)

    def sends(self, *raws: bytes) -> None:
        """Each message arrives and is worked on, as the worker would."""
        for raw in raws:
            control_id = raw.split(b"|")[9].decode()
            arrival = Arrival(SOURCE, "EPICADT|SMC", control_id, raw, self.micros())
            self.database.writing(lambda connection, one=arrival: accept(connection, [one]))
            self.works()

    def works(self) -> None:
        """What is received is worked on."""
        for message in self.database.writing(lambda c: work.claim(c, self.micros(), 60, 10)):
            self._work(message)

    def again(self) -> None:
        """A person has all that waits processed again."""
        with self.database.write() as connection:
            connection.execute(update(inbox).where(inbox.c.state == "waiting").values(AGAIN))
        self.works()

    def writes(self, *kinds: str, **content: Any) -> None:
        """Others write resources, all with this content."""
        for kind in kinds:
            entry = single("POST", kind, resource={"resourceType": kind, **content})
            self.transactions.commit([entry], Access.system("test"))

    def _work(self, message: Message) -> None:
        try:
            self.processor(message)
        except Park as park:
            args = (message, park.state, park.reason, park.where, self.micros(), park.awaits)
            self.database.writing(lambda connection: work.parked(connection, *args))

    def micros(self) -> int:
        return int(self._now().timestamp() * 1_000_000)

    def states(self) -> list[tuple[str, str, str]]:
        """(state, place, reason) of each message, in order of arrival."""
        with self.database.read() as connection:
            entries = sorted(listing.listed(connection), key=lambda entry: entry.seq)
        return [(entry.state, entry.location or "", entry.reason or "") for entry in entries]

    def all(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after: list[int] = []
        with self.database.read() as connection:
            while rows := read.page(connection, Access.system("test"), parse(kind, [], Limits()), after, 500):
                found += [fhir_json.stored(row.body) for row in rows if row.body]
                after = read.position(rows[-1])
        return found

    def one(self, kind: str) -> dict[str, Any]:
        (found,) = self.all(kind)
        return found

    def state(self) -> list[str]:
        """All resources but Provenance, with names in place of ids: two hubs that know the same say the same."""
        found = [resource for kind in (*KINDS, *DIRECTORY) for resource in self.all(kind)]
        names = {f"{r['resourceType']}/{r['id']}": _name(r) for r in found}
        return sorted(_named(resource, names) for resource in found)

    def versions(self) -> dict[str, str]:
        kinds = (*KINDS, *DIRECTORY)
        return {f"{k}/{r['id']}": r["meta"]["versionId"] for k in kinds for r in self.all(k)}


def _name(resource: dict[str, Any]) -> str:
    first = resource["identifier"][0]
    return f"{resource['resourceType']}/{first['system']}|{first['value']}"


def _named(resource: dict[str, Any], names: dict[str, str]) -> str:
    plain = {name: value for name, value in resource.items() if name not in ("id", "meta")}
    security = resource.get("meta", {}).get("security")
    text = json.dumps(plain | {"security": security}, sort_keys=True, default=str)
    for reference, name in names.items():
        text = text.replace(f'"{reference}"', f'"{name}"')
    return text
