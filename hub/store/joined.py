"""A database seen from inside a transaction that has begun already: what writes, joins it; what reads, sees it.

With it several commits become one, as an Idempotency-Key wants it: hub.rest.idempotency.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from hub.store.engine import FAULTS, Database, Decided, Overtaken, Result


class Undone(BaseException):
    """The database broke the whole transaction. No Exception: who answers entries one by one must not take it
    for the fault of one entry."""

    def __init__(self, error: Exception):
        super().__init__(str(type(error)))
        self.error = error


class Joined(Database):
    """Each `writing` is a savepoint: when it fails, only its own work is undone."""

    def __init__(self, outer: Database, connection: Connection):
        self.url = outer.url
        self.is_sqlite = outer.is_sqlite
        self._connection = connection
        self.called: set[str] = set()

    def call(self, kind: str) -> None:
        """Once the transaction is committed: see `joining`."""
        self.called.add(kind)

    def writing(self, work: Callable[[Connection], Result]) -> Result:
        try:
            with self._connection.begin_nested():
                return work(self._connection)
        except FAULTS as error:
            raise Undone(error) from error

    def at_once(
        self, decide: Callable[[Connection], Decided], store: Callable[[Connection, Decided], Result]
    ) -> Result:
        """Never: it is part of a transaction."""
        raise Overtaken

    @contextmanager
    def read(self) -> Iterator[Connection]:
        try:
            yield self._connection
        except FAULTS as error:
            raise Undone(error) from error

    write = read

    def close(self) -> None:
        """Nothing: the connection is its lender's."""


def joining(database: Database, work: Callable[[Joined, Connection], Result]) -> Result:
    """`work` in one transaction, in which everything it does through the Joined takes part."""

    def whole(connection: Connection) -> tuple[Result, set[str]]:
        joined = Joined(database, connection)
        try:
            return work(joined, connection), joined.called
        except Undone as undone:
            raise undone.error from undone

    result, called = database.writing(whole)
    for kind in called:
        database.call(kind)
    return result
