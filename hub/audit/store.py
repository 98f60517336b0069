"""The chain: records join it in batches, each once, and it is never changed.

The hash of a row is SHA-256 of the hash before it, its number (eight bytes, big endian) and its record. Who
changes, removes, adds or moves a row breaks the chain there (hub.audit.verify). One mover at a time: PostgreSQL's
advisory lock, or SQLite's only writer. What is taken from a journal and how far it was taken are one transaction,
so a kill at any moment neither loses a record nor doubles it."""

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, insert, select, update

from hub.audit import journal
from hub.audit.interactions import KINDS
from hub.audit.record import Record, Release, decoded, encoded
from hub.rights.labels import PART2
from hub.search.edges import address
from hub.store import arrays
from hub.store.engine import Database, driver
from hub.store.rids import new_rid
from hub.store.tables_audit import audit, audit_head, audit_journal, audit_patient, audit_pending

log = logging.getLogger("hub.audit")
MOST = 2000  # records a transaction
TOGETHER = 50  # rows a statement of SQLite, which takes 999 values wherever it comes from
GENESIS = bytes(32)
LOCK = 72183008
HEAD = 1
ANSWERED = ("read", "vread", "history-instance", "patch", "notice")  # and queries: they tell what was stored


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain. Kept elsewhere, too, it shows that nobody wrote the whole chain anew."""

    seq: int = 0
    hash: bytes = GENESIS

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash.hex()}"


@dataclass(slots=True)
class _Taken:
    """What a mover took out of the journals: records, how far each file is read, which files are done with."""

    records: list[bytes] = field(default_factory=list)
    positions: dict[str, int] = field(default_factory=dict)
    done: list[Path] = field(default_factory=list)
    damaged: list[Path] = field(default_factory=list)


def pend(connection: Connection, record: Record) -> None:
    """Goes along with a transaction, for what no commit of resources is (hub.transactions)."""
    connection.execute(insert(audit_pending).values(id=new_rid(record.at), record=encoded(record)))


def hash_of(previous: bytes, seq: int, record: bytes) -> bytes:
    return sha256(previous + seq.to_bytes(8, "big") + record).digest()


def move(database: Database, folder: Path) -> int:
    """Move what waits to the end of the chain, up to a few thousand records; how many they were."""
    if not waits(database, folder):
        return 0
    count, taken = database.writing(lambda connection: _moved(connection, folder))
    _tidy(database, folder, taken)
    return count


def move_all(database: Database, folder: Path) -> None:
    """All that waits now, for whoever is about to look."""
    while move(database, folder) >= MOST:
        pass


def waits(database: Database, folder: Path) -> bool:
    """Whether there is anything to move, without keeping anybody else waiting."""
    with database.read() as connection:
        if connection.execute(select(audit_pending.c.id).limit(1)).first() is not None:
            return True
        files = journals(folder)
        positions = moved_to(connection, files) if files else {}
    return any(_has_more(path, positions.get(path.name, 0)) for path in files)


def _has_more(path: Path, position: int) -> bool:
    with suppress(FileNotFoundError):
        found = journal.read(path, position, 1)  # its size says nothing: there may be room for more
        return found.dead or bool(found.records)
    return False


def journals(folder: Path) -> list[Path]:
    """Those of a node."""
    return sorted(folder.glob(f"*{journal.SUFFIX}"))


def _remove(connection: Connection, ids: Sequence[int]) -> None:
    """What has joined the chain: with PostgreSQL by one statement, for a message brings seven of them."""
    if connection.dialect.name == "postgresql":
        driver(connection).execute(
            "DELETE FROM audit_pending WHERE id = ANY (%s::bigint[])", (arrays.numbers(ids),)
        )
        return
    gone = [{"gone": each} for each in ids]
    connection.execute(delete(audit_pending).where(audit_pending.c.id == bindparam("gone")), gone)


def _moved(connection: Connection, folder: Path) -> tuple[int, _Taken]:
    lock(connection)
    pending = connection.execute(select(audit_pending).order_by(audit_pending.c.id).limit(MOST)).all()
    taken = _take(connection, folder, MOST - len(pending))
    records = [*(row.record for row in pending), *taken.records]
    append(connection, records)
    if pending:
        _remove(connection, [row.id for row in pending])
    return len(records), taken


def lock(connection: Connection) -> None:
    """One mover at a time; SQLite's transaction is the only one anyway."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")


def moved_to(connection: Connection, files: Iterable[Path]) -> dict[str, int]:
    """How far each of them was taken; nothing of what was not begun."""
    names = [path.name for path in files]
    rows = connection.execute(select(audit_journal).where(audit_journal.c.name.in_(names)))
    return {row.name: row.position for row in rows}


def _take(connection: Connection, folder: Path, most: int) -> _Taken:
    taken, files = _Taken(), journals(folder)
    positions = moved_to(connection, files) if files else {}
    for path in files:
        if len(taken.records) >= most:
            break
        before = positions.get(path.name, 0)
        try:
            found = journal.read(path, before, most - len(taken.records))
        except FileNotFoundError:
            continue
        taken.records += found.records
        if found.end != before:
            taken.positions[path.name] = found.end
        if found.damaged:
            taken.damaged.append(path)
        elif found.dead and _is_read(path, found):
            taken.done.append(path)
    _remember(connection, taken.positions, positions)
    return taken


