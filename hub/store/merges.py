"""Who was merged into whom: what the database says, for every commit and (in memory) for every search.

A process looks at most every EVERY seconds, when it is asked something: a search by a former Patient id that
another process merged finds the member's data from then on. What is written in such a moment about the former
one is brought over by the merge's own sweep (hub.identity.sweep); whose it is, is decided by the database at
once. Where nobody was ever merged, a commit asks nothing.
"""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from hub.fhir import json
from hub.rights.facts import Facts
from hub.rights.stricter import Row, rows_of
from hub.search import merged
from hub.search.edges import address
from hub.sight import NOBODY, SEVERAL, UNKNOWN
from hub.store.engine import Database
from hub.store.tables_identity import identity_absorbed, identity_event, identity_rewrite

EVERY = 1.0  # seconds
MERGE, UNMERGE = "merge", "unmerge"
_NUMBERS = frozenset((NOBODY, SEVERAL, UNKNOWN))


class Former(NamedTuple):
    """A Patient who was merged: who it is now, and by which event."""

    id: str
    member: str
    event: int


@dataclass(slots=True)
class _Looked:
    url: object = None
    at: float = 0.0
    seen: Any = None


_looked = _Looked()
_turn = threading.Lock()
_LAST = select(
    *(
        select(func.max(identity_event.c.seq)).where(identity_event.c.kind == kind).scalar_subquery()
        for kind in (MERGE, UNMERGE)
    )
)
_ALL = select(identity_absorbed.c.id, identity_absorbed.c.member)
_SOME = select(identity_absorbed.c.address, identity_absorbed.c.member).where(
    identity_absorbed.c.address.in_(bindparam("addresses", expanding=True))
)
_DENIALS = (
    select(identity_event.c.evidence)
    .join(identity_absorbed, identity_absorbed.c.event == identity_event.c.seq)
    .where(identity_absorbed.c.member == bindparam("member"))
    .order_by(identity_event.c.seq)
)


def look(database: Database) -> None:
    """Let hub.search.merged know what the database says, or said less than EVERY seconds ago. Raises Problem."""
    if database.url is _looked.url and time.monotonic() - _looked.at < EVERY:
        return
    with _turn:
        if database.url is not _looked.url or time.monotonic() - _looked.at >= EVERY:
            _look(database)


def look_again() -> None:
    """The next `look` asks the database, whatever it said before."""
    _looked.url = None


def _look(database: Database) -> None:
    began = time.monotonic()
    last = tuple(database.reading(lambda connection: connection.execute(_LAST).one()))
    if database.url is not _looked.url or last != _looked.seen:
        rows = database.reading(lambda connection: connection.execute(_ALL).all()) if any(last) else ()
        merged.replace({row.id: row.member for row in rows})
    _looked.url, _looked.at, _looked.seen = database.url, began, last


class Survivors:
    """Who people are now, for one transaction: each is looked up once."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self._known: dict[int, int] = {}

    def of(self, patients: Iterable[int]) -> dict[int, int]:
        """By address the address of the member; also of who was never merged."""
        wanted = set(patients)
        if merged.are_there() and (unknown := wanted - self._known.keys() - _NUMBERS):
            found = members(self._connection, unknown)
            self._known |= {each: address("Patient", found[each]) if each in found else each for each in unknown}
        return {each: self._known.get(each, each) for each in wanted}

    def one(self, patient: int) -> int:
        return self.of((patient,))[patient]

    def facts(self, found: Facts) -> Facts:
        """Whose a resource is that says whose it was: access is by the member."""
        if not merged.are_there():
            return found
        if not found.patients:
            return Facts(self.one(found.patient), found.patients, found.inherits)
        patients = frozenset(self.of(found.patients).values())
        if found.patient == SEVERAL and len(patients) == 1:
            return Facts(next(iter(patients)), frozenset(), found.inherits)
        return Facts(found.patient, patients, found.inherits)


def members(connection: Connection, patients: Iterable[int]) -> Mapping[int, str]:
    """By address the id of the member, of those that were merged."""
    rows = connection.execute(_SOME, {"addresses": sorted(set(patients))})
    return {row.address: row.member for row in rows}


def denials(connection: Connection, patient: str) -> set[Row]:
    """The rows of index_consent by which the stricter consent wins while others are merged into this Patient."""
    if not merged.are_there():
        return set()
    told = connection.execute(_DENIALS, {"member": patient}).scalars()
    kept = [denial for evidence in told for denial in json.stored(evidence.encode()).get("denials", ())]
    return rows_of(address("Patient", patient), kept)


def former_of(connection: Connection, patients: Iterable[str], survivors: Sequence[str]) -> list[Former]:
    """Those of these ids who were merged, and all who were merged into these survivors."""
    x = identity_absorbed.c
    which = or_(x.id.in_(sorted(set(patients))), x.member.in_(list(survivors)))
    return [Former(*row) for row in connection.execute(select(x.id, x.member, x.event).where(which))]


def remember(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows of identity_rewrite. Of a place that is there already, what stood there first is kept."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    made: Any = insert(identity_rewrite)
    changed = {"version": made.excluded.version}
    connection.execute(
        made.on_conflict_do_update(index_elements=["event", "rid", "pointer"], set_=changed), list(rows)
    )
