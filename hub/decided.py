"""What a commit will do, decided before anything is written: what it writes, and what it answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from hub.header_values import HeaderValues
from hub.members import Members
from hub.store.batch import Batch
from hub.store.read import Stored
from hub.versions import Change, Result, stamped

# from the results of a commit and what it writes, the records that are written along (hub.audit.recorder)
Along = Callable[[Connection, Sequence[Result], Batch], Sequence[tuple[int, bytes]]]


@dataclass(frozen=True, slots=True)
class Decided:
    """What a commit will write and answer; `parameters` are its changes of SearchParameters."""

    results: list[Result]
    batch: Batch
    parameters: list[Change]
    headers: HeaderValues
    members: Members

    def recorded(self, connection: Connection, audit: Along | None) -> "Decided":
        """The same, with the records of it to be written along."""
        if audit is None:
            return self
        rows = audit(connection, self.results, self.batch)
        return replace(self, batch=replace(self.batch, audit=rows))

    def stamped(self, now: int) -> "Decided":
        """The same, written now. Where one writes at a time, versions are stamped in the order of their commits:
        whoever asks what changed since the newest that it saw, misses nothing (also hub.store.moment)."""
        created = [stamped(row, now) for row in self.batch.created]
        replaced = [(old, stamped(new, max(now, old.last_updated + 1))) for old, new in self.batch.replaced]
        fresh = {row.rid: row for row in (*created, *(new for _, new in replaced))}
        results = [Result(each.status, _newest(each.stored, fresh)) for each in self.results]
        return replace(self, results=results, batch=replace(self.batch, created=created, replaced=replaced))


def _newest(stored: Stored | None, fresh: Mapping[int, Stored]) -> Stored | None:
    return stored and fresh.get(stored.rid, stored)
