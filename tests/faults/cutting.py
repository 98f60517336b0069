"""Calls that fail when their number comes up: of SQLite's driver, and of the network by a proxy that cuts.

With PostgreSQL, and with receivers of notices, a call is what a client sends in one go: the proxy ends both
connections before it is passed on (nothing was done) or after it (what was done, its answer never says). With
SQLite a call is a statement or a commit; it raises what SQLite raises where locks fail, and nothing of it was done.
"""

import socket
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal

How = Literal["before", "after"]
BLOCK = 1 << 18


class Calls:
    """Counts calls while it is armed; one of them fails."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed = False
        self.count = 0
        self.failing = 0  # the number of the call that fails; 0: none
        self.how: How = "before"

    def arm(self, failing: int = 0, how: How = "before") -> None:
        with self._lock:
            self._armed, self.count, self.failing, self.how = True, 0, failing, how

    def disarm(self) -> int:
        """How many calls there were."""
        with self._lock:
            self._armed = False
            return self.count

    def next(self) -> How | None:
        """How this call fails, if it does."""
        with self._lock:
            if not self._armed:
                return None
            self.count += 1
            return self.how if self.count == self.failing else None


class Cursor(sqlite3.Cursor):
    """Each statement is a call."""

    def execute(self, *words: Any) -> Any:
        return _called(self.connection.calls, super().execute, *words)  # type: ignore[attr-defined]

    def executemany(self, *words: Any) -> Any:
        return _called(self.connection.calls, super().executemany, *words)  # type: ignore[attr-defined]


def failing_sqlite(calls: Calls) -> None:
    """From now on every connection that this process makes to SQLite counts there."""

    class Connection(sqlite3.Connection):
        def __init__(self, *words: Any, **options: Any):
            super().__init__(*words, **options)
            self.calls = calls

        def cursor(self, *_: Any) -> Any:
            return super().cursor(Cursor)

        def execute(self, *words: Any) -> Any:
            return self.cursor().execute(*words)

        def executemany(self, *words: Any) -> Any:
            return self.cursor().executemany(*words)

        def commit(self) -> None:
            _called(calls, super().commit)

    connect = sqlite3.dbapi2.connect
    sqlite3.dbapi2.connect = lambda *words, **options: connect(  # type: ignore[assignment]
        *words, **{**options, "factory": Connection}
    )


def _called(calls: Calls, work: Callable[..., Any], *words: Any) -> Any:
    if calls.next():
        raise sqlite3.OperationalError("locking protocol")
    return work(*words)


class Proxy:
    """Listens on a free port of 127.0.0.1 and passes on to `port`."""

    def __init__(self, port: int, calls: Calls):
        self._to = port
        self._calls = calls
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            with suppress(OSError):
                _Pair(near, socket.create_connection(("127.0.0.1", self._to)), self._calls).start()


class _Pair:
    """A connection and the one behind it."""

    def __init__(self, near: socket.socket, far: socket.socket, calls: Calls):
        self._near, self._far, self._calls = near, far, calls
        self._deaf = threading.Event()  # the answer is not passed on
        for each in (near, far):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self) -> None:
        for work in (self._ask, self._answer):
            threading.Thread(target=self._pump, args=(work,), daemon=True).start()

    def _pump(self, work: Callable[[], bool]) -> None:
        with suppress(OSError):
            while work():
                pass
        for each in (self._near, self._far):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _ask(self) -> bool:
        data = self._near.recv(BLOCK)
        how = self._calls.next() if data else None
        if not data or how == "before":
            return False
        if how == "after":
            self._deaf.set()
        self._far.sendall(data)
        return True

    def _answer(self) -> bool:
        data = self._far.recv(BLOCK)
        if not data or self._deaf.is_set():
            return False
        self._near.sendall(data)
        return True
