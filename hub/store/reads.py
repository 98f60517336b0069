"""The connections for reading: whoever reads takes the one that was used last, and gives it back.

They belong to no thread. A thread of the web server ends when it had nothing to do for a while
(https://github.com/emmett-framework/granian, `blocking_threads_idle_timeout`), and what Python keeps for a thread
that Rust started is not let go then: a connection that such a thread kept would be lost, until none is left.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from hub.problems import Problem
from hub.store.connecting import is_there
from hub.store.faults import Overtaken, leave


class Reads:
    """Connections in autocommit: one for each thread that reads at this moment, within which it may read again."""

    def __init__(self, engine: Engine, is_sqlite: bool):
        self._engine = engine
        self._is_sqlite = is_sqlite
        self._at_rest = deque[Connection]()
        self._mine = threading.local()  # while a thread reads, not longer

    @contextmanager
    def one(self) -> Iterator[Connection]:
        """A connection; not used again where the database failed under it."""
        outer: Connection | None = getattr(self._mine, "connection", None)
        held = outer if outer is not None and self._is_usable(outer) else self._taken()
        self._mine.connection = held
        try:
            yield held
        except BaseException as error:
            _left(held, error)
            raise
        finally:
            if held is not outer:
                self._mine.connection = None
                self._rest(held)

    def _taken(self) -> Connection:
        while self._at_rest:
            try:
                held = self._at_rest.pop()
            except IndexError:  # another thread was faster
                break
            if self._is_usable(held):
                return held
        return self._engine.connect()

    def _rest(self, held: Connection) -> None:
        if not (held.closed or held.invalidated):
            self._at_rest.append(held)

    def _is_usable(self, held: Connection) -> bool:
        if held.closed or held.invalidated:
            return False
        if self._is_sqlite or is_there(held.connection.driver_connection):
            return True
        held.invalidate()
        held.close()
        return False

    def anew(self) -> None:
        """Close those at rest: whoever reads from now on has a new one."""
        while self._at_rest:
            self._at_rest.pop().close()
        self._engine.dispose()


def _left(held: Connection, error: BaseException) -> None:
    cause = error.__cause__ if isinstance(error, Problem) else error
    # a refusal such as 404 says nothing against the connection, nor does another writer
    if cause is not None and not isinstance(cause, Problem | Overtaken):
        leave(held, cause)
        held.close()
