"""A hub with a county, a detox and two ECM providers as clients with tokens; files go in as they come."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from adapters.county_bh.kinds import FILE_KINDS
from auth.tokens import token_hash
from hub import clock
from hub.access import Access
from hub.feeds.arriving import Arriving
from hub.feeds.files import File, rejects
from hub.feeds.loading import Loading
from hub.feeds.records import Feed, Reject
from hub.fhir.bundles import Entry
from hub.identity import indexing
from hub.identity.desk import Registry
from hub.store import merges, tables
from hub.store.engine import Database
from hub.transactions import Transactions
from tests.hub.asking import BASE, Api, token_of, validator
from tests.matrix.callers import application

SYSTEM = "https://county.invalid/bh"
NPI = {"detox": "1234567893", "ecm": "1245319599", "other": "1679576722"}
ROLES = {"county": "county-behavioral-health", "ecm": "ecm-provider", "other": "ecm-provider", "detox": "ehr",
         "supports": "ilos-provider", "plan": "plan"}  # fmt: skip
HOUR = 3_600_000_000


@dataclass
class World:
    """`feeds` by kind; `now` may be moved."""

    database: Database
    folder: Path
    feeds: dict[str, Feed]
    now: clock.Clock = clock.now
    _api: Api = field(init=False)
    _own: Transactions = field(init=False)

    def __post_init__(self) -> None:
        merges.look_again()
        self._own = Transactions(self.database, validator, lambda changes: (), BASE, lambda: self.now())
        self._api = Api(application(self.database, self._own), self.database)
        _register(self.database)
        self.have(*_organizations())

    def as_(self, who: str) -> Api:
        return self._api.as_(who)

    def load(self, kind: str, content: bytes, name: str) -> File:
        """A file of the feed of this kind."""
        path = self.folder / name
        path.write_bytes(content)
        arriving = Arriving(self.database, self.folder / "files")
        kinds = {each.name: each for each in FILE_KINDS}
        loading = Loading(self.database, self._own, arriving, kinds, self.feeds)
        _, seq = loading.arriving(path, name, self.feeds[kind])
        return loading.run(seq)

    def report(self, file: File) -> list[Reject]:
        with self.database.read() as connection:
            return list(rejects(connection, file.seq))

    def have(self, *resources: dict[str, Any]) -> None:
        """Written by the registry of the county."""
        entries = [Entry("PUT", one["resourceType"], id=one["id"], resource=one) for one in resources]
        self._own.commit(entries, Access.system("the world", source="Organization/registry"), many=True)

    def member(self, patient: dict[str, Any]) -> None:
        """A Patient whom somebody else brought, known to the hub's registry."""
        self.have(patient)
        indexing.index(Registry.of(self._own, BASE), 100)

    def assign(self, *patients: str, to: str = "ecm") -> None:
        """These members are on the panel of a provider."""
        members = [{"entity": {"reference": f"Patient/{one}"}} for one in patients]
        entity = {"reference": f"Organization/{to}"}
        panel = {"resourceType": "Group", "id": f"panel-{to}", "type": "person", "actual": True}
        self.have(panel | {"managingEntity": entity, "member": members})


def world(database: Database, folder: Path, **feeds: Any) -> World:
    """`feeds`: what is otherwise about a feed, by its kind with `_`."""
    usual: dict[str, Any] = {"organization": "Organization/county"}
    made = {kind.name: Feed(kind.name, kind.name, SYSTEM, **usual | feeds.get(kind.name.replace("-", "_"), {}))
            for kind in FILE_KINDS}  # fmt: skip
    return World(database, folder, made)


def table(header: str, *rows: str) -> bytes:
    return "\n".join((header, *rows, "")).encode()


def _organizations() -> list[dict[str, Any]]:
    return [_organization(name) for name in ROLES]


def _organization(name: str) -> dict[str, Any]:
    made: dict[str, Any] = {"resourceType": "Organization", "id": name, "name": f"Invented {name}", "active": True}
    number = {"system": "http://hl7.org/fhir/sid/us-npi", "value": NPI.get(name)}
    return made | ({"identifier": [number]} if name in NPI else {})


def _register(database: Database) -> None:
    now = clock.micros(clock.now())
    with database.write() as connection:
        for name, role in ROLES.items():
            client = {"id": name, "name": f"Invented {name}", "role": role, "scopes": "system/*.cruds"}
            about = {"organization": f"Organization/{name}", "purposes": "", "active": True, "created": now}
            connection.execute(insert(tables.client).values(client | about))
            token = {"hash": token_hash(token_of(name)), "client": name, "scopes": "system/*.cruds"}
            connection.execute(insert(tables.token).values(token | {"issued": now, "expires": now + HOUR}))
