"""The doors of bulk jobs: how far one is, its files, its end.

Rules: https://hl7.org/fhir/uv/bulkdata/STU2/export.html#bulk-data-status-request (202 with X-Progress and
Retry-After, 200 with the manifest, 429, DELETE), #file-request (NDJSON, Expires). Each portion of a file is
recorded with whose data it tells of before it leaves; the client is looked at again meanwhile.
Refuses: other clients' jobs and files that are not there (404), asking too often (429). A download is refused when
its client may see other things than at its beginning, and at a fault; where a part of it has left already it breaks
off, with a line that is no JSON (hub.rest.streamed).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection

from hub.access import Access
from hub.audit.recorder import Recording
from hub.bulk import downloading, files, jobs
from hub.bulk.desk import Desk
from hub.bulk.exporting import narrowed
from hub.bulk.files import DELETED, ERROR, OUTPUT, File
from hub.bulk.jobs import Job
from hub.bulk.manifest import NOTES, lines, manifest, notes, report
from hub.bulk.wanted import Wanted
from hub.fhir import json
from hub.problems import Problem
from hub.rest.asked import http_date
from hub.rest.doors import Beside, Headers, Reply
from hub.store.read import Stored

NDJSON, JSON = "application/fhir+ndjson", "application/json"
# no JSON, on purpose: it has no end
BROKEN_OFF = (
    b'{"resourceType":"OperationOutcome","issue":[{"severity":"fatal","code":"incomplete",'
    b'"diagnostics":"The file breaks off here: fetch it again"'
)
# by the state of its job which files can be fetched: of an import that was given up, what was refused before
THERE: dict[str, tuple[str, ...]] = {
    jobs.WAITING: (),
    jobs.DONE: (OUTPUT, DELETED, ERROR),
    jobs.FAILED: (ERROR,),
}
Stream = Callable[[Recording | None], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Jobs:
    desk: Desk

    def may_ask(self, access: Access, headers: Headers, **where: Any) -> None:
        """Whose the job is, is asked by who serves it."""

    def status(self, access: Access, headers: Headers, body: bytes, job: str) -> Reply:
        """Raises Problem."""
        found = self.desk.asked(access, job)
        if found.state == jobs.WAITING:
            told = (
                ("X-Progress", f"{found.counted} resources so far"),
                ("Retry-After", str(self.desk.wait(found))),
            )
            return Reply(202, JSON, b"", headers=told)
        place = self.desk.place(found.id)
        if found.kind == jobs.IMPORT:
            made = report(found, self.desk.files(found), place)
        else:
            made = manifest(Wanted.of(found.asked), self.desk.told(access, found), place)
        return Reply(200, JSON, json.write(made), headers=(_expires(found),))

    def end(self, access: Access, headers: Headers, body: bytes, job: str) -> Reply:
        """Raises Problem."""
        self.desk.end(access, job)
        return Reply(202, JSON, b"")

    def file(self, access: Access, headers: Headers, body: bytes, job: str, number: int) -> Reply:
        """Raises Problem."""
        found = self.desk.job(access, job)
        file = next((each for each in self.desk.files(found) if each.number == number), None)
        if number == NOTES and (about := self._notes(access, found)):
            return Reply(200, NDJSON, lines(about), headers=(_expires(found),))
        if file is None or file.kind not in THERE[found.state]:
            raise Problem("not-found", "There is no such file")
        stream: Stream = Download(self.desk, access, found, file).pieces
        if file.kind == ERROR:
            stream = partial(self._report, found, file)
        return Reply(200, NDJSON, b"", headers=(_expires(found),), stream=stream, broken_off=BROKEN_OFF)

    def _notes(self, access: Access, job: Job) -> list[dict[str, Any]]:
        if job.kind != jobs.EXPORT or job.state != jobs.DONE:
            return []
        return notes(Wanted.of(job.asked), self.desk.told(access, job))

    def _report(self, job: Job, file: File, _: Recording | None) -> Iterator[bytes]:
        """The lines as they were written: they tell of no patient."""
        for number in range(file.parts):
            with self.desk.database.read() as connection:
                part = files.part(connection, job.id, file.number, number) or b""
            yield part  # at the client's pace


@dataclass(frozen=True, slots=True)
class Download:
    desk: Desk
    access: Access
    job: Job
    file: File

    def pieces(self, recording: Recording | None) -> Iterator[bytes]:
        """Line after line, as far as the client may see them at that moment. Raises Problem."""
        wanted = Wanted.of(self.job.asked)
        access, before = narrowed(self.access, wanted.narrowed), self.desk.access_of(self.access.who)
        for number in range(self.file.parts):
            self.desk.keep(self.job)
            for chosen in downloading.portions(self._chosen(number)):
                if before is None or self.desk.access_of(self.access.who) != before:
                    raise Problem("forbidden", "The client may see other things than before")
                released, piece = self._read(access, wanted, chosen)
                if recording is not None and released:
                    recording.finish(200, released)
                if piece:
                    yield piece

    def _chosen(self, number: int) -> files.Chosen:
        with self.desk.database.read() as connection:
            content = files.part(connection, self.job.id, self.file.number, number)
        if content is None:
            raise Problem("not-found", "The file is gone")
        return files.unpacked(content)

    def _read(self, access: Access, wanted: Wanted, chosen: files.Chosen) -> tuple[list[Stored], bytes]:
        def read(connection: Connection) -> tuple[list[Stored], bytes]:
            if self.file.kind == DELETED:
                return downloading.deletions(connection, access, chosen)
            return downloading.resources(connection, access, wanted, chosen, self.desk.base)

        return self.desk.database.reading(read)


def _expires(job: Job) -> tuple[str, str]:
    return "Expires", http_date(job.expires // 1_000_000)


def doors(desk: Desk) -> list[Beside]:
    """Below /fhir/bulk."""
    served = Jobs(desk)
    one = "/fhir/bulk/<job>"

    def door(path: str, serve: Callable[..., Reply], method: str) -> Beside:
        return Beside(path, "export", 1, served.may_ask, serve, method)

    return [
        door(one, served.status, "GET"),
        door(one, served.end, "DELETE"),
        door(f"{one}/<int:number>.ndjson", served.file, "GET"),
    ]
