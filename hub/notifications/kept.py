"""The events that were counted for a Subscription, without content: what `$events` and websockets tell of.

Rules: https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/OperationDefinition-backport-subscription-events.html
A row says which version of which resource; whether somebody may see that is asked when it is told. Rows go after
HUB_NOTICE_KEEP_DAYS.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select

from hub.notifications.events import Event
from hub.store.tables_subscriptions import subscription_event as table

LAST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Kept:
    """An event, and its number in its Subscription."""

    number: int
    event: Event


def keep(connection: Connection, counted: Iterable[tuple[str, int, Event]]) -> None:
    """(Subscription, number, event), in the transaction that gives the numbers."""
    rows = [{"subscription": name, "number": number, **event.payload()} for name, number, event in counted]
    if rows:
        connection.execute(insert(table), rows)


def between(connection: Connection, subscription: str, first: int, last: int, limit: int) -> list[Kept]:
    """Those from `first` to `last`, in order, at most `limit`."""
    which = (table.c.subscription == subscription, table.c.number >= first, table.c.number <= last)
    rows = connection.execute(select(table).where(*which).order_by(table.c.number).limit(limit))
    return [Kept(row.number, Event(row.topic, row.type, row.id, row.version, row.at)) for row in rows]


def newest(connection: Connection, subscriptions: Sequence[str]) -> Mapping[str, int]:
    """By Subscription the number of its last event that is kept; one without any is not there."""
    newest = func.max(table.c.number).label("newest")
    asked = select(table.c.subscription, newest).where(table.c.subscription.in_(subscriptions))
    rows = connection.execute(asked.group_by(table.c.subscription))
    return {row.subscription: row.newest for row in rows}


def forget(connection: Connection, before: int) -> int:
    """Events of before this moment (microseconds) go. Returns how many."""
    return connection.execute(delete(table).where(table.c.at < before)).rowcount
