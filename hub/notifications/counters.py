"""Who owns a Subscription, and how many events it has had: one row for each.

Rules: event numbers grow by one without a gap, from 1
(https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/notifications.html). The row of a deleted Subscription stays,
so that a number is never given twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from sqlalchemy import Connection, insert, update

from hub.store.engine import driver, mark
from hub.store.tables import subscription_counter as counter


@dataclass(frozen=True, slots=True)
class Count:
    """`owner` is the client whose secret signs and whose rights are asked."""

    owner: str
    events: int


def count_of(connection: Connection, subscription: str) -> Count | None:
    """None where no client owns it (yet)."""
    found = driver(connection).execute(_count(mark(connection)), (subscription,)).fetchone()
    return Count(*found) if found else None


@cache
def _count(mark: str) -> str:
    return f"SELECT owner, events FROM subscription_counter WHERE subscription = {mark}"


def own(connection: Connection, subscription: str, owner: str) -> None:
    """From now on this client owns it; events count on."""
    mine = update(counter).where(counter.c.subscription == subscription).values(owner=owner)
    if connection.execute(mine).rowcount == 0:
        connection.execute(insert(counter).values(subscription=subscription, owner=owner, events=0))


def next_numbers(connection: Connection, wanted: Mapping[str, int]) -> dict[str, int]:
    """The first of the numbers of so many next events of each, held until the transaction ends; of those that
    nobody owns none. In one order: two writers never wait for each other in a circle."""
    cursor, statement = driver(connection), _counted(mark(connection))
    rows = ((name, cursor.execute(statement, (wanted[name], name)).fetchone()) for name in sorted(wanted))
    return {name: row[0] - wanted[name] + 1 for name, row in rows if row}


@cache
def _counted(mark: str) -> str:
    return f"UPDATE subscription_counter SET events = events + {mark} WHERE subscription = {mark} RETURNING events"
