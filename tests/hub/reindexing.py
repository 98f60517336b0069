"""Search parameters of a deployment in tests: a resource, a clock that leaps over waits, jobs done to their end."""

from datetime import timedelta
from itertools import count
from typing import Any

from sqlalchemy import delete, select

from hub import clock, reindex
from hub.reindex import Job, Reindex
from hub.store import parameters
from hub.store import tables as t
from hub.store.engine import Database
from tests.hub.asking import BASE, Api

URL = "https://plan.invalid/SearchParameter/nickname"
INDEXES = (t.index_token, t.index_date, t.index_number, t.index_string, t.index_reference)
LEAPS = count(1)  # one clock for all: a job that waits is due a leap later
NICKNAME = "Patient.name.where(use='nickname').given"


def later(leaps: int = 1) -> clock.Clock:
    """A leap is longer than any job waits, and short: row numbers have room for some decades (hub.store.rids)."""
    return lambda: clock.now() + leaps * timedelta(seconds=30)


def search_parameter(identity: str = "nickname", **parts: Any) -> dict[str, Any]:
    base = {
        "resourceType": "SearchParameter",
        "id": identity,
        "url": URL,
        "name": "nickname",
        "status": "active",
        "description": "What a member is called",
        "code": "nickname",
        "base": ["Patient"],
        "type": "string",
        "expression": NICKNAME,
    }
    return {name: value for name, value in (base | parts).items() if value is not None}


def called(name: str, **parts: Any) -> dict[str, Any]:
    return {"name": [{"use": "nickname", "given": [name]}], **parts}


def jobs(database: Database) -> list[Job]:
    with database.read() as connection:
        return reindex.listed(connection)


def work_of(database: Database, batch: int = 3) -> Reindex:
    """Each look at its clock is a leap after the one before, so that nothing waits."""
    return Reindex(database, BASE, lambda: later(next(LEAPS))(), batch)


def finish(database: Database, batch: int = 3) -> None:
    """Every job to its end, and this process knows."""
    work = work_of(database, batch)
    while work.step():
        pass
    parameters.look_again()


def rows(database: Database) -> dict[str, list[Any]]:
    """Everything in the search index."""
    with database.read() as connection:
        return {one.name: sorted(tuple(row) for row in connection.execute(select(one))) for one in INDEXES}


def states(hub: Api) -> list[str]:
    return [job.state for job in jobs(hub.database)]


def renewed(hub: Api) -> Api:
    """The same after the time in which a process looks."""
    parameters.look_again()
    return hub


def ready(hub: Api, **parts: Any) -> Api:
    hub.have(search_parameter(**parts))
    finish(hub.database)
    return hub


def sweep(database: Database) -> None:
    """No parameters of the deployment, and this process knows."""
    with database.write() as connection:
        connection.execute(delete(t.search_parameter))
    parameters.look_again()
    parameters.look(database)
