"""Heartbeats: whoever wants to hear from the hub now and then is told that it is there.

Rules: http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-heartbeat-period (seconds):
nothing reached the receiver for so long, and no notice waits for it. One row of work for each period; what
fails is not tried again. Websockets have theirs from the socket itself (hub.notifications.sockets).
"""

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, select

from hub import outbox
from hub.notifications import active
from hub.notifications.events import HEARTBEAT, NOTICE
from hub.notifications.subscriptions import WEBSOCKET, Subscription
from hub.store.engine import Database
from hub.store.tables import outbox as work
from hub.store.tables import subscription_counter as counter


def beat(database: Database, base: str, now: int) -> bool:
    """Add the heartbeats that are due. Whether there are any."""
    with database.read() as connection:
        wanted = [one for one in active.with_heartbeat(connection, base) if one.channel != WEBSOCKET]
        if not wanted:
            return False
        reached, busy = _reached(connection, wanted), _busy(connection, wanted)
        due = [one for one in wanted if one.id not in busy and is_due(one, reached.get(one.id), now)]
        rows = {_key(one, now): one for one in due}
        there = set(
            connection.execute(select(work.c.key).where(work.c.kind == HEARTBEAT, work.c.key.in_(rows))).scalars()
        )
    fresh = [_row(one, key, now) for key, one in rows.items() if key not in there]
    if fresh:
        database.writing(lambda connection: outbox.add(connection, fresh))
    return bool(fresh)


def is_due(asked: Subscription, reached: int | None, now: int) -> bool:
    """Whether the period has passed since something reached the receiver. Pure."""
    return reached is not None and not asked.ended(now) and now - reached >= asked.heartbeat * outbox.SECOND


def _key(asked: Subscription, now: int) -> str:
    return f"{asked.id}|{now // (asked.heartbeat * outbox.SECOND)}"


def _row(asked: Subscription, key: str, now: int) -> dict[str, object]:
    return outbox.row(HEARTBEAT, key, {"subscription": asked.id}, now, asked.id)


def _reached(connection: Connection, wanted: Collection[Subscription]) -> Mapping[str, int]:
    asked = select(counter.c.subscription, counter.c.reached).where(
        counter.c.subscription.in_([one.id for one in wanted])
    )
    return {row.subscription: row.reached for row in connection.execute(asked)}


def _busy(connection: Connection, wanted: Collection[Subscription]) -> set[str]:
    """Those for whom a notice waits: it says as much."""
    asked = select(work.c.line).where(
        work.c.kind == NOTICE, work.c.state == outbox.WAITING, work.c.line.in_([one.id for one in wanted])
    )
    return set(connection.execute(asked).scalars())
