"""Who owns a Subscription, and how many events it has had: one row for each.

Rules: event numbers grow by one without a gap, from 1
(https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/notifications.html). The row of a deleted Subscription stays,
so that a number is never given twice.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from hub.store.tables import subscription_counter as counter


@dataclass(frozen=True, slots=True)
class Count:
    """`owner` is the client whose secret signs and whose rights are asked."""

    owner: str
    events: int


def count_of(connection: Connection, subscription: str) -> Count | None:
    """None where no client owns it (yet)."""
    found = connection.execute(select(counter).where(counter.c.subscription == subscription)).first()
    return Count(found.owner, found.events) if found else None


def own(connection: Connection, subscription: str, owner: str) -> None:
    """From now on this client owns it; events count on."""
    mine = update(counter).where(counter.c.subscription == subscription).values(owner=owner)
    if connection.execute(mine).rowcount == 0:
        connection.execute(insert(counter).values(subscription=subscription, owner=owner, events=0))


def next_number(connection: Connection, subscription: str) -> int | None:
    """The number of its next event, held until the transaction ends; None where nobody owns it."""
    following = update(counter).where(counter.c.subscription == subscription).values(events=counter.c.events + 1)
    found: int | None = connection.execute(following.returning(counter.c.events)).scalar_one_or_none()
    return found
