"""Heartbeats: whoever wants to hear from the hub now and then is told that it is there.

Rules: http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-heartbeat-period (seconds):
nothing reached the receiver for so long, and nothing waits for it. One row of work for each period, whoever adds it
first: on PostgreSQL several workers look at the same second. What fails is not tried again. Websockets have theirs
from the socket itself (hub.notifications.sockets).
"""

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Connection, select

from hub import outbox
from hub.notifications import active
from hub.notifications.events import HEARTBEAT, NOTICE
from hub.notifications.subscriptions import WEBSOCKET, Subscription
from hub.store.engine import Database
from hub.store.tables import outbox as work
from hub.store.tables import subscription_counter as counter

CHUNK = 500  # names a statement
Row = dict[str, object]


def beat(database: Database, base: str, now: int) -> bool:
    """Add the heartbeats that are due. Whether there are any."""
    with database.read() as connection:
        wanted = [one for one in active.with_heartbeat(connection, base) if one.channel != WEBSOCKET]
        if not wanted:
            return False
        reached, busy = _reached(connection, wanted), _busy(connection, wanted)
        due = [one for one in wanted if one.id not in busy and is_due(one, reached.get(one.id), now)]
        rows = _not_there(connection, [_row(one, now) for one in due])
    return bool(rows) and database.writing(lambda connection: outbox.add_new(connection, rows)) > 0


def is_due(asked: Subscription, reached: int | None, now: int) -> bool:
    """Whether the period has passed since something reached the receiver. Pure."""
    return reached is not None and not asked.ended(now) and now - reached >= asked.heartbeat * outbox.SECOND


def _row(asked: Subscription, now: int) -> Row:
    """The key names the period's length, too: a Subscription that asks for another one has other periods."""
    key = f"{asked.id}|{asked.heartbeat}|{now // (asked.heartbeat * outbox.SECOND)}"
    return outbox.row(HEARTBEAT, key, {"subscription": asked.id}, now, asked.id)


def _not_there(connection: Connection, rows: Sequence[Row]) -> list[Row]:
    """Those that this period does not have yet: what failed is done, and waits for the next one."""
    there: set[str] = set()
    for some in _chunks([str(row["key"]) for row in rows]):
        there.update(
            connection.execute(select(work.c.key).where(work.c.kind == HEARTBEAT, work.c.key.in_(some))).scalars()
        )
    return [row for row in rows if row["key"] not in there]


def _reached(connection: Connection, wanted: Sequence[Subscription]) -> Mapping[str, int]:
    """When something last reached each, in microseconds; who was never greeted is not there."""
    found: dict[str, int] = {}
    for some in _chunks([one.id for one in wanted]):
        asked = select(counter.c.subscription, counter.c.reached).where(counter.c.subscription.in_(some))
        found |= {row.subscription: row.reached for row in connection.execute(asked)}
    return found


def _busy(connection: Connection, wanted: Sequence[Subscription]) -> set[str]:
    """Those for whom a notice waits: it says as much. Or a heartbeat."""
    found: set[str] = set()
    for some in _chunks([one.id for one in wanted]):
        kinds = work.c.kind.in_((NOTICE, HEARTBEAT))
        asked = select(work.c.line).where(kinds, work.c.state == outbox.WAITING, work.c.line.in_(some))
        found.update(connection.execute(asked).scalars())
    return found


def _chunks(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[start : start + CHUNK] for start in range(0, len(names), CHUNK))
