"""Indexing what is stored already: for a new search parameter, or for everything anew (`hub reindex all`), which
also says anew whose each resource is and who may see it (hub.anew).

A job is a row of `search_parameter`. One transaction does one batch: it locks the job's row (another worker passes
it by), locks the batch's resources, writes their rows, and moves the job's position. So a kill at any moment loses
nothing and does nothing twice, and writers wait for one batch at most.

The phases of a job:
- adding, once every process has had the time to learn of the parameter: each resource gets the rows it lacks.
  Writers index the parameter all the while.
- checking, once every write of that time has ended: what was changed since the job began is looked at again. Rows
  that stem from its earlier versions go, rows that it lacks come: a writer that knew nothing yet may have left
  some, and so may one whose single statement began before a batch was committed and ended after it.
- removing, for a definition that does not count any more: the rows of every version that was current while it did.
  Nobody can find them in the meantime, see hub.search.custom.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, or_, select, true, update

from hub import clock
from hub.anew import anew
from hub.fhir import json
from hub.inheriting import follow
from hub.problems import Problem
from hub.rights.labels import NO_PART2, Part2Sources
from hub.search.custom import INDEXING, READY, REMOVING, STOPPED, Definition
from hub.search.index import IndexRows, index_rows, rows_of_own
from hub.search.parameters import own
from hub.store import merges, write
from hub.store.batch import Batch
from hub.store.engine import Database
from hub.store.keyed import COLUMNS
from hub.store.parameters import ADDING, CHECKING, REMOVAL, SECOND, SETTLED, insert_job, known, look, look_again
from hub.store.tables import history, resource
from hub.store.tables import search_parameter as jobs

log = logging.getLogger("hub.reindex")
BATCH = 200
TURN_SECONDS = 0.5  # of a worker's chore, every second at most
PAUSE_SECONDS = 0.02  # between batches: others want to write, too
SKEW = 60 * SECOND  # between the clocks of nodes
EVERYTHING = Definition("all", "", "", "", "")
Rows = Callable[[dict[str, Any]], IndexRows]
Both = tuple[IndexRows, IndexRows]


@dataclass(frozen=True, slots=True)
class Job:
    """A row for people. `looked_at` counts the resources of the phase."""

    number: int
    url: str
    base: str
    code: str
    state: str
    phase: str
    looked_at: int
    due: int
    updated: int


@dataclass(frozen=True, slots=True)
class Reindex:
    """Does the jobs. `base` is the hub's own FHIR base URL, `part2` whose data is a Part 2 record; after `settled`
    microseconds every process knows."""

    database: Database
    base: str
    now: clock.Clock = clock.now
    batch: int = BATCH
    settled: int = SETTLED
    part2: Part2Sources = NO_PART2

    def turn(self, seconds: float = TURN_SECONDS) -> None:
        """Batches of what is due, for so long: a chore of the worker."""
        ends = time.monotonic() + seconds
        try:
            while self.step() and time.monotonic() < ends:
                time.sleep(PAUSE_SECONDS)
        except Problem as problem:
            log.warning("reindexing waits: %s", problem.kind)

    def step(self, number: int | None = None) -> bool:
        """One batch, or the end of a phase; of one job or of the first that is due. False: nothing to do now."""
        look(self.database)
        merges.look(self.database)
        with self.database.read() as connection:  # a look costs no lock
            if connection.execute(_first(self._micros(), number)).first() is None:
                return False
        return self.database.writing(lambda connection: self._step(connection, number))

    def _step(self, connection: Connection, number: int | None) -> bool:
        job = connection.execute(_first(self._micros(), number).with_for_update(skip_locked=True)).first()
        if job is None:
            return False
        found = _locked(connection, job, self.batch)
        if found:
            self._store(connection, job, found)
            last = max(row.rid for row in found)
            _change(connection, job, position=last, looked_at=job.looked_at + len(found), updated=self._micros())
        else:
            self._end(connection, job)
        return True

    def _store(self, connection: Connection, job: Any, found: Sequence[Any]) -> None:
        index = self._index(connection, job, found)
        if job.parameter:
            write.store(connection, Batch(index=index, merge=True))
            return
        made = anew(connection, found, self.base, self.part2)
        for rid, now in made.now.items():
            for rows, rights in zip(index[rid], (made.before[rid], now), strict=True):
                _join(rows, rights)
        write.store(connection, Batch(index=index, merge=True, facts=made.facts))
        followed = follow(connection, made.changed)
        write.store(connection, Batch(index=followed.index, merge=True, facts=followed.facts))

    def _end(self, connection: Connection, job: Any) -> None:
        """The phase has dealt with everything."""
        now = self._micros()
        if job.phase == ADDING:
            _change(connection, job, phase=CHECKING, position=0, looked_at=0, due=now + self.settled, updated=now)
        elif job.phase == CHECKING:
            _change(connection, job, state=READY, updated=now)
        else:
            connection.execute(delete(jobs).where(jobs.c.number == job.number))
        look_again()

    def _index(self, connection: Connection, job: Any, found: Sequence[Any]) -> dict[int, Both]:
        rows_of = self._rows(job)
        bodies = {row.rid: [row.body] if job.phase == REMOVAL else [] for row in found}
        if job.phase != ADDING:
            for rid, body in connection.execute(_earlier(bodies, job.started - SKEW)):
                bodies[rid].append(body)
        return {row.rid: self._one(row, bodies[row.rid], rows_of, job.phase) for row in found}

    def _one(self, row: Any, bodies: Iterable[bytes | None], rows_of: Rows, phase: str) -> Both:
        """What a resource may have and must not, and what it must have."""
        content = json.stored(row.body) if row.body is not None else None
        wanted = rows_of(content) if content is not None and phase != REMOVAL else IndexRows()
        stale = IndexRows()
        for body in bodies:
            if body is not None:
                _join(stale, rows_of(json.stored(body)))
        if stale.edges and content is not None:  # parameters share them
            stale.edges -= index_rows(content, self.base).edges
        return _without(stale, wanted), wanted

    def _rows(self, job: Any) -> Rows:
        if not job.parameter:
            return lambda content: index_rows(content, self.base)
        parameter = own(known(job))
        return lambda content: rows_of_own(content, parameter, self.base)

    def _micros(self) -> int:
        return clock.micros(self.now())


def again(connection: Connection, rids: Sequence[int], base: str, part2: Part2Sources) -> None:
    """Decide anew whose these few are, and who may see them, in the caller's transaction: for resources that
    say what they said, of somebody who is somebody else now (hub.identity)."""
    found = select(*COLUMNS).where(resource.c.rid.in_(list(rids))).order_by(resource.c.type, resource.c.id)
    rows = list(connection.execute(found.with_for_update()))
    made = anew(connection, rows, base, part2)
    index = {rid: (_without(made.before[rid], now), now) for rid, now in made.now.items()}
    write.store(connection, Batch(index=index, merge=True, facts=made.facts))
    followed = follow(connection, made.changed)
    write.store(connection, Batch(index=followed.index, merge=True, facts=followed.facts))


def _first(now: int, number: int | None) -> Any:
    due = (
        select(jobs)
        .where(jobs.c.state.in_((INDEXING, REMOVING)), jobs.c.due <= now)
        .order_by(jobs.c.number)
        .limit(1)
    )
    return due if number is None else due.where(jobs.c.number == number)


def _change(connection: Connection, job: Any, **values: Any) -> None:
    connection.execute(update(jobs).where(jobs.c.number == job.number).values(values))


def _locked(connection: Connection, job: Any, limit: int) -> list[Any]:
    """The next resources of a phase, locked in the order in which writers lock theirs (hub.store.write.held)."""
    which = [resource.c.rid > job.position, _PHASES[job.phase](job)]
    if job.base:
        which.append(resource.c.type == job.base)
    rids = (
        connection.execute(select(resource.c.rid).where(*which).order_by(resource.c.rid).limit(limit))
        .scalars()
        .all()
    )
    if not rids:
        return []
    found = select(*COLUMNS).where(resource.c.rid.in_(rids)).order_by(resource.c.type, resource.c.id)
    return list(connection.execute(found.with_for_update()))


_PHASES: Mapping[str, Callable[[Any], ColumnElement[bool]]] = {
    # whose it was is asked of what is deleted, too
    ADDING: lambda job: resource.c.deleted.is_(False) if job.parameter else true(),
    CHECKING: lambda job: resource.c.last_updated >= job.started - SKEW,
    REMOVAL: lambda job: true(),
}


def _earlier(rids: Iterable[int], since: int) -> Any:
    """The earlier versions that were current at some time since then."""
    older = history.alias()
    last = select(func.max(older.c.version)).where(older.c.rid == history.c.rid, older.c.last_updated < since)
    current_since = or_(history.c.last_updated >= since, history.c.version == last.scalar_subquery())
    return select(history.c.rid, history.c.body).where(history.c.rid.in_(list(rids)), current_since)


_PARTS = tuple(one.name for one in fields(IndexRows))


def _join(rows: IndexRows, more: IndexRows) -> None:
    for name in _PARTS:
        getattr(rows, name).update(getattr(more, name))


def _without(rows: IndexRows, others: IndexRows) -> IndexRows:
    return IndexRows(**{name: getattr(rows, name) - getattr(others, name) for name in _PARTS})


def listed(connection: Connection) -> list[Job]:
    """Every job, the oldest first."""
    rows = connection.execute(select(*(jobs.c[name] for name in Job.__slots__)).order_by(jobs.c.number))
    return [Job(*row) for row in rows]


def stop(connection: Connection, url: str, now: int) -> int:
    """Indexing waits until it is resumed; writers go on to index what they write. Returns how many jobs."""
    return _moved(connection, url, INDEXING, {"state": STOPPED, "updated": now})


def resume(connection: Connection, url: str, now: int) -> int:
    """Indexing goes on where it was. Returns how many jobs."""
    return _moved(connection, url, STOPPED, {"state": INDEXING, "updated": now})


def _moved(connection: Connection, url: str, state: str, values: Mapping[str, Any]) -> int:
    return connection.execute(
        update(jobs).where(jobs.c.url == url, jobs.c.state == state).values(**values)
    ).rowcount


def everything(connection: Connection, now: int) -> int:
    """The number of the job that indexes everything anew: the one that has not ended, or a new one."""
    mine = jobs.c.parameter == ""
    resume(connection, EVERYTHING.url, now)
    found = connection.execute(select(jobs.c.number).where(mine, jobs.c.state == INDEXING)).scalar()
    if found is not None:
        return int(found)
    connection.execute(delete(jobs).where(mine))
    number = insert_job(connection, now, "", EVERYTHING)
    look_again()
    return number


def size(connection: Connection) -> int:
    """How many resources there are."""
    counted = select(func.count()).select_from(resource).where(resource.c.deleted.is_(False))
    return int(connection.execute(counted).scalar_one())
