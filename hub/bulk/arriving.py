"""Files of imports on their way: each comes in by a thread of its own, a few at once and one of a client, so that a
slow host keeps no other job from its turn.

What came is kept with the job, piece by piece, as a file that is arriving; it is the import's input when all of it
is there. The thread holds the job meanwhile, and lets it go then. When its process is killed, its lease ends, and
who has the job next begins with the file anew.
Refuses: nothing. A file that cannot be fetched is asked for again later; after some tries the import is told why.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

from sqlalchemy import Connection

from hub import clock
from hub.bulk import files, jobs
from hub.bulk.fetching import CannotFetch, Fetch
from hub.bulk.files import ARRIVING, INPUT, ONE_FILE, Files
from hub.bulk.jobs import Job
from hub.problems import Problem
from hub.store.engine import Database

log = logging.getLogger("hub.bulk")
AT_ONCE = 4
TRIES = 4
AGAIN_MICROS = 2_000_000
LEASE = 120_000_000  # a piece comes within 34 s, or its host is too slow (hub.bulk.fetching)
Start = Callable[[Callable[[], None]], None]
Told = Callable[[Connection, str], None]  # why a file is given up, in the transaction that says so


def in_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="bulk-fetch", daemon=True).start()


@dataclass(slots=True)
class Arrivals:
    """One for a process."""

    database: Database
    fetch: Fetch
    now: clock.Clock = clock.now
    start: Start = in_thread
    _clients: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, job: Job, number: int, url: str, given_up: Told) -> NoReturn:
        """Fetch an input of a job. Raises jobs.Elsewhere: whoever fetches has the job now; jobs.Later while too
        many are fetched."""
        with self._lock:
            if len(self._clients) >= AT_ONCE or job.client in self._clients:
                raise jobs.Later
            self._clients.add(job.client)
        try:
            self.start(lambda: self._brought(job, number, url, given_up))
        except RuntimeError:  # no thread can be had
            self._over(job)
            raise
        raise jobs.Elsewhere

    def _brought(self, job: Job, number: int, url: str, given_up: Told) -> None:
        try:
            self._fetched(job, number, url, given_up)
        except jobs.Lost:
            log.info("a file was fetched for a bulk job that is over, or that somebody else has")
        except Exception as error:
            named = error.kind if isinstance(error, Problem) else type(error).__name__
            log.error("a file of a bulk job: %s", named)
        finally:
            self._over(job)

    def _over(self, job: Job) -> None:
        with self._lock:
            self._clients.discard(job.client)

    def _fetched(self, job: Job, number: int, url: str, given_up: Told) -> None:
        def kept(connection: Connection, piece: bytes | None) -> None:
            jobs.hold(connection, job, self._micros() + LEASE)
            if piece is None:
                files.forget(connection, job.id, ARRIVING)
            else:
                Files(connection, job.id, ONE_FILE).add(ARRIVING, str(number), piece, 0)

        def arrived(connection: Connection) -> None:
            files.rename(connection, job.id, ARRIVING, INPUT)
            jobs.let_go(connection, job, 0, 0)

        self.database.writing(lambda connection: kept(connection, None))
        try:
            for piece in self.fetch(url):
                self.database.writing(lambda connection, piece=piece: kept(connection, piece))  # type: ignore[misc]
        except CannotFetch as why:
            self._failed(job, str(why), given_up)
            return
        self.database.writing(arrived)

    def _failed(self, job: Job, why: str, given_up: Told) -> None:
        """Once more later, or never."""

        def ended(connection: Connection) -> None:
            files.forget(connection, job.id, ARRIVING)
            if job.attempts + 1 < TRIES:
                jobs.let_go(connection, job, self._micros() + AGAIN_MICROS * 2**job.attempts, job.attempts + 1)
                return
            given_up(connection, why)
            jobs.let_go(connection, job, 0, 0)

        self.database.writing(ended)

    def _micros(self) -> int:
        return clock.micros(self.now())
