"""With PostgreSQL, processes and nodes tell each other that there is work: NOTIFY after the commit, LISTEN beside
the worker. https://www.postgresql.org/docs/15/sql-notify.html

A NOTIFY inside the transaction that brings the work would be simpler, and make all that commit wait for each other:
PostgreSQL holds one lock from there to the end of the commit. So it is told afterwards, on a connection of its own,
at most once in PAUSE_SECONDS for each kind of work. What is not heard (a lost connection, a pooler that does not
pass it on) is found by the workers' look round, which stays.
Refuses: nothing; without its connection it tells nobody, and tries again.
"""

import logging
import random
import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy import URL

from hub.store.clocks import ASKED, follow_told

log = logging.getLogger("hub.store")
CHANNEL = "hub_work"
INBOX, OUTBOX = "inbox", "outbox"  # kinds of work: what a call says
PAUSE_SECONDS = 0.01
HEAR_SECONDS = 5.0  # between two looks whether to stop
AGAIN_SECONDS = 1.0, 3.0  # after a lost connection, chosen at random: many nodes lose it at the same moment


class Calls:
    """Tells the other processes. The thread and its connection are made at the first call."""

    def __init__(self, url: URL):
        self._url = url
        self._lock = threading.Lock()
        self._wanted: set[str] = set()
        self._called = threading.Event()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def call(self, kind: str) -> None:
        """There is work of this kind, committed. Returns at once."""
        with self._lock:
            self._wanted.add(kind)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="calls", daemon=True)
                self._thread.start()
        self._called.set()

    def close(self) -> None:
        self._over.set()
        self._called.set()

    def _run(self) -> None:
        _kept_up(self._url, self._over, self._tell)

    def _tell(self, connection: Any) -> None:
        while self._called.wait() and not self._over.is_set():
            self._called.clear()
            with self._lock:
                kinds, self._wanted = self._wanted, set()
            for kind in kinds:
                connection.execute("SELECT pg_notify($1, $2)", (CHANNEL, kind))
            self._over.wait(PAUSE_SECONDS)


class Hearing:
    """A role beside the worker: `on_call` is told the kind of work that another process called, and None where
    calls may have been missed."""

    def __init__(self, url: URL, on_call: Callable[[str | None], object]):
        self._url = url
        self._on_call = on_call
        self._over = threading.Event()

    def start(self) -> None:
        threading.Thread(
            target=_kept_up, args=(self._url, self._over, self._hear), name="hearing", daemon=True
        ).start()

    def stop(self) -> None:
        self._over.set()

    def _hear(self, connection: Any) -> None:
        connection.execute(f"LISTEN {CHANNEL}")
        self._on_call(None)
        while not self._over.is_set():
            for call in connection.notifies(timeout=HEAR_SECONDS):
                self._on_call(call.payload)
            follow_told(lambda: int(connection.execute(ASKED).fetchone()[0]))


def _kept_up(url: URL, over: threading.Event, work: Callable[[Any], None]) -> None:
    """`work` with a connection in autocommit, made anew where it is lost, until it is over."""
    import psycopg  # not for the memory of a hub on SQLite

    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    while not over.is_set():
        try:
            with psycopg.connect(address, autocommit=True, cursor_factory=psycopg.RawCursor) as connection:
                work(connection)
        except psycopg.Error as error:
            log.info("calls between processes: %s; tries again", type(error).__name__)
            least, most = AGAIN_SECONDS
            over.wait(least + random.random() * (most - least))  # noqa: S311 it spreads, it hides nothing
