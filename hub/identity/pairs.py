"""Two source persons of whom a person decides, or has decided, that they are two.

Rules: docs/identity.md "Review". A pair stands once, the lower number first.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.store import source_persons
from hub.store.tables_identity import identity_pair as table

IN_REVIEW, HELD_APART = "review", "apart"


class Pair(NamedTuple):
    """`task` is the id of the Task that asks, empty until there is one; `agreed` who has said that they are one
    person, where a second one must agree."""

    low: int
    high: int
    state: str
    task: str
    event: int
    agreed: str


def put(connection: Connection, one: int, other: int, state: str, event: int) -> bool:
    """Whether that is new. Who is held apart is not asked for again."""
    low, high = sorted((one, other))
    there = find(connection, one, other)
    if there is not None and (there.state == state or there.state == HELD_APART):
        return False
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    made: Any = dialect.insert(table).values(low=low, high=high, state=state, event=event, task="")
    changed = {"state": made.excluded.state, "event": made.excluded.event, "agreed": ""}
    connection.execute(made.on_conflict_do_update(index_elements=["low", "high"], set_=changed))
    return True


def find(connection: Connection, one: int, other: int) -> Pair | None:
    low, high = sorted((one, other))
    row = connection.execute(select(table).where(table.c.low == low, table.c.high == high)).first()
    return Pair(*row) if row else None


def of_task(connection: Connection, task: str) -> Pair | None:
    row = connection.execute(select(table).where(table.c.task == task)).first() if task else None
    return Pair(*row) if row else None


def asked(connection: Connection, pair: Pair, task: str) -> None:
    which = (table.c.low == pair.low, table.c.high == pair.high)
    connection.execute(update(table).where(*which).values(task=task))


def agree(connection: Connection, pair: Pair, who: str) -> None:
    """The first of two persons has said that they are one."""
    which = (table.c.low == pair.low, table.c.high == pair.high)
    connection.execute(update(table).where(*which).values(agreed=who[:160]))


def remove(connection: Connection, pair: Pair) -> None:
    connection.execute(delete(table).where(table.c.low == pair.low, table.c.high == pair.high))


def all_held_apart(connection: Connection, person: int) -> set[int]:
    """Those who are held apart from this one."""
    return source_persons.held_apart(connection, person, HELD_APART)


def held_apart(connection: Connection, person: int, others: Iterable[int]) -> set[int]:
    """Those of the others who are held apart from this one."""
    return all_held_apart(connection, person) & set(others)
