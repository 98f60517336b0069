"""Whether the audit is what was written: walks the chain and names the first place where it is not.

Found are rows that were changed, taken out, added, moved, or cut off at the end; columns and patients that say
other than their record; journals that are damaged. Who can write to the database can write all of the chain anew:
only a head that was kept elsewhere shows that (`--expect-head`)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from hub.audit import journal, store
from hub.audit.record import Record, decoded
from hub.audit.store import Head
from hub.store.tables_audit import audit, audit_patient

CHUNK = 500


@dataclass(frozen=True, slots=True)
class Verdict:
    """`wrong` is the first thing that is not right, empty where all is; `head` the end of what was looked at."""

    count: int
    head: Head
    wrong: str = ""


@dataclass(slots=True)
class _Walk:
    """How far the chain was found good."""

    end: Head
    count: int = 0
    expected: Sequence[Head] = field(default_factory=tuple)


def verify(
    connection: Connection, first: int = 1, last: int | None = None, expected: Sequence[Head] = ()
) -> Verdict:
    """Look at the records from `first` to `last` (None: the end). `expected` are heads that were kept elsewhere."""
    kept = store.head(connection)
    walk = _Walk(_before(connection, first), expected=expected)
    until = kept.seq if last is None else last
    for rows, people in _chunks(connection, first, until if last is not None else None):
        for row in rows:
            if wrong := _row(walk, row, people.get(row.seq, set())):
                return Verdict(walk.count, walk.end, wrong)
            walk.end, walk.count = Head(row.seq, row.hash), walk.count + 1
    return Verdict(walk.count, walk.end, _ending(connection, walk, kept, first, until, last is None))


def damaged(folder: Path) -> list[str]:
    """The names of journals that could not be read to their end."""
    return sorted(path.name for path in folder.glob(f"*{journal.DAMAGED}"))


def _before(connection: Connection, first: int) -> Head:
    """Where the chain stands before a record: at its beginning, or where the record before says."""
    if first <= 1:
        return Head()
    found = connection.execute(select(audit.c.hash).where(audit.c.seq == first - 1)).scalar()
    return Head(first - 1, found or b"")


def _chunks(
    connection: Connection, first: int, last: int | None
) -> Iterator[tuple[Sequence[Any], dict[int, set[tuple[int, int, bool]]]]]:
    after = first - 1
    while True:
        statement = select(audit).where(audit.c.seq > after).order_by(audit.c.seq).limit(CHUNK)
        rows = connection.execute(statement if last is None else statement.where(audit.c.seq <= last)).all()
        if not rows:
            return
        yield rows, _people(connection, rows[0].seq, rows[-1].seq)
        after = rows[-1].seq


def _people(connection: Connection, low: int, high: int) -> dict[int, set[tuple[int, int, bool]]]:
    found: dict[int, set[tuple[int, int, bool]]] = {}
    for row in connection.execute(select(audit_patient).where(audit_patient.c.seq.between(low, high))):
        found.setdefault(row.seq, set()).add((row.patient, row.place, row.disclosed))
    return found


def _row(walk: _Walk, row: Any, people: set[tuple[int, int, bool]]) -> str:
    """What is wrong with a row; empty where nothing is."""
    wanted = walk.end.seq + 1
    if row.seq != wanted:
        return f"record {wanted} is missing"
    if row.previous != walk.end.hash:
        return f"record {row.seq} does not follow the one before it: one of them was changed, added or moved"
    if row.hash != store.hash_of(row.previous, row.seq, row.record):
        return f"record {row.seq} was changed"
    if any(head.seq == row.seq and head.hash != row.hash for head in walk.expected):
        return f"record {row.seq} is not the one whose hash was kept: the chain was written anew"
    return _repeated(row, people)


def _repeated(row: Any, people: set[tuple[int, int, bool]]) -> str:
    try:
        record: Record = decoded(row.record)
    except msgspec.MsgspecError:
        return f"record {row.seq} cannot be read"
    if any(getattr(row, name) != value for name, value in store.columns(record).items()):
        return f"record {row.seq} is searched by other values than it has"
    wanted = {(patient, place, disclosed) for patient, _, place, disclosed in store.patients_of(record, row.seq)}
    return "" if wanted == people else f"record {row.seq} is searched by other patients than it has"


def _ending(connection: Connection, walk: _Walk, kept: Head, first: int, until: int, to_the_end: bool) -> str:
    if walk.end.seq < until and walk.end.seq < kept.seq:
        return f"record {walk.end.seq + 1} is missing"
    if to_the_end and walk.end != kept and first <= kept.seq + 1:
        return f"the chain ends at record {walk.end.seq}, not where it was last written (record {kept.seq})"
    beyond = [head.seq for head in walk.expected if head.seq > max(kept.seq, walk.end.seq)]
    if beyond:
        return f"record {beyond[0]}, whose hash was kept, is missing"
    strangers = select(func.count()).select_from(audit_patient).where(audit_patient.c.seq > walk.end.seq)
    if to_the_end and connection.execute(strangers).scalar():
        return "patients are listed for records that are not there"
    return ""
