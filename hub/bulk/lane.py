"""The worker's lane of bulk jobs: each job has its turn, a second or two at a time, so that a small one does not
wait for the end of a large one; and the chore that forgets what expired.

Refuses: nothing. A job that fails so often, or kills its worker so often without getting on, is given up: its
client is told, and a person finds it in the log.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from sqlalchemy import Connection

from hub import clock
from hub.bulk import files, jobs
from hub.bulk.files import ARRIVING, INPUT
from hub.bulk.jobs import Job
from hub.problems import Problem
from hub.store.engine import Database

log = logging.getLogger("hub.bulk")
TRIES = 6
TURN_SECONDS = 1.0
AGAIN_MICROS = 2_000_000
LATER_MICROS = 1_000_000
REFUSED = ("forbidden", "not-supported", "value", "processing")


class Kind(Protocol):
    """What does the jobs of a kind."""

    def step(self, job: Job) -> Job | None:
        """A piece further, written in one transaction; None when the job is ended. Raises jobs.Lost,
        jobs.Elsewhere, jobs.Later, Problem."""


@dataclass(frozen=True, slots=True)
class BulkLane:
    """`keep` is how long a job that failed is there for its client to ask."""

    database: Database
    kinds: Mapping[str, Kind]
    keep: int
    now: clock.Clock = clock.now
    seconds: float = TURN_SECONDS

    def bulk(self) -> bool:
        """A turn of one job; whether there was one."""
        with self.database.read() as connection:
            job = jobs.next_due(connection, self._micros())
        if job is None:
            return False
        found = job
        if not self.database.writing(lambda connection: jobs.claim(connection, found, self._micros())):
            return False
        try:
            self._turn(job)
        except jobs.Elsewhere:
            return True
        except jobs.Lost:
            log.info("a bulk job was taken over, or deleted")
        return True

    def _turn(self, job: Job) -> None:
        until = time.monotonic() + self.seconds
        last: Job | None = job
        if job.attempts >= TRIES:
            self._failed(job, "whoever began it died", True)
            return
        try:
            while last is not None:
                last = self.kinds[job.kind].step(last)
                if last is not None and time.monotonic() >= until:
                    self._let_go(last, 0, 0)
                    return
        except (jobs.Lost, jobs.Elsewhere):
            raise
        except jobs.Later:
            self._let_go(job, self._micros() + LATER_MICROS, job.attempts)
        except Problem as problem:
            self._failed(job, problem.kind, problem.kind in REFUSED)
        except Exception as error:
            self._failed(job, type(error).__name__, False)

    def _failed(self, job: Job, why: str, for_good: bool) -> None:
        log.error("bulk %s of %s: %s", job.kind, job.client, why)
        if for_good or job.attempts + 1 >= TRIES:
            self.database.writing(lambda connection: self._given_up(connection, job, why))
            return
        self._let_go(job, self._micros() + AGAIN_MICROS * 2**job.attempts, job.attempts + 1)

    def _given_up(self, connection: Connection, job: Job, why: str) -> None:
        """Lines that nobody will import any more go at once; the report of those that were refused stays."""
        now = self._micros()
        jobs.end(connection, job, jobs.FAILED, now, now + self.keep, why)
        for kind in (INPUT, ARRIVING):
            files.forget(connection, job.id, kind)

    def _let_go(self, job: Job, until: int, attempts: int) -> None:
        self.database.writing(lambda connection: jobs.let_go(connection, job, until, attempts))

    def forget(self, now: int) -> bool:
        """Jobs whose time is over go with their files."""
        with self.database.read() as connection:
            over = jobs.expired(connection, now)
        for identity in over:
            self.database.writing(partial(_removed, identity))
        return bool(over)

    def _micros(self) -> int:
        return clock.micros(self.now())


def _removed(identity: str, connection: Connection) -> None:
    jobs.remove(connection, identity)


def release(database: Database) -> None:
    """What a killed process of this node held is free again. Only where no other process can hold any: SQLite."""
    if database.is_sqlite:
        with database.write() as connection:
            jobs.release(connection)
