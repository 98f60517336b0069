"""Two source persons of whom a person decides, or has decided, that they are two.

Rules: docs/identity.md "Review". A pair stands once, the lower number first.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.store.tables_identity import identity_pair as table

IN_REVIEW, HELD_APART = "review", "apart"


class Pair(NamedTuple):
    """`task` is the id of the Task that asks, empty until there is one."""

    low: int
    high: int
    state: str
    task: str
    event: int


def put(connection: Connection, one: int, other: int, state: str, event: int) -> bool:
    """Whether that is new. Who is held apart is not asked for again."""
    low, high = sorted((one, other))
    there = find(connection, one, other)
    if there is not None and (there.state == state or there.state == HELD_APART):
        return False
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    made: Any = dialect.insert(table).values(low=low, high=high, state=state, event=event, task="")
    changed = {"state": made.excluded.state, "event": made.excluded.event}
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


def remove(connection: Connection, pair: Pair) -> None:
    connection.execute(delete(table).where(table.c.low == pair.low, table.c.high == pair.high))


def held_apart(connection: Connection, person: int, others: Iterable[int]) -> set[int]:
    """Those of the others who are held apart from this one."""
    mine = or_(table.c.low == person, table.c.high == person)
    rows = connection.execute(select(table.c.low, table.c.high).where(mine, table.c.state == HELD_APART))
    return {each for row in rows for each in row} & set(others)
