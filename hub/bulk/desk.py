"""Where clients ask: a job is begun, looked after and ended, by its own client alone.

Rules: https://hl7.org/fhir/uv/bulkdata/STU2/export.html: status, 429 for who asks again before Retry-After is over,
DELETE. Somebody else's job is not there (404).
Refuses: more jobs at once than a client may have, asking too often (`throttled`), jobs that failed.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from hub import clock
from hub.access import Access
from hub.bulk import files, jobs
from hub.bulk.counting import Told, as_of_now
from hub.bulk.exporting import AccessOf, narrowed
from hub.bulk.files import ERROR, File
from hub.bulk.importing import keep_input
from hub.bulk.jobs import Job
from hub.bulk.wanted import Wanted
from hub.problems import Problem
from hub.store import clocks, settled
from hub.store.engine import Database
from hub.store.turns import lock_words

SECOND = 1_000_000
SOON, LATER = 2, 10  # seconds until a client asks again: of a young job, and of an old one
YOUNG = 30 * SECOND
GRACE = SECOND // 4  # clocks and networks are not exact
FETCHED_WITHIN = 600 * SECOND  # a part of a file
LONGEST = 72 * 3600 * SECOND  # of a job that does not end


@dataclass(frozen=True, slots=True)
class Desk:
    """`base` is the FHIR base; `hosts` those from which imports may fetch; `most` how many jobs a client has under
    way at most; `margin` (microseconds) is above what somebody may take from the time stamp of what is written to
    the beginning of its transaction (hub.store.batch, AGE), and clocks may differ by (hub.clock, NEAR)."""

    database: Database
    access_of: AccessOf
    base: str
    most: int = 4
    hosts: Sequence[str] = ()
    margin: int = SECOND
    now: clock.Clock = clock.now

    def export(self, access: Access, wanted: Callable[[int], Wanted], members: set[int]) -> str:
        """Begin an export of what `wanted` says at the transactionTime; the job's URL. With PostgreSQL that moment
        is `margin` ago when it returns: whoever wrote until then has begun by now, and the job waits for them.
        Raises Problem."""
        self.database.reading(clocks.follow)
        now = self._micros()
        asked = wanted(now)
        if not self.database.is_sqlite:
            time.sleep(self.margin / SECOND)

        def begun(connection: Connection) -> str:
            self._check(connection, access)
            barrier = settled.mark(connection)
            made = jobs.create(
                connection, jobs.EXPORT, access.who, asked.as_json(), now, now + LONGEST, now, barrier
            )
            jobs.members(connection, made, members)
            return made

        return self.place(self.database.writing(begun))

    def imported(self, access: Access, urls: Sequence[str], body: bytes | None) -> str:
        """Begin an import of the files at these URLs, or of the lines that came along; the job's URL. Raises
        Problem."""
        inputs = [{"url": url} for url in urls] if body is None else [{"url": ""}]
        asked = {
            "inputs": inputs,
            "grants": sorted(access.grants),
            "narrowed": {kind: sorted(keys) for kind, keys in access.sight.narrowed.items()},
            "narrow": access.narrow,
            "request": f"{self.base}/$import",
        }

        def begun(connection: Connection) -> str:
            now = self._micros()
            self._check(connection, access)
            made = jobs.create(connection, jobs.IMPORT, access.who, asked, now, now + LONGEST)
            if body is not None:
                keep_input(connection, made, 0, body)
            return made

        return self.place(self.database.writing(begun))

    def _check(self, connection: Connection, access: Access) -> None:
        lock_words(connection, [f"bulk jobs of {access.who}"])  # two kick-offs at once count each other
        if jobs.unfinished(connection, access.who) >= self.most:
            headers = {"Retry-After": str(LATER)}
            raise Problem("throttled", f"At most {self.most} jobs of a client at once", headers=headers)

    def place(self, job: str) -> str:
        """Its URL."""
        return f"{self.base}/bulk/{job}"

    def job(self, access: Access, identity: str) -> Job:
        """Raises Problem(`not-found`)."""
        with self.database.read() as connection:
            found = jobs.find(connection, identity, access.who, self._micros())
        if found is None:
            raise Problem("not-found", "There is no such job")
        return found

    def asked(self, access: Access, identity: str) -> Job:
        """The same for who asks how far it is. Raises Problem, also where the job failed."""
        job, now = self.job(access, identity), self._micros()
        if job.state == jobs.FAILED:
            kind = "forbidden" if job.reason == "forbidden" else "exception"
            raise Problem(kind, f"The job was given up: {job.reason}{self._done_before(job)}")
        if job.state == jobs.WAITING:
            wait = _wait(job, job.polled)  # as it was told then
            if now < job.polled + wait * SECOND - GRACE:
                raise Problem("throttled", "Ask less often", headers={"Retry-After": str(wait)})
            self.database.writing(lambda connection: jobs.polled(connection, identity, now))
        return job

    def _done_before(self, job: Job) -> str:
        """What an import did stays done, and what it refused can be read."""
        if job.kind != jobs.IMPORT:
            return ""
        reports = [file.number for file in self.files(job) if file.kind == ERROR]
        told = [f"refused ones: {self.place(job.id)}/{number}.ndjson" for number in reports]
        return "; ".join(["", f"{job.counted} lines were done before", *told])

    def wait(self, job: Job) -> int:
        """After how many seconds a client may ask again."""
        return _wait(job, self._micros())

    def files(self, job: Job) -> list[File]:
        with self.database.read() as connection:
            return files.listed(connection, job.id)

    def told(self, access: Access, job: Job) -> list[Told]:
        """The files of an export as they would be downloaded now; without those that nothing is in."""
        wanted = Wanted.of(job.asked)
        return as_of_now(self.database, narrowed(access, wanted.narrowed), job.id, self.files(job))

    def keep(self, job: Job) -> None:
        """A file of it is being fetched: nobody takes it away meanwhile."""
        until = self._micros() + FETCHED_WITHIN
        if job.expires < until:
            self.database.writing(lambda connection: jobs.keep(connection, job.id, until))

    def end(self, access: Access, identity: str) -> None:
        """The client wants no more of it. Raises Problem."""
        job = self.job(access, identity)
        self.database.writing(lambda connection: jobs.remove(connection, job.id))

    def _micros(self) -> int:
        return clock.micros(self.now())


def _wait(job: Job, now: int) -> int:
    return SOON if now - job.created < YOUNG else LATER
