"""Statements that nearly every request runs, prepared once a connection and sent to libpq as they are.

https://www.psycopg.org/psycopg3/docs/api/pq.html
The driver's cursors are made for any statement and any type; for a handful of statements with numbers, texts and
bytes they cost as much as the statement itself. Other threads run while a statement does.
Parameters are None, bool, int, float, str or bytes; lists travel as one text (hub.store.arrays).
Raises Refused, and Lost where the connection ended.
"""

import re
import select
import struct
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import count
from typing import Any

from psycopg import Connection, Error
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, TransactionStatus

from hub.store.faults import Lost, Refused

Row = tuple[Any, ...]
BINARY = 1
_FINE = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)
# https://www.postgresql.org/docs/current/errcodes-appendix.html
NO_TEXT, CONNECTION = "22021", "08000"
_MARK = re.compile(r"%(?:\((\w+)\))?s")
_STATEMENTS = "_hub_statements"
_IN_DOUBT, _COUNTED = "_hub_in_doubt", "_hub_counted"
_SOCKET = "_hub_socket"
_names = count()  # none twice: a statement that was forgotten may be there yet


def _number(value: bytes) -> int:
    return int.from_bytes(value, "big", signed=True)


def _double(value: bytes) -> float:
    found: float = struct.unpack("!d", value)[0]
    return found


# https://www.postgresql.org/docs/current/catalog-pg-type.html: the type's number → how its binary form is read
READ: dict[int, Callable[[bytes], Any]] = {
    16: lambda value: value == b"\x01",  # boolean
    17: bytes,  # bytea
    20: _number,  # bigint
    21: _number,  # smallint
    23: _number,  # integer
    25: bytes.decode,  # text
    701: _double,  # double precision
    1043: bytes.decode,  # character varying
    2278: lambda _: None,  # void
}


class Prepared:
    """Runs statements on one connection, in its transaction; one that is not autocommitting begins one."""

    __slots__ = ("_connection", "_rows")

    def __init__(self, connection: Connection[Any]):
        self._connection = connection
        self._rows: list[Row] = []

    def execute(self, statement: str, values: Sequence[Any] = ()) -> "Prepared":
        """Run a statement written with `%s` and `%(name)s`; its text must not hold values. `values` in the order in
        which the marks first stand there."""
        given: Sequence[Any] = [_written(value) for value in values]
        formats = [BINARY if type(value) is bytes else 0 for value in values]
        if self._connection.closed:
            raise Lost(unknown=False)
        try:
            self._rows = self._run(statement, given, formats)
        except Error as error:  # of psycopg itself, before anything was sent
            raise Refused(error.sqlstate or CONNECTION) from error
        return self

    def begin(self, statement: str) -> bytes:
        """Begin the transaction, unless it has begun, with a statement without values: one round trip. What it says
        first, as text."""
        if self._connection.closed:
            raise Lost(unknown=False)
        begins = b"BEGIN; " if is_idle(self._connection) else b""
        found: bytes = self._fine(self._connection.pgconn.exec_(begins + statement.encode())).get_value(0, 0)
        return found

    def _run(self, statement: str, given: Sequence[Any], formats: Sequence[int]) -> list[Row]:
        connection, pgconn = self._connection, self._connection.pgconn
        if not connection.autocommit and pgconn.transaction_status == TransactionStatus.IDLE:
            self._fine(pgconn.exec_(b"BEGIN"))
        name = self._name(statement)
        # without a transaction around it, the server commits a statement before it answers
        commits = connection.autocommit and not statement.startswith("SELECT")
        return _rows(self._fine(pgconn.exec_prepared(name, given, formats, BINARY), commits))

    def fetchall(self) -> list[Row]:
        return self._rows

    def fetchone(self) -> Row | None:
        return self._rows[0] if self._rows else None

    def _name(self, statement: str) -> bytes:
        """The name under which this connection has prepared the statement."""
        kept = self._connection.__dict__
        known: dict[str, bytes] = kept.setdefault(_STATEMENTS, {})
        if kept.pop(_IN_DOUBT, False):
            known = kept[_STATEMENTS] = self._still(known)
        name = known.get(statement)
        if name is None:
            number = kept[_COUNTED] = kept.get(_COUNTED, 0) + 1  # a name is never given twice
            name = f"hub_{number}".encode()
            self._fine(self._connection.pgconn.prepare(name, _numbered(statement)))
            known[statement] = name
        return name

    def _still(self, known: dict[str, bytes]) -> dict[str, bytes]:
        """Those that the server has still."""
        found = self._fine(self._connection.pgconn.exec_(b"SELECT name FROM pg_prepared_statements"))
        there = {found.get_value(row, 0) for row in range(found.ntuples)}
        return {statement: name for statement, name in known.items() if name in there}

    def _fine(self, result: Any, commits: bool = False) -> Any:
        if result.status in _FINE:
            return result
        if self._connection.pgconn.status == ConnStatus.BAD:  # it has no SQLSTATE then
            raise Lost(unknown=commits)
        raise Refused((result.error_field(DiagnosticField.SQLSTATE) or b"").decode())


def copy(connection: Connection[Any], into: str, rows: Iterable[Row]) -> None:
    """Rows into `table (columns)`, in the connection's transaction: a third of the time that INSERTs take.
    https://www.postgresql.org/docs/current/sql-copy.html"""
    try:
        with connection.cursor() as cursor, cursor.copy(f"COPY {into} FROM STDIN") as copying:
            for row in rows:
                copying.write_row(row)
    except Error as error:  # where the connection ended, so does the rollback
        raise Refused(error.sqlstate or CONNECTION) from error


def is_idle(connection: Connection[Any]) -> bool:
    """Whether it is in no transaction."""
    return connection.pgconn.transaction_status == TransactionStatus.IDLE


def doubt(connection: Connection[Any]) -> None:
    """For a rollback, also of a savepoint: where psycopg prepared something, it deallocates all then, ours, too."""
    connection.__dict__[_IN_DOUBT] = True


def at_rest(connection: Connection[Any]) -> bool:
    """Whether a connection that runs nothing is still there: what a server says unasked is that it ends. This sends
    nothing and costs a microsecond."""
    if connection.closed:
        return False
    poll = connection.__dict__.get(_SOCKET)
    if poll is None:
        poll = connection.__dict__[_SOCKET] = select.poll()
        poll.register(connection.pgconn.socket, select.POLLIN)
    return not poll.poll(0)


@cache
def _numbered(statement: str) -> bytes:
    """With `$1`, `$2` … in place of `%s` and of names; a name is one parameter, however often it stands there."""
    places: dict[str, int] = {}

    def place(found: re.Match[str]) -> str:
        return f"${places.setdefault(found[1] or str(found.start()), len(places) + 1)}"

    return _MARK.sub(place, statement).encode()


def _written(value: Any) -> bytes | None:
    if value is None or type(value) is bytes:
        return value
    if value is True or value is False:
        return b"t" if value else b"f"
    text = str(value).encode()
    if b"\0" in text:  # it would end there, and ask for something else
        raise Refused(NO_TEXT)  # a NUL character
    return text


def _rows(result: Any) -> list[Row]:
    readers = [READ[result.ftype(column)] for column in range(result.nfields)]
    value = result.get_value
    return [
        tuple(None if (found := value(row, column)) is None else read(found) for column, read in enumerate(readers))
        for row in range(result.ntuples)
    ]
