"""What must hold after every fault, looked at on what is stored: I1 to I8 of docs/faults.md.

`broken` names what does not hold; an empty list is what every test of faults wants. It is asked of a hub at rest:
nobody writes, and with SQLite the spool is moved (hub.spool).
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, func, select, text

from hub.audit import store, verify
from hub.audit.record import Record, decoded
from hub.fhir import json
from hub.notifications import events
from hub.search.index import IndexRows, index_rows
from hub.store import tables as t
from hub.store.engine import Database
from hub.store.tables_audit import audit
from hub.versions import Change

PAGE = 1000
WRITES = ("create", "update", "patch", "delete")
_REFERENCE = re.compile(rb'"reference":"([A-Z][A-Za-z]+[/?][^"]*)"')
# table, and which member of IndexRows has its rows; those of hub.whose hang on other resources, too
INDEXES: tuple[tuple[Table, Callable[[IndexRows], Iterable[Any]]], ...] = (
    (t.index_token, lambda rows: rows.tokens),
    (t.index_date, lambda rows: rows.dates),
    (t.index_string, lambda rows: rows.strings),
    (t.index_number, lambda rows: rows.numbers),
    (t.index_reference, lambda rows: rows.edges),
)
Version = tuple[str, str, int]  # type, id, version
Effects = Callable[[list[Change]], Iterable[Mapping[str, Any]]]


def broken(
    database: Database,
    base: str = "",
    newest: int | None = None,
    journals: Path | None = None,
    bundles: Mapping[str, int] | None = None,
    effects: Effects = events.effects,
    files: bool = True,
) -> list[str]:
    """The invariants that do not hold, each with how often. `newest`: I3 of so many resources only, the newest.
    `journals`: the folder of the audit; without it nothing was recorded. `bundles`: by system of an identifier, how
    many resources of one Bundle have each value. `files`: I6, too."""
    if journals is not None:
        store.move_all(database, journals)
    with database.read() as connection:
        counted = {
            "I1 references that lead to nothing": orphans(connection),
            "I2 resources whose versions have a gap or a repeat": gaps(connection),
            "I3 rows of the search index that are wrong": wrong_index(connection, base, newest),
            "I4 rows of the outbox that are missing or too many": wrong_outbox(connection, effects),
            "I5 records of the audit that are missing or too many": 0
            if journals is None
            else unrecorded(connection),
            "I6 faults of the database's files": unsound(connection) if files else 0,
            "I7 messages that are not what came": changed_messages(connection),
            "I8 Bundles that are there by half": halves(connection, bundles or {}),
        }
    return [f"{name}: {count}" for name, count in counted.items() if count]


def bodies(connection: Connection, kind: str = "", after: int = 0) -> Iterator[tuple[int, bytes]]:
    """Row number and body of what is there, of one type or of all, in the order of the numbers behind `after`."""
    asked = select(t.resource.c.rid, t.resource.c.body).where(t.resource.c.deleted.is_(False))
    asked = asked.where(t.resource.c.type == kind) if kind else asked
    while rows := connection.execute(
        asked.where(t.resource.c.rid > after).order_by(t.resource.c.rid).limit(PAGE)
    ).all():
        yield from ((row.rid, row.body) for row in rows)
        after = rows[-1].rid


def orphans(connection: Connection) -> int:
    """I1. What was deleted is there: it answers 410."""
    there = {f"{kind}/{identity}".encode() for kind, identity in connection.execute(_IDENTITIES)}
    named = (found for _, body in bodies(connection) for found in _REFERENCE.findall(body))
    return sum(each.split(b"/_history/")[0] not in there for each in named)


_IDENTITIES = select(t.resource.c.type, t.resource.c.id)


def gaps(connection: Connection) -> int:
    """I2."""
    return sum(int(connection.execute(text(each)).scalar_one()) for each in (_GAPS, _OF_NOTHING))


# a resource and a version are the key of `history`: no version is there twice
_GAPS = (
    "SELECT count(*) FROM (SELECT r.rid FROM resource r LEFT JOIN history h ON h.rid = r.rid"
    " GROUP BY r.rid, r.version HAVING count(h.version) <> r.version - 1 OR min(h.version) <> 1"
    " OR max(h.version) <> r.version - 1) AS wrong"
)
_OF_NOTHING = "SELECT count(*) FROM history h WHERE NOT EXISTS (SELECT 1 FROM resource r WHERE r.rid = h.rid)"


def wrong_index(connection: Connection, base: str = "", newest: int | None = None) -> int:
    """I3. Row numbers grow with time: the newest are those from a number on, and a table is read once."""
    first = 0
    if newest is not None:
        rids = select(t.resource.c.rid).order_by(t.resource.c.rid.desc()).limit(newest).subquery()
        first = connection.execute(select(func.min(rids.c.rid))).scalar_one() or 0
    wanted: list[set[tuple[Any, ...]]] = [set() for _ in INDEXES]
    for rid, body in bodies(connection, after=first - 1):
        rows = index_rows(json.stored(body), base)
        for found, (_, of) in zip(wanted, INDEXES, strict=True):
            found |= {(*row, rid) if isinstance(row, tuple) else (row, rid) for row in of(rows)}
    wrong = 0
    for found, (table, _) in zip(wanted, INDEXES, strict=True):
        wrong += len(found ^ {tuple(row) for row in connection.execute(select(table).where(table.c.rid >= first))})
    return wrong


def wrong_outbox(connection: Connection, effects: Effects = events.effects) -> int:
    """I4. Each version by itself, as its commit saw it; what handlers add to the outbox is of other kinds."""
    wanted: Counter[tuple[str, str]] = Counter()
    for change in changes(connection):
        wanted.update((row["kind"], row["key"]) for row in effects([change]))
    kinds = {kind for kind, _ in wanted} | {events.EVENT, events.HANDSHAKE}
    rows = connection.execute(select(t.outbox.c.kind, t.outbox.c.key).where(t.outbox.c.kind.in_(kinds)))
    there = Counter((kind, key) for kind, key in rows)
    return len(set(wanted) ^ set(there)) + sum(count - 1 for count in there.values())


def changes(connection: Connection) -> Iterator[Change]:
    """Every version of every resource, with the one before it; by whom, only the audit knows."""
    writers = {version: record.client for version, record in _recorded(connection)}
    columns = ("rid", "type", "version", "last_updated", "body")
    earlier: dict[int, list[Any]] = {}
    for row in connection.execute(select(*(t.history.c[name] for name in columns)).order_by(t.history.c.version)):
        earlier.setdefault(row.rid, []).append(row)
    for now in connection.execute(select(t.resource.c.id, *(t.resource.c[name] for name in columns))):
        before = None
        for row in (*earlier.get(now.rid, ()), now):
            after = json.stored(row.body) if row.body else None
            who = writers.get((row.type, now.id, row.version), "")
            yield Change(row.type, now.id, row.version, before, after, row.last_updated, who)
            before = after


def unrecorded(connection: Connection) -> int:
    """I5, of writes; each version was written once. An update that changed nothing is recorded, too, with the
    version that stands; a merge writes several by one request."""
    made: Counter[Version] = Counter()
    for version, record in _recorded(connection):
        made[version] += record.status == 201
    there = {(change.type, change.id, change.version) for change in changes(connection)}
    broken_chain = bool(verify.verify(connection).wrong)
    return len(there ^ made.keys()) + sum(count > 1 for count in made.values()) + broken_chain


def _recorded(connection: Connection) -> Iterator[tuple[Version, Record]]:
    """What is in the chain of writes that were done."""
    asked = select(audit.c.record).where(audit.c.interaction.in_((*WRITES, "transaction")), audit.c.status < 400)
    for body in connection.execute(asked).scalars():
        record = decoded(body)
        if record.version:
            yield (record.type, record.id, record.version), record


def unsound(connection: Connection) -> int:
    """I6. https://www.sqlite.org/pragma.html#pragma_integrity_check ; the functions behind pg_amcheck,
    https://www.postgresql.org/docs/current/amcheck.html"""
    if connection.dialect.name == "sqlite":
        told = connection.execute(text("PRAGMA integrity_check")).scalars().all()
        return 0 if told == ["ok"] else len(told)
    connection.execute(text("CREATE EXTENSION IF NOT EXISTS amcheck"))
    connection.execute(text(_INDEXES_OF_ALL))  # raises where one is not what its table says
    return int(connection.execute(text(_HEAPS)).scalar_one())


