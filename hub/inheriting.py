"""Whose that is which says it only by what it is about: a Provenance, a note on a record. It inherits the labels of
its targets, and goes on to do so: where theirs rise, or become another patient's, it follows in the same commit.

Rules: docs/access.md; hub.rights.facts (ABOUT). `index_about` holds who is about what.
What nobody could tell whose it is stays its source's own; only where no source is known (stored before anybody
asked, hub.reindex) it follows then, too. Labels only rise.
A writer that inherits holds its targets, and one that raises them has changed them first: so the later of the two
sees what the earlier one did. Both need a transaction; see hub.whose.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from hub.rights.labels import raised
from hub.search.index import IndexRows
from hub.sight import ALL, NOBODY, SEVERAL, UNKNOWN, Sight
from hub.store import arrays
from hub.store.engine import driver
from hub.store.sight import named, seen
from hub.store.tables import index_about, index_patient, resource
from hub.versions import Of

CHUNK = 500  # numbers in one statement
ROUNDS = 16  # notes on notes: what goes in a circle is of an unknown patient long before


class Inherited(NamedTuple):
    """`patient` and `patients` as in hub.rights.facts.Facts."""

    patient: int
    patients: frozenset[int]
    labels: int


@dataclass(frozen=True, slots=True)
class _Note:
    """A stored resource that is about others, as its row says it."""

    rid: int
    address: int
    patient: int
    labels: int
    source: int


@dataclass(frozen=True, slots=True)
class Followed:
    """What has to be written: hub.store.batch.Batch.facts, and index rows before and now by rid."""

    facts: list[tuple[int, int, int]] = field(default_factory=list)
    index: dict[int, tuple[IndexRows, IndexRows]] = field(default_factory=dict)


def inherited(labels: int, about: Iterable[Of]) -> Inherited:
    """Whose a resource with these labels is that is about those. Pure."""
    targets = list(about)
    patients = frozenset(each.patient for each in targets) - {NOBODY}
    for each in targets:
        if each.labels > 0:
            labels = raised(labels, each.labels)
    if not patients or patients & {SEVERAL, UNKNOWN}:
        return Inherited(UNKNOWN, frozenset(), labels)
    if len(patients) == 1:
        return Inherited(next(iter(patients)), frozenset(), labels)
    return Inherited(SEVERAL, patients, labels)


def whose(connection: Connection, addresses: Iterable[int], sight: Sight, lock: bool) -> dict[int, Of]:
    """Whose those are that are stored and seen; with `lock` they stay so until the transaction ends."""
    found: dict[int, Of] = {}
    if lock and sight.everything and connection.dialect.name == "postgresql":
        return _held(connection, addresses)
    for some in chunks(addresses):
        asked = _WHOSE.where(resource.c.address.in_(some), seen(resource, sight))
        if lock:  # in the order in which writers lock theirs (hub.store.write.held)
            asked = asked.order_by(resource.c.type, resource.c.id).with_for_update(read=True, of=resource)
        found |= {row[0]: Of(*row[1:]) for row in connection.execute(asked, named(sight))}
    return found


def _held(connection: Connection, addresses: Iterable[int]) -> dict[int, Of]:
    """The same for the hub itself, by the driver: every hospital message asks."""
    rows = [
        row
        for some in chunks(addresses)
        for row in driver(connection).execute(_HELD, (arrays.numbers(some),)).fetchall()
    ]
    return {row[0]: Of(*row[1:]) for row in rows}


def has_notes(connection: Connection, addresses: Iterable[int]) -> bool:
    """Whether something is about one of these."""
    return any(
        connection.execute(_NOTES.where(index_about.c.target.in_(some)).limit(1)).first() is not None
        for some in chunks(addresses)
    )


def follow(connection: Connection, changed: Mapping[int, Of], apart: Collection[int] = ()) -> Followed:
    """What is about those that changed (by address) follows them; all but the rows `apart`, which are being written
    already. Locks every row that it names."""
    return _Following(connection, changed, apart).to_the_end()


class _Following:
    """What is known meanwhile: whose the targets are by address; what the notes were and are by row number."""

    def __init__(self, connection: Connection, changed: Mapping[int, Of], apart: Collection[int]):
        self._connection = connection
        self._known = dict(changed)
        self._fresh = dict(changed)
        self._apart = apart
        self._notes: dict[int, _Note] = {}
        self._before: dict[int, Inherited] = {}
        self._now: dict[int, Inherited] = {}

    def to_the_end(self) -> Followed:
        for _ in range(ROUNDS):
            self._fresh = dict(self._round())
            self._known |= self._fresh
            if not self._fresh:
                break
        found = Followed()
        for rid, now in self._now.items():
            before = self._before[rid]
            if now != before:
                found.facts.append((rid, now.patient, now.labels))
            if now.patients != before.patients:
                found.index[rid] = (IndexRows(patients=set(before.patients)), IndexRows(patients=set(now.patients)))
        return found

    def _round(self) -> Iterator[tuple[int, Of]]:
        notes = [note for note in _notes_on(self._connection, self._fresh) if note.rid not in self._apart]
        self._look([note for note in notes if note.rid not in self._notes])
        about = _by_rid(self._connection, _TARGETS, (note.rid for note in notes))
        unknown = {each for one in about.values() for each in one} - self._known.keys()
        self._known |= whose(self._connection, unknown, ALL, lock=True)
        for note in notes:
            now = self._of(note, about[note.rid])
            if now != self._now[note.rid]:
                self._now[note.rid] = now
                yield note.address, Of(now.patient, now.labels, note.source)

    def _look(self, notes: Collection[_Note]) -> None:
        patients = _by_rid(self._connection, _PATIENTS, (note.rid for note in notes))
        for note in notes:
            self._notes[note.rid] = note
            was = Inherited(note.patient, frozenset(patients[note.rid]), note.labels)
            self._before[note.rid] = self._now[note.rid] = was

    def _of(self, note: _Note, about: Iterable[int]) -> Inherited:
        targets = (self._known.get(each) for each in about)
        found = inherited(self._now[note.rid].labels, (each for each in targets if each is not None))
        if note.patient == UNKNOWN and note.source:  # its source alone sees it
            return Inherited(UNKNOWN, frozenset(), found.labels)
        return found


def _notes_on(connection: Connection, addresses: Iterable[int]) -> list[_Note]:
    """What is about these and has its labels: what has none yet looks at its targets when it gets them."""
    rids = _about(connection, addresses)
    found: list[_Note] = []
    for some in chunks(rids):
        asked = _ROWS.where(resource.c.rid.in_(some), resource.c.labels >= 0)
        locked = asked.order_by(resource.c.type, resource.c.id).with_for_update()
        found += [_Note(*row) for row in connection.execute(locked)]
    return found


def _about(connection: Connection, addresses: Iterable[int]) -> set[int]:
    """The rows that are about one of these. Every commit asks; most of the time nothing is."""
    rids: set[int] = set()
    for some in chunks(addresses):
        which, values = arrays.among(connection.dialect.name, some)
        rows = driver(connection).execute(f"SELECT rid FROM index_about WHERE target {which}", values)  # noqa: S608
        rids |= {row[0] for row in rows.fetchall()}
    return rids


def _by_rid(connection: Connection, rows: Any, rids: Iterable[int]) -> dict[int, set[int]]:
    """The numbers of rows (rid, number), by rid."""
    found: dict[int, set[int]] = {rid: set() for rid in rids}
    for some in chunks(found):
        for rid, number in connection.execute(rows.where(rows.selected_columns.rid.in_(some))):
            found[rid].add(number)
    return found


def chunks(numbers: Iterable[int]) -> Iterator[list[int]]:
    """In their order, as many as one statement names."""
    ordered = sorted(numbers)
    for start in range(0, len(ordered), CHUNK):
        yield ordered[start : start + CHUNK]


_WHOSE = select(resource.c.address, resource.c.patient, resource.c.labels, resource.c.source)
_HELD = (
    "SELECT address, patient, labels, source FROM resource WHERE address = ANY (%s::bigint[])"
    " ORDER BY type, id FOR SHARE"
)
_ROWS = select(resource.c.rid, resource.c.address, resource.c.patient, resource.c.labels, resource.c.source)
_NOTES = select(index_about.c.rid)
_TARGETS = select(index_about.c.rid, index_about.c.target)
_PATIENTS = select(index_patient.c.rid, index_patient.c.patient)
