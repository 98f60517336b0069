"""An export, window by window: which resources are in it, and there for its client, is written down as the files
that a client downloads later.

Rules: https://hl7.org/fhir/uv/bulkdata/STU2/export.html. The client is asked for anew with each window, and
narrowed to what the token that asked could see: a client that was disabled gets nothing more. A window is one
transaction: its pieces of files and the place where it ended.
Refuses: to go on for a client that is there no more (Problem `forbidden`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from hub import clock
from hub.access import Access
from hub.bulk import files, jobs
from hub.bulk.files import DELETED, OUTPUT, Files
from hub.bulk.filtering import answering
from hub.bulk.jobs import Job
from hub.bulk.wanted import CHANGED, LISTED, OF_MEMBERS, OF_SEVERAL, Walk, Wanted, walks
from hub.problems import Problem
from hub.search.query import Limits
from hub.store import chosen
from hub.store.chosen import Brief
from hub.store.engine import Database

NOTHING = frozenset((0,))  # keys that no resource has
BUNDLE = "Bundle"  # what a file of deletions holds
AccessOf = Callable[[str], Access | None]


@dataclass(frozen=True, slots=True)
class Exporting:
    """`access_of` says what a client may see by itself, now. `window` is how many resources are looked at in one
    transaction, `file` how many a file holds, about; `keep` is how long a finished job's files are there."""

    database: Database
    access_of: AccessOf
    limits: Limits
    keep: int
    window: int = chosen.AT_ONCE
    file: int = 5_000
    now: clock.Clock = clock.now

    def step(self, job: Job) -> Job | None:
        """One window further; None when it is done. Raises jobs.Lost, Problem."""
        wanted = Wanted.of(job.asked)
        walk = _walk(wanted, job.position)
        if walk is None:
            self._end(job)
            return None
        with self.database.read() as connection:
            access = self._access(job, wanted)
            found, position = self._found(connection, job, wanted, walk, access)
        counted = job.counted + sum(len(rows) for (kind, _), rows in found.items() if kind == OUTPUT)

        def written(connection: Connection) -> None:
            kept = Files(connection, job.id, self.file)
            for (kind, of), rows in found.items():
                kept.add(kind, of, files.packed([(row.rid, row.version) for row in rows]), len(rows))
            jobs.advance(connection, job, position, counted, clock.micros(self.now()))

        self.database.writing(written)
        return replace(job, position=position, counted=counted)

    def _end(self, job: Job) -> None:
        now = clock.micros(self.now())
        self.database.writing(lambda connection: jobs.end(connection, job, jobs.DONE, now, now + self.keep))

    def _found(
        self, connection: Connection, job: Job, wanted: Wanted, walk: Walk, access: Access
    ) -> tuple[dict[tuple[str, str], list[Brief]], Mapping[str, Any]]:
        """What the next window adds to the files, by kind and type, and the place behind it."""
        rids, place = self._window(connection, job, wanted, walk)
        rows = [row for row in chosen.briefs(connection, access.sight, rids) if _is_in(wanted, access, walk, row)]
        found: dict[tuple[str, str], list[Brief]] = {}
        for kind, rows_of in _by_type(row for row in rows if not row.deleted).items():
            if left := answering(connection, access, kind, wanted.filters.get(kind, ()), rows_of, self.limits):
                found[OUTPUT, kind] = left
        gone = [row for row in rows if row.deleted]
        if gone and wanted.since is not None:
            found[DELETED, BUNDLE] = gone
        walked = int(job.position.get("walk", 0))
        return found, {"walk": walked, "after": place} if place else {"walk": walked + 1}

    def _access(self, job: Job, wanted: Wanted) -> Access:
        access = self.access_of(job.client)
        if access is None:
            raise Problem("forbidden", "The client is not active any more")
        return narrowed(access, wanted.narrowed)

    def _window(
        self, connection: Connection, job: Job, wanted: Wanted, walk: Walk
    ) -> tuple[list[int], Sequence[Any]]:
        after = job.position.get("after") or walk.after
        if walk.way == CHANGED:
            return chosen.changed(connection, walk.type, after, wanted.last, self.window)
        if walk.way == LISTED:
            return list(wanted.listed), ()
        through = {OF_MEMBERS: chosen.of_members, OF_SEVERAL: chosen.of_several}[walk.way]
        return through(connection, job.id, after, self.window)


def narrowed(access: Access, by: Mapping[str, Sequence[int]]) -> Access:
    """What a client may see, as far as the token could that asked for the job: `by` is the `narrowed` of its sight.
    Where both are narrowed, what both name is left."""
    if not by:
        return access
    found = dict(access.sight.narrowed)
    for kind, keys in by.items():
        found[kind] = (found.get(kind, frozenset(keys)) & frozenset(keys)) or NOTHING
    return replace(access, sight=replace(access.sight, narrowed=found))


def may_have(access: Access, kind: str) -> bool:
    """Whether resources of a type are exported to a client: it must be allowed to read and to search them."""
    return access.may("read", kind) and access.may("search-type", kind)


def _walk(wanted: Wanted, position: Mapping[str, Any]) -> Walk | None:
    every = list(walks(wanted))
    number = int(position.get("walk", 0))
    return every[number] if number < len(every) else None


def _is_in(wanted: Wanted, access: Access, walk: Walk, row: Brief) -> bool:
    if row.type not in wanted.types or not may_have(access, row.type):
        return False
    return walk.way == LISTED or wanted.has(row.type, row.patient, row.last_updated)


def _by_type(rows: Iterator[Brief]) -> dict[str, list[Brief]]:
    found: dict[str, list[Brief]] = {}
    for row in rows:
        found.setdefault(row.type, []).append(row)
    return found