_OURS = "c.relnamespace = 'public'::regnamespace"
_INDEXES_OF_ALL = (
    "SELECT bt_index_check(c.oid::regclass, true) FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid"
    f" JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'btree' AND c.relkind = 'i' AND i.indisvalid AND {_OURS}"
)
_HEAPS = (
    "SELECT count(*) FROM pg_class c CROSS JOIN LATERAL verify_heapam(c.oid::regclass)"
    f" WHERE c.relkind = 'r' AND {_OURS}"
)


def changed_messages(connection: Connection) -> int:
    """I7. What retention has emptied has no bytes any more."""
    asked, after, wrong = select(t.inbox.c.seq, t.inbox.c.raw, t.inbox.c.digest).order_by(t.inbox.c.seq), 0, 0
    while rows := connection.execute(asked.where(t.inbox.c.seq > after).limit(PAGE)).all():
        wrong += sum(bool(row.raw) and sha256(row.raw).digest() != bytes(row.digest) for row in rows)
        after = rows[-1].seq
    return wrong


def halves(connection: Connection, bundles: Mapping[str, int]) -> int:
    """I8."""
    if not bundles:
        return 0
    found: dict[str, Counter[str]] = {system: Counter() for system in bundles}
    for _, body in bodies(connection):
        for identifier in json.stored(body).get("identifier", ()):
            if isinstance(identifier, dict) and identifier.get("system") in found:
                found[identifier["system"]][identifier["value"]] += 1
    return sum(count != bundles[system] for system, values in found.items() for count in values.values())
