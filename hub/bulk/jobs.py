"""Jobs: what was asked, how far it is, who works at it. One row each, from the request until it expires.

Rules: https://hl7.org/fhir/uv/bulkdata/STU2/export.html. A claim is a lease, its number the fence: a worker whose
lease ended while it slept writes nothing any more (Lost, and its transaction is undone). What a killed worker did
is done up to its last commit; the next one goes on from there.
Every function works in its caller's transaction. Times are microseconds since 1970, UTC.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from hub.fhir import json
from hub.store import settled
from hub.store.tables_bulk import bulk_file, bulk_job, bulk_member, bulk_part

EXPORT, IMPORT = "export", "import"
WAITING, DONE, FAILED = "waiting", "done", "failed"
LEASE = 30_000_000
TABLES = (bulk_member, bulk_part, bulk_file, bulk_job)
REASON_LENGTH = 250


class Lost(Exception):
    """Somebody else has the job, or it is gone."""


class Elsewhere(Exception):
    """Another thread of this process goes on with the job, and lets it go."""


class Later(Exception):
    """The job must wait for others."""


@dataclass(frozen=True, slots=True)
class Job:
    """A row. `asked` and `position` are JSON objects; what they hold, the kind's own module says."""

    id: str
    kind: str
    client: str
    state: str
    asked: Mapping[str, Any]
    position: Mapping[str, Any]
    counted: int
    created: int
    due: int
    barrier: int
    expires: int
    lease: int
    fence: int
    attempts: int
    polled: int
    reason: str | None


_COLUMNS = [bulk_job.c[name] for name in Job.__slots__]


def _job(row: Any) -> Job:
    values = dict(row._mapping)
    return Job(**{**values, "asked": _read(values["asked"]), "position": _read(values["position"])})


def _read(text: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.stored(text.encode())
    return found


def _written(value: Mapping[str, Any]) -> str:
    return json.write(dict(value)).decode()


def create(
    connection: Connection,
    kind: str,
    client: str,
    asked: Mapping[str, Any],
    now: int,
    expires: int,
    due: int = 0,
    barrier: int = 0,
) -> str:
    """The id of a new job: a secret, because it stands in a URL."""
    identity = secrets.token_urlsafe(24)
    row = {"id": identity, "kind": kind, "client": client, "state": WAITING, "asked": _written(asked)}
    times = {"created": now, "due": due, "barrier": barrier, "expires": expires}
    connection.execute(insert(bulk_job).values(**row, **times, position="{}"))
    return identity


def members(connection: Connection, job: str, patients: set[int]) -> None:
    """The patients that an export is about."""
    if patients:
        connection.execute(insert(bulk_member), [{"job": job, "patient": each} for each in sorted(patients)])


def unfinished(connection: Connection, client: str) -> int:
    """How many jobs of a client are under way."""
    asked = select(func.count()).select_from(bulk_job)
    return int(
        connection.execute(asked.where(bulk_job.c.client == client, bulk_job.c.state == WAITING)).scalar_one()
    )


def find(connection: Connection, identity: str, client: str, now: int) -> Job | None:
    """A client's own job, until it expires."""
    mine = (bulk_job.c.id == identity, bulk_job.c.client == client, bulk_job.c.expires > now)
    row = connection.execute(select(*_COLUMNS).where(*mine)).first()
    return _job(row) if row else None


def next_due(connection: Connection, now: int) -> Job | None:
    """The job whose turn it is, if nobody has it. It may be claimed by somebody else meanwhile. One that waits for
    what was being written when it was asked for holds up no other."""
    free = (bulk_job.c.state == WAITING, bulk_job.c.due <= now, bulk_job.c.lease <= now)
    ready = settled.is_past(connection, bulk_job.c.barrier)
    row = connection.execute(select(*_COLUMNS).where(*free, ready).order_by(bulk_job.c.turned).limit(1)).first()
    return _job(row) if row else None


def claim(connection: Connection, job: Job, now: int) -> bool:
    """Take it; False where somebody else came first."""
    same = (bulk_job.c.id == job.id, bulk_job.c.fence == job.fence, bulk_job.c.state == WAITING)
    taken = {"lease": now + LEASE, "fence": job.fence + 1, "attempts": job.attempts + 1, "turned": now}
    return connection.execute(update(bulk_job).where(*same).values(taken)).rowcount == 1


def advance(connection: Connection, job: Job, position: Mapping[str, Any], counted: int, now: int) -> None:
    """The place up to which all is written, in the transaction that writes it; the lease is renewed, and
    who died at it before is forgotten. Raises Lost."""
    _mine(connection, job, position=_written(position), counted=counted, lease=now + LEASE, attempts=0)


def hold(connection: Connection, job: Job, until: int) -> None:
    """Nobody else takes it before this time: what is done next takes long. Raises Lost."""
    _mine(connection, job, lease=until)


def let_go(connection: Connection, job: Job, until: int, attempts: int) -> None:
    """It is free again at this time. Raises Lost."""
    _mine(connection, job, lease=until, attempts=attempts)


def end(connection: Connection, job: Job, state: str, now: int, expires: int, reason: str = "") -> None:
    """It is done, or failed. Raises Lost."""
    told = reason[:REASON_LENGTH] or None
    _mine(connection, job, state=state, ended=now, expires=expires, reason=told, lease=0)


def _mine(connection: Connection, job: Job, **values: Any) -> None:
    """`job` is as it was when it was found; the claim made its fence one more."""
    same = (bulk_job.c.id == job.id, bulk_job.c.fence == job.fence + 1, bulk_job.c.state == WAITING)
    if connection.execute(update(bulk_job).where(*same).values(values)).rowcount != 1:
        raise Lost


def polled(connection: Connection, identity: str, now: int) -> None:
    connection.execute(update(bulk_job).where(bulk_job.c.id == identity).values(polled=now))


def keep(connection: Connection, identity: str, until: int) -> None:
    """It does not expire before this time."""
    same = (bulk_job.c.id == identity, bulk_job.c.expires < until)
    connection.execute(update(bulk_job).where(*same).values(expires=until))


def release(connection: Connection) -> None:
    """Make all jobs free: for the start of a hub that is the only one on its database."""
    connection.execute(update(bulk_job).where(bulk_job.c.lease > 0).values(lease=0))


def remove(connection: Connection, identity: str) -> None:
    """The job and its files. A worker that has it in hand finds that it is gone."""
    for table in TABLES:
        column = table.c.id if table is bulk_job else table.c.job
        connection.execute(delete(table).where(column == identity))


def expired(connection: Connection, now: int, limit: int = 20) -> list[str]:
    rows = connection.execute(select(bulk_job.c.id).where(bulk_job.c.expires <= now).limit(limit))
    return list(rows.scalars())
