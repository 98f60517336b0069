"""An import, some lines at a time: each portion is one commit by the hub's one writer, with the place behind it
and the report of its refused lines, so that a job that is killed goes on where it was and does nothing twice.

Rules: docs/access.md: a line is written with what its client may do now, as far as the token could that asked. A
line that is refused costs itself: what is refused whole is tried again in halves.
Refuses (in the report): what a PUT of the line would be refused for; files that cannot be fetched.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NoReturn

from sqlalchemy import Connection

from hub import clock
from hub.access import Access
from hub.audit.recorder import Along, Recorder
from hub.bulk import files, jobs
from hub.bulk.arriving import Arrivals
from hub.bulk.exporting import AccessOf, narrowed
from hub.bulk.files import ERROR, INPUT, ONE_FILE, Files
from hub.bulk.jobs import Job
from hub.bulk.lines import Line, entry, lines, pieces
from hub.fhir import json
from hub.fhir.bundles import Entry
from hub.problems import Issue, Problem, outcome
from hub.store.engine import Database
from hub.transactions import Result, Transactions

OUTCOME = "OperationOutcome"
PIECE = 1 << 18
PORTION = 200  # lines in one commit
TRANSIENT = ("busy", "no-space", "exception")
CREATED, UPDATED, UNCHANGED, REFUSED = "created", "updated", "unchanged", "refused"
Counts = dict[str, dict[str, int]]  # by type


@dataclass(slots=True)
class Place:
    """How far an import is: `input` files are done, `piece` pieces of the next one, `at` bytes and `number` lines
    of the next piece."""

    input: int = 0
    piece: int = 0
    at: int = 0
    number: int = 0
    counts: Counts = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def done(self) -> int:
        """How many lines."""
        return sum(number for of in self.counts.values() for number in of.values())

    def behind(self, line: Line) -> "Place":
        counts = {kind: dict(of) for kind, of in self.counts.items()}
        return replace(self, at=line.end, number=line.number, counts=counts)

    def count(self, kind: str, what: str) -> None:
        of = self.counts.setdefault(kind, {})
        of[what] = of.get(what, 0) + 1


@dataclass(frozen=True, slots=True)
class Importing:
    """`transactions` are those for clients; `arrivals` bring the files."""

    database: Database
    access_of: AccessOf
    transactions: Transactions
    keep: int
    arrivals: Arrivals
    recorder: Recorder | None = None
    now: clock.Clock = clock.now

    def step(self, job: Job) -> Job | None:
        """A portion further; None when it is done. Raises jobs.Lost, jobs.Elsewhere, jobs.Later, Problem."""
        place = Place(**job.position)
        inputs: Sequence[Mapping[str, Any]] = job.asked["inputs"]
        if place.input >= len(inputs):
            self._end(job, place)
            return None
        with self.database.read() as connection:
            stored = [file for file in files.listed(connection, job.id) if file.kind == INPUT]
            of = next((file for file in stored if file.type == str(place.input)), None)
            piece = files.part(connection, job.id, of.number, place.piece) if of else None
        if of is None:
            self._fetch(job, place, str(inputs[place.input]["url"]))
        if piece is None:
            return self._advanced(job, replace(place, input=place.input + 1, piece=0, at=0, number=0))
        return self._portion(job, place, piece)

    def _fetch(self, job: Job, place: Place, url: str) -> NoReturn:
        """Raises jobs.Elsewhere or jobs.Later."""

        def given_up(connection: Connection, why: str) -> None:
            told = outcome([Issue("processing", f"Input {place.input + 1} was not fetched: {why}")])
            place.count(OUTCOME, REFUSED)
            self._said(connection, job, replace(place, input=place.input + 1), [told])

        self.arrivals.begin(job, place.input, url, given_up)

    def _portion(self, job: Job, place: Place, piece: bytes) -> Job:
        found: list[Line] = []
        for line in lines(piece, place.at, place.number):
            found.append(line)
            if len(found) == PORTION:
                break
        if not found:
            return self._advanced(job, replace(place, piece=place.piece + 1, at=0))
        return replace(job, position=self._done(job, self._access(job), place, found).as_json())

    def _done(self, job: Job, access: Access, place: Place, found: Sequence[Line]) -> Place:
        """The place behind what was done: in one commit, or in several where something is refused."""
        try:
            return self._committed(job, access, place, found)
        except Problem as problem:
            if problem.kind in TRANSIENT:
                raise
            if len(found) == 1:
                return self._refused(job, place, found[0], problem)
        middle = len(found) // 2
        half = self._done(job, access, place, found[:middle])
        return self._done(job, access, half, found[middle:])

    def _committed(self, job: Job, access: Access, place: Place, found: Sequence[Line]) -> Place:
        entries = [entry(line, number) for number, line in enumerate(found)]
        began = clock.micros(self.now())
        behind = place.behind(found[-1])

        def inside(connection: Connection) -> None:
            behind.counts = _counted(place.counts, entries, told.results, began)
            self._said(connection, job, behind, [])

        told = _Told(self.recorder.along_own(entries, access) if self.recorder else None)
        self.transactions.commit(entries, access, inside, many=True, audit=told)
        return behind

    def _refused(self, job: Job, place: Place, line: Line, problem: Problem) -> Place:
        behind = place.behind(line)
        behind.count(OUTCOME, REFUSED)
        report = outcome(_issue(line, issue) for issue in problem.issues)
        self.database.writing(lambda connection: self._said(connection, job, behind, [report]))
        return behind

    def _advanced(self, job: Job, place: Place, report: Sequence[dict[str, Any]] = ()) -> Job:
        self.database.writing(lambda connection: self._said(connection, job, place, report))
        return replace(job, position=place.as_json())

    def _said(self, connection: Connection, job: Job, place: Place, report: Sequence[dict[str, Any]]) -> None:
        """The place and what was refused before it, in the transaction of what was done."""
        if report:
            content = b"".join(json.write(each) + b"\n" for each in report)
            Files(connection, job.id, ONE_FILE).add(ERROR, OUTCOME, content, len(report))
        jobs.advance(connection, job, place.as_json(), place.done, clock.micros(self.now()))

    def _end(self, job: Job, place: Place) -> None:
        """The lines go: what they said is stored, or refused."""
        now = clock.micros(self.now())

        def ended(connection: Connection) -> None:
            files.forget(connection, job.id, INPUT)
            jobs.end(connection, job, jobs.DONE, now, now + self.keep)

        self.database.writing(ended)

    def _access(self, job: Job) -> Access:
        access = self.access_of(job.client)
        if access is None:
            raise Problem("forbidden", "The client is not active any more")
        granted = frozenset((kind, letter) for kind, letter in job.asked["grants"])
        narrow = bool(job.asked.get("narrow", True))
        return narrowed(replace(access, grants=access.grants & granted, narrow=narrow), job.asked["narrowed"])


class _Told:
    """The results of a commit, for what is written in the same transaction; and its records, as `along` has
    them."""

    def __init__(self, along: Along | None):
        self._along = along
        self.results: Sequence[Result] = ()

    def __call__(self, connection: Connection, results: Sequence[Result], batch: Any) -> list[tuple[int, bytes]]:
        self.results = list(results)
        return self._along(connection, results, batch) if self._along else []


def _counted(before: Counts, entries: Sequence[Entry], results: Sequence[Result], began: int) -> Counts:
    """What became of these lines besides what was before; an update that changes nothing made no version since."""
    place = Place(counts={kind: dict(of) for kind, of in before.items()})
    for one, result in zip(entries, results, strict=True):
        is_new = result.stored is not None and result.stored.last_updated >= began
        place.count(one.type, CREATED if result.status == 201 else UPDATED if is_new else UNCHANGED)
    return place.counts


def _issue(line: Line, issue: Issue) -> Issue:
    """Where it is wrong is told as if the line had been sent alone."""
    where = issue.where.removeprefix("Bundle.entry[0]").removeprefix(".resource").removeprefix(".")
    return replace(issue, message=f"Line {line.number}: {issue.message}", where=where)


def keep_input(connection: Connection, job: str, number: int, body: bytes) -> None:
    """The lines of an input, durable before they are believed."""
    kept = Files(connection, job, ONE_FILE)
    for piece in pieces(body, PIECE):
        kept.add(INPUT, str(number), piece, 0)
