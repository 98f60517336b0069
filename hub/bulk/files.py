"""Files of jobs: pieces of an export name resources, by row number and version; pieces of an import are lines.

An export's file holds nothing of a patient: what it names is read when it is downloaded, and leaves as far as its
reader may see it then (hub.bulk.downloading).
Every function works in its caller's transaction.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, insert, select, update

from hub.store.tables_bulk import bulk_file, bulk_part

OUTPUT, DELETED, ERROR = "output", "deleted", "error"
INPUT, ARRIVING = "input", "arriving"  # the lines of an import, and those of which there are more to come
ONE_FILE = 1 << 62  # resources: what came as one file stays one
NUMBER, VERSION = "q", "i"
_BYTES = array(NUMBER).itemsize + array(VERSION).itemsize

Chosen = Sequence[tuple[int, int]]  # row number, version


@dataclass(slots=True)
class File:
    number: int
    kind: str
    type: str
    parts: int
    counted: int


def packed(chosen: Chosen) -> bytes:
    """Row numbers, then versions, as the machine writes them: a database serves machines of one kind."""
    return array(NUMBER, [rid for rid, _ in chosen]).tobytes() + array(VERSION, [v for _, v in chosen]).tobytes()


def unpacked(content: bytes) -> list[tuple[int, int]]:
    count = len(content) // _BYTES
    numbers, versions = array(NUMBER), array(VERSION)
    numbers.frombytes(content[: count * numbers.itemsize])
    versions.frombytes(content[count * numbers.itemsize :])
    return list(zip(numbers, versions, strict=True))


def listed(connection: Connection, job: str) -> list[File]:
    """In the order of their numbers."""
    columns = [bulk_file.c[name] for name in File.__slots__]
    rows = connection.execute(select(*columns).where(bulk_file.c.job == job).order_by(bulk_file.c.number))
    return [File(*row) for row in rows]


def part(connection: Connection, job: str, number: int, place: int) -> bytes | None:
    """A piece of a file; None where there is none."""
    of = (bulk_part.c.job == job, bulk_part.c.file == number, bulk_part.c.number == place)
    found = connection.execute(select(bulk_part.c.content).where(*of)).scalar()
    return None if found is None else bytes(found)


@dataclass(slots=True)
class Files:
    """The files of a job that grow: the last one of each kind and type, until it has `most` resources."""

    connection: Connection
    job: str
    most: int
    _open: dict[tuple[str, str], File] = field(default_factory=dict)
    _next: int = 1

    def __post_init__(self) -> None:
        for file in listed(self.connection, self.job):
            self._open[file.kind, file.type] = file
            self._next = file.number + 1

    def add(self, kind: str, of: str, content: bytes, count: int) -> None:
        """A piece more, in the file that is open, or in a new one."""
        file = self._open.get((kind, of))
        if file is None or file.counted >= self.most:
            file = self._begun(kind, of)
        at = {"job": self.job, "file": file.number, "number": file.parts}
        self.connection.execute(insert(bulk_part).values(**at, content=content))
        file.parts, file.counted = file.parts + 1, file.counted + count
        same = (bulk_file.c.job == self.job, bulk_file.c.number == file.number)
        grown = {"parts": file.parts, "counted": file.counted}
        self.connection.execute(update(bulk_file).where(*same).values(grown))

    def _begun(self, kind: str, of: str) -> File:
        file = self._open[kind, of] = File(self._next, kind, of, 0, 0)
        self._next += 1
        row = {"number": file.number, "kind": kind, "type": of, "parts": 0, "counted": 0}
        self.connection.execute(insert(bulk_file).values(job=self.job, **row))
        return file


def forget(connection: Connection, job: str, kind: str) -> None:
    """The files of a kind, with what is in them."""
    for file in listed(connection, job):
        if file.kind == kind:
            for table, column in ((bulk_part, bulk_part.c.file), (bulk_file, bulk_file.c.number)):
                connection.execute(delete(table).where(table.c.job == job, column == file.number))


def rename(connection: Connection, job: str, kind: str, other: str) -> None:
    """The files of a kind are of another one."""
    same = (bulk_file.c.job == job, bulk_file.c.kind == kind)
    connection.execute(update(bulk_file).where(*same).values(kind=other))
