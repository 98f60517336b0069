"""One decision about who is who, in one database transaction: what every such decision needs.

Rules: docs/identity.md, docs/adr/0016-one-member.md. Decisions take turns (on PostgreSQL by an advisory lock), so
that no chain of merges becomes a circle. A resource that another writer changed meanwhile makes the decision begin
again; what was written meanwhile about a former Patient the sweep brings over (hub.identity.sweep).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, func, select

from hub import clock
from hub.access import Access
from hub.fhir import json
from hub.fhir.bundles import Entry
from hub.identity import rewritten
from hub.problems import Problem
from hub.reindex import again
from hub.rewriting import Rewriting
from hub.rights.labels import NO_PART2, Part2Sources
from hub.search import merged
from hub.search.hashes import key
from hub.store import merges
from hub.store.engine import Database
from hub.store.joined import Joined, joining
from hub.store.keyed import COLUMNS
from hub.store.read import Stored, stored
from hub.store.tables import resource
from hub.transactions import Result, Transactions

TRIES = 5
CHUNK = 500
CHANGED_MEANWHILE = ("precondition",)
Resource = dict[str, Any]
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Desk:
    """`transactions` are the hub's own, inside the transaction."""

    connection: Connection
    transactions: Transactions
    base: str
    now: int
    part2: Part2Sources

    def rows(self, rids: Iterable[int]) -> list[Stored]:
        """The current versions, deleted or not."""
        ordered = sorted(set(rids))
        found: list[Stored] = []
        for start in range(0, len(ordered), CHUNK):
            asked = select(*COLUMNS).where(resource.c.rid.in_(ordered[start : start + CHUNK]))
            found += [stored(row) for row in self.connection.execute(asked)]
        return found

    def patients(self, ids: Iterable[str]) -> dict[str, Stored]:
        """The current versions of these Patients, by id."""
        asked = select(*COLUMNS).where(resource.c.type == "Patient", resource.c.id.in_(sorted(set(ids))))
        return {row.id: row for row in map(stored, self.connection.execute(asked))}

    def write(
        self, contents: Mapping[int, tuple[Stored, Resource]], rewriting: Rewriting, reason: str
    ) -> dict[int, int]:
        """New versions of these, all or none; the version of each by row number."""
        if not contents:
            return {}
        ordered = list(contents.items())
        entries = [
            Entry("PUT", row.type, row.id, resource=content, if_match=row.version, place=place)
            for place, (_, (row, content)) in enumerate(ordered)
        ]
        results = self.transactions.rewriting(rewriting).commit(entries, Access.system(reason), many=True)
        versions = {rid: _version(result) for (rid, _), result in zip(ordered, results, strict=True)}
        rewritten.carry(self.connection, ((rid, row.version, versions[rid]) for rid, (row, _) in ordered))
        return versions

    def belong(self, rids: Sequence[int]) -> None:
        """Decide anew whose these are: what they say did not change, but who that is."""
        for start in range(0, len(rids), CHUNK):
            again(self.connection, rids[start : start + CHUNK], self.base, self.part2)


def _version(result: Result) -> int:
    assert result.stored is not None
    return result.stored.version


def content(row: Stored) -> Resource:
    return json.stored(row.body or b"{}")


@dataclass(frozen=True, slots=True)
class Registry:
    """Where decisions are made. `transactions` are the hub's own; `base` is its FHIR base URL."""

    database: Database
    transactions: Transactions
    base: str
    now: clock.Clock = clock.now
    part2: Part2Sources = NO_PART2

    @classmethod
    def of(cls, transactions: Transactions, base: str, now: clock.Clock = clock.now) -> "Registry":
        """Where these Transactions write."""
        return cls(transactions.database, transactions, base, now, transactions.part2)

    def decide(self, work: Callable[[Desk], Answer]) -> Answer:
        """`work` in one transaction, alone. Raises Problem."""
        with merged.expected():
            try:
                return self._tried(work)
            finally:
                merges.look_again()

    def _tried(self, work: Callable[[Desk], Answer]) -> Answer:
        for attempt in range(1, TRIES + 1):
            try:
                return joining(self.database, lambda joined, connection: work(self._desk(joined, connection)))
            except Problem as problem:
                if attempt == TRIES or problem.kind not in CHANGED_MEANWHILE:
                    raise
        raise AssertionError

    def _desk(self, joined: Joined, connection: Connection) -> Desk:
        take_turns(connection)
        now = clock.micros(self.now())
        return Desk(connection, self.transactions.within(joined), self.base, now, self.part2)


def take_turns(connection: Connection) -> None:
    """One decision at a time; with SQLite there is one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(key("", "identity"))))
