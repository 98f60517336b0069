"""Files of feeds: what came, how far it is, and the lines of its reject report.

A file is one message of the inbox (hub.inbox.arrivals), known by feed and name: the same bytes again are a
duplicate, other bytes under its name a conflict, kept aside as `refused`. Every function works in the caller's
transaction. Times are microseconds since 1970, UTC.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from hub.feeds.records import Feed, Reject
from hub.feeds.taking import CAME, Taking, held_feeds, keep
from hub.fhir import json
from hub.inbox.messages import RECEIVED
from hub.store.tables import inbox
from hub.store.tables_feeds import feed_file as table
from hub.store.tables_feeds import feed_reject

DONE, REFUSED = "done", "refused"
PAGE = 5000
DIGESTS = 400  # that one statement asks for
SOURCE = "file"  # of their messages


@dataclass(slots=True)
class Counts:
    """`read` are rows without a fault; `resources` what was written of them."""

    read: int = 0
    new: int = 0
    unchanged: int = 0
    stale: int = 0
    gone: int = 0
    rejected: int = 0
    warned: int = 0
    subjects: int = 0
    waiting: int = 0
    resources: int = 0

    def told(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class File:
    """`seq` is its message's in the inbox; `arrived` when it came, `said` the last moment that it speaks of,
    `agreed` who said that it may take away more than its feed allows."""

    seq: int
    feed: str
    name: str
    digest: str
    state: str
    counts: Mapping[str, int] = field(default_factory=dict)
    started: int = 0
    ended: int | None = None
    lease: int = 0
    attempts: int = 0
    arrived: int = 0
    said: int = 0
    agreed: str | None = None


def came(connection: Connection, seq: int, feed: Feed, name: str, digest: str, arrived: int = 0) -> None:
    row = {"seq": seq, "feed": feed.name, "name": name[:256], "digest": digest, "state": CAME}
    connection.execute(insert(table).values(row | {"counts": "{}", "started": 0, "arrived": arrived}))


def speaks_of(connection: Connection, taking: Taking, at: int) -> None:
    """Raises Lost."""
    keep(connection, taking, said=at)


def so_far(connection: Connection, taking: Taking, counts: Counts) -> None:
    """Raises Lost."""
    keep(connection, taking, counts=_written(counts))


def end(connection: Connection, taking: Taking, state: str, counts: Counts, now: int) -> None:
    """Raises Lost."""
    keep(connection, taking, state=state, counts=_written(counts), ended=now, lease=0, attempts=0)


def _written(counts: Counts) -> str:
    return json.write(counts.told()).decode()


def begin(connection: Connection, taking: Taking) -> None:
    """Its report begins anew."""
    connection.execute(delete(feed_reject).where(feed_reject.c.file == taking.seq))


def reject(connection: Connection, seq: int, first: int, rejects: Sequence[Reject]) -> None:
    """Lines of the report, from number `first` on."""
    if rejects:
        connection.execute(insert(feed_reject), [_line(seq, number, r) for number, r in enumerate(rejects, first)])


def _line(seq: int, number: int, one: Reject) -> dict[str, Any]:
    return {
        "file": seq,
        "number": number,
        "severity": one.severity,
        "part": one.part[:128],
        "line": one.line,
        "place": one.column[:128],
        "code": one.code,
        "what": one.what[:256],
    }


def rejects(connection: Connection, seq: int) -> Iterator[Reject]:
    columns = feed_reject.c
    after = -1
    while True:
        asked = select(columns.number, columns.code, columns.line, columns.place, columns.what, columns.part)
        asked = asked.add_columns(columns.severity).where(columns.file == seq, columns.number > after)
        page = connection.execute(asked.order_by(columns.number).limit(PAGE)).all()
        if not page:
            return
        yield from (Reject(*row[1:]) for row in page)
        after = page[-1][0]


def find(connection: Connection, seq: int) -> File | None:
    row = connection.execute(select(table).where(table.c.seq == seq)).first()
    return _file(row) if row else None


def has_any(connection: Connection) -> bool:
    return connection.execute(select(table.c.seq).limit(1)).first() is not None


def has_one_of(connection: Connection, digests: Iterable[str]) -> bool:
    """Whether one of these bytes came as a file."""
    left = iter(digests)
    while some := list(islice(left, DIGESTS)):
        if connection.execute(select(table.c.seq).where(table.c.digest.in_(some)).limit(1)).first() is not None:
            return True
    return False


def named(connection: Connection, feed: str, name: str) -> File | None:
    """The newest of this name."""
    asked = select(table).where(table.c.feed == feed, table.c.name == name).order_by(table.c.seq.desc())
    row = connection.execute(asked.limit(1)).first()
    return _file(row) if row else None


def listed(connection: Connection, limit: int) -> list[File]:
    """The newest first."""
    return [_file(row) for row in connection.execute(select(table).order_by(table.c.seq.desc()).limit(limit))]


def next_of_feeds(connection: Connection, now: int) -> list[File]:
    """Of each feed that nobody is at the file that is next: a feed's files are read in the order they came."""
    asked = (
        select(table)
        .join(inbox, inbox.c.seq == table.c.seq)
        .where(inbox.c.source == SOURCE, inbox.c.state == RECEIVED)
        .order_by(table.c.seq)
        .limit(PAGE)
    )
    first: dict[str, File] = {}
    held = held_feeds(connection, now)
    for row in connection.execute(asked):
        first.setdefault(row.feed, _file(row))
    return [file for file in first.values() if file.lease < now and file.feed not in held]


def count(connection: Connection, state: str) -> int:
    return int(connection.execute(select(func.count()).where(table.c.state == state)).scalar_one())


def _file(row: Any) -> File:
    counts = json.read(row.counts.encode())
    return File(row.seq, row.feed, row.name, row.digest, row.state, counts, *row[6:])