def _is_read(path: Path, found: journal.Read) -> bool:
    """To its end, or to where a record broke off."""
    return bool(found.rest) or path.stat().st_size <= found.end


def _remember(connection: Connection, now: dict[str, int], before: dict[str, int]) -> None:
    for name, position in now.items():
        if name in before:
            same = audit_journal.c.name == name
            connection.execute(update(audit_journal).where(same).values(position=position))
        else:
            connection.execute(insert(audit_journal).values(name=name, position=position))


def _tidy(database: Database, folder: Path, taken: _Taken) -> None:
    """Files first, then what is known of them: the other way round a kill would have them moved again."""
    if not (taken.done or taken.damaged):
        return
    for path in taken.done:
        path.unlink(missing_ok=True)
    for path in taken.damaged:
        log.error("An audit journal is damaged: it is kept as %s", path.with_suffix(journal.DAMAGED).name)
        with suppress(FileNotFoundError):
            path.rename(path.with_suffix(journal.DAMAGED))
    journal.sync_folder(folder)
    names = [path.name for path in (*taken.done, *taken.damaged)]
    database.writing(lambda connection: _forget(connection, names))


def _forget(connection: Connection, names: Sequence[str]) -> None:
    lock(connection)
    connection.execute(delete(audit_journal).where(audit_journal.c.name.in_(names)))


def head(connection: Connection) -> Head:
    row = connection.execute(select(audit_head).where(audit_head.c.id == HEAD)).first()
    return Head(row.seq, row.hash) if row else Head()


def append(connection: Connection, records: Sequence[bytes]) -> Head:
    """Add records to the chain; its new end. Only under `lock`."""
    before = head(connection)
    if not records:
        return before
    rows, people, end = [], list[tuple[Any, ...]](), before
    for record in records:
        told = decoded(record)
        row = row_of(end, record, told)
        rows.append(tuple(row.values()))
        people += patients_of(told, row["seq"])
        end = Head(row["seq"], row["hash"])
    _insert(connection, audit, rows)
    _insert(connection, audit_patient, people)
    values = {"seq": end.seq, "hash": end.hash}
    if before.seq:
        connection.execute(update(audit_head).where(audit_head.c.id == HEAD).values(values))
    else:
        connection.execute(insert(audit_head).values(id=HEAD, **values))
    return end


def _insert(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Rows in the order of the columns, by the driver, many at a time: SQLAlchemy would cost as much as the rest,
    and each row that goes alone gives Python's lock away and waits to have it back."""
    if connection.dialect.name == "postgresql":
        from hub.store.prepared import copy  # psycopg: not for the memory of a hub on SQLite

        held: Any = connection.connection.driver_connection
        copy(held, f"{table.name} ({', '.join(table.c.keys())})", rows)
        return
    for start in range(0, len(rows), TOGETHER):
        part = rows[start : start + TOGETHER]
        connection.exec_driver_sql(_insertion(table, len(part)), tuple(chain.from_iterable(part)))


@cache
def _insertion(table: Table, many: int) -> str:
    names = list(table.c.keys())
    row = f"({', '.join('?' * len(names))})"
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES {', '.join([row] * many)}"  # noqa: S608


def row_of(end: Head, record: bytes, told: Record) -> dict[str, Any]:
    """The row of `audit` that follows the end of a chain, in the order of its columns."""
    seq = end.seq + 1
    return {
        "seq": seq,
        **columns(told),
        "record": record,
        "previous": end.hash,
        "hash": hash_of(end.hash, seq, record),
    }


def columns(record: Record) -> dict[str, Any]:
    """What a record is searched by."""
    kind = KINDS[record.interaction]
    return {
        "at": record.at,
        "client": record.client[:128],
        "person": record.user[:128],
        "interaction": record.interaction,
        "action": kind.action,
        "type": record.type,
        "entity": address(record.type, record.id) if record.id else 0,
        "status": record.status,
        "events": max(1, len(record.releases)),
        "disclosures": sum(discloses_part_2(record, each) for each in record.releases),
    }


def patients_of(record: Record, seq: int) -> list[tuple[int, int, int, bool]]:
    """The rows of `audit_patient` (patient, number, place, disclosed): each patient once, also the one that was
    asked for where nothing left."""
    found = [
        (each.patient, seq, place, discloses_part_2(record, each))
        for place, each in enumerate(record.releases, start=1)
    ]
    if record.type == "Patient" and record.id:
        asked = address("Patient", record.id)
        if not any(row[0] == asked for row in found):
            found.append((asked, seq, 0, False))
    return found


def is_disclosure(record: Record) -> bool:
    """Whether data left to whoever asked: 304 tells that they have it already, a write that they brought it."""
    kind = KINDS[record.interaction]
    tells = not kind.is_security and (kind.action == "E" or record.interaction in ANSWERED)
    return record.succeeded and record.status != 304 and tells


def discloses_part_2(record: Record, release: Release) -> bool:
    """To somebody else than the program it came from."""
    return bool(release.labels & PART2) and not release.own and is_disclosure(record)
