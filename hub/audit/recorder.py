"""What becomes of each request, recorded before anybody learns of it.

A read, a refusal and a failure go to the journal of the process, and are durable when `finish` returns. A write
goes along with its commit (`Recording.of_commit`), as a row of `audit_pending`: there is no write without its
record. Each entry of a batch or transaction has a record of its own; one that is refused whole has one record.
Refuses: to let an answer leave that cannot be recorded. `finish` raises Problem `busy` (503) then.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from sqlalchemy import Connection

from hub import clock
from hub.access import Access
from hub.audit.journal import Journal
from hub.audit.record import Record, encoded
from hub.audit.releases import asks_the_store, releases_of
from hub.audit.store import move_all
from hub.fhir.bundles import Entry
from hub.search.index import IndexRows
from hub.sight import PURPOSES
from hub.store.engine import Database
from hub.store.read import Stored
from hub.store.rids import new_rid
from hub.versions import Result

INTERACTIONS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
WHOLE = "transaction"  # a Bundle's own interaction
BY_ENTRY = (WHOLE, "operation")  # what they write is told as what it is
NO_ROWS: Mapping[int, tuple[IndexRows, IndexRows]] = {}

Row = tuple[int, bytes]  # of audit_pending


class Written(Protocol):
    """What a commit writes (hub.store.batch.Batch); `index` tells the patients of new rows that have several."""

    created: Sequence[Stored]
    replaced: Sequence[tuple[Stored, Stored]]
    index: Mapping[int, tuple[IndexRows, IndexRows]]


# what a commit is given: from its entries' results and what it writes, the rows that go along
Along = Callable[[Connection, Sequence[Result], Any], list[Row]]


@dataclass(frozen=True, slots=True)
class About:
    """What a request asks, before anything is known of the answer."""

    interaction: str
    type: str = ""
    id: str = ""
    version: int = 0
    method: str = ""
    query: str = ""
    request: str = ""
    network: str = ""


@dataclass(frozen=True, slots=True)
class Recorder:
    """One for a process."""

    database: Database
    journal: Journal
    now: clock.Clock = clock.now

    def catch_up(self) -> None:
        """Everything that this node recorded is in the chain then."""
        move_all(self.database, self.journal.folder)

    def begin(self, about: About) -> "Recording":
        return Recording(self, about)

    def along_own(self, entries: Sequence[Entry], access: Access) -> Along:
        """The records of a commit that no request asked for."""
        return self.along(About(""), entries, access)

    def along(self, about: About, entries: Sequence[Entry], access: Access) -> Along:
        """The records of a commit's entries, for the commit itself."""

        def rows(connection: Connection, results: Sequence[Result], batch: Written) -> list[Row]:
            at = clock.micros(self.now())
            versions = [*batch.created, *(new for _, new in batch.replaced)]
            made: list[Row] = []
            for entry, result in zip(entries, results, strict=True):
                # several deletions of one entry have no one version to tell: they are all that the commit writes
                stored = [result.stored] if result.stored else versions if len(entries) == 1 else []
                one = _of_entry(about, entry, result.stored)
                told = self.record(connection, at, one, access, result.status, stored, batch.index)
                made.append((_id(at, made), encoded(told)))
            return made

        return rows

    def record(
        self,
        connection: Connection | None,
        at: int,
        about: About,
        access: Access | None,
        status: int,
        released: Sequence[Stored],
        index: Mapping[int, tuple[IndexRows, IndexRows]] = NO_ROWS,
    ) -> Record:
        """What is kept of an interaction; `released` are the versions that left or were written, `index` the index
        rows that are being written with them."""
        who = access or Access("", frozenset())
        return Record(
            at,
            about.interaction,
            status,
            about.type,
            about.id,
            about.version,
            about.method,
            about.query,
            who.who,
            who.user,
            who.role,
            who.reason,
            _purposes(who),
            about.request,
            about.network,
            releases_of(connection, released, who, index, at),
            _count(released),
            who.sight.self_only,
        )


class Told(Protocol):
    """An answer (hub.rest.asked.Answer)."""

    @property
    def status(self) -> int: ...

    @property
    def released(self) -> Sequence[Stored]: ...


@dataclass(slots=True)
class Recording:
    """One request. `access` is set as soon as it is known who asks; `released` by who answers."""

    recorder: Recorder
    about: About
    access: Access | None = None
    _is_stored: bool = False
    _entries: list[tuple[About, int, Sequence[Stored]]] = field(default_factory=list)

    def of_commit(self, entries: Sequence[Entry], access: Access) -> Along:
        """For hub.transactions.commit. Say `committed` (or `told`) when it is done."""
        about = replace(self.about, query="") if self.about.interaction == WHOLE else self.about
        return self.recorder.along(about, entries, access)

    def committed(self) -> None:
        """The records went along with a commit."""
        self._is_stored = True

    def told(self, entries: Sequence[Entry], answers: Sequence[Told | None]) -> None:
        """What became of the entries of a Bundle; None for those whose records went along with a commit."""
        self._is_stored = bool(entries)
        about = replace(self.about, query="")
        for entry, answer in zip(entries, answers, strict=True):
            if answer is not None:
                self._entries.append((_of_entry(about, entry, None), answer.status, answer.released))

    def finish(self, status: int, released: Sequence[Stored] = ()) -> None:
        """Returns when all of it is durable. Raises Problem(`busy`)."""
        waiting = self._entries
        if status >= 400 or not self._is_stored:
            waiting = [*waiting, (self.about, status, released)]
        if waiting:
            self.recorder.journal.append(*self._encoded(waiting))

    def _encoded(self, waiting: Iterable[tuple[About, int, Sequence[Stored]]]) -> list[bytes]:
        at = clock.micros(self.recorder.now())

        def written(connection: Connection | None) -> list[bytes]:
            return [
                encoded(self.recorder.record(connection, at, about, self.access, status, released))
                for about, status, released in waiting
            ]

        if any(asks_the_store(row) for _, _, released in waiting for row in released):
            with self.recorder.database.read() as connection:
                return written(connection)
        return written(None)


def riding(recording: Recording | None, entries: Sequence[Entry], access: Access) -> Along | None:
    """What a commit of a request is given, if its request is recorded."""
    return None if recording is None else recording.of_commit(entries, access)


def _of_entry(about: About, entry: Entry, stored: Stored | None) -> About:
    """The request of one entry; what a commit made or found has the id and version that it has now."""
    interaction = INTERACTIONS.get(entry.method) or _read_by(entry)
    path = "/".join(filter(None, ("", entry.type, entry.id, entry.operation and f"${entry.operation}")))
    return replace(
        about,
        interaction=interaction if not about.interaction or about.interaction in BY_ENTRY else about.interaction,
        type=entry.type,
        id=stored.id if stored else entry.id,
        version=stored.version if stored else entry.version or 0,
        method=about.method if about.query else entry.method,
        query=about.query or (f"{path}?{entry.query}" if entry.query else path),
    )


def _read_by(entry: Entry) -> str:
    if entry.operation:
        return "operation"
    if not entry.id:
        return "search-type"
    return "read" if entry.version is None else "vread"


def _count(released: Sequence[Stored]) -> int:
    return len(released) if len(released) < 2 else len({(row.rid, row.version) for row in released})


def _purposes(who: Access) -> tuple[str, ...]:
    mask = who.sight.purposes
    return tuple(code for code, bit in PURPOSES.items() if mask & bit) if mask else ()


def _id(at: int, taken: Sequence[Row]) -> int:
    return new_rid(at, {row[0] for row in taken})
