"""The sealed values of a Subscription's header lines, and the places where values stood before this table was.

Every function works in its caller's transaction.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from sqlalchemy import Connection, LargeBinary, Table, delete, func, insert, literal, select, update

from hub.store.tables import history, idempotency, resource, subscription_counter
from hub.store.tables_subscriptions import subscription_changed
from hub.store.tables_subscriptions import subscription_secret as table

TYPE = "Subscription"
Rewrite = Callable[[bytes], bytes]


class Sealed(NamedTuple):
    """`version`: of the Subscription, from which on the values count."""

    version: int
    headers: bytes


class Stored(NamedTuple):
    """A Subscription as its row has it; `body` is None where it is deleted."""

    rid: int
    id: str
    version: int
    body: bytes | None


def find(connection: Connection, subscription: str) -> Sealed | None:
    asked = select(table.c.version, table.c.headers).where(table.c.subscription == subscription)
    row = connection.execute(asked).first()
    return Sealed(*row) if row else None


def put(connection: Connection, subscription: str, sealed: Sealed | None) -> None:
    """Keep these, and no others; None: none."""
    connection.execute(delete(table).where(table.c.subscription == subscription))
    if sealed is not None:
        connection.execute(insert(table).values(subscription=subscription, **sealed._asdict()))


def count_change(connection: Connection) -> None:
    """Subscriptions were written: whoever has read them reads them again (hub.notifications.active). The row is
    held until the transaction ends, so that who sees a count sees all writes that it counts."""
    connection.execute(update(subscription_changed).values(times=subscription_changed.c.times + 1))


def owner_of(connection: Connection, subscription: str) -> str:
    """The client that it tells of events; nobody before its first handshake."""
    asked = select(subscription_counter.c.owner).where(subscription_counter.c.subscription == subscription)
    return connection.execute(asked).scalar() or ""


def subscriptions(connection: Connection) -> list[Stored]:
    """Every Subscription, held until the transaction ends, in the order in which writers hold theirs."""
    columns = (resource.c.rid, resource.c.id, resource.c.version, resource.c.body)
    asked = select(*columns).where(resource.c.type == TYPE).order_by(resource.c.id).with_for_update()
    return [Stored(*row) for row in connection.execute(asked)]


def earlier(connection: Connection, rid: int) -> list[bytes]:
    """The contents of its earlier versions."""
    asked = select(history.c.body).where(history.c.rid == rid, history.c.body.is_not(None))
    return list(connection.execute(asked).scalars())


def rewrite(connection: Connection, rid: int, new: Rewrite) -> None:
    """Its content in every version is what `new` makes of it."""
    for of in (resource, history):
        mine = of.c.rid == rid
        for row in connection.execute(select(of.c.version, of.c.body).where(mine, of.c.body.is_not(None))).all():
            _replace(connection, of, (mine, of.c.version == row.version), row.body, new)


def rewrite_answers(connection: Connection, new: Rewrite) -> None:
    """The answers kept under an Idempotency-Key that tell of a Subscription are what `new` makes of them."""
    for client, key in list(_answers(connection)):
        mine = (idempotency.c.client == client, idempotency.c.key == key)
        body = connection.execute(select(idempotency.c.body).where(*mine)).scalar()
        if body is not None:
            _replace(connection, idempotency, mine, body, new)


def _answers(connection: Connection) -> Iterator[tuple[str, str]]:
    word = literal(TYPE.encode(), LargeBinary())
    found = func.instr(idempotency.c.body, word)
    if connection.dialect.name == "postgresql":
        found = func.position(word.op("IN")(idempotency.c.body))
    for row in connection.execute(select(idempotency.c.client, idempotency.c.key).where(found > 0)):
        yield row.client, row.key


def _replace(connection: Connection, of: Table, mine: tuple[object, ...], body: bytes, new: Rewrite) -> None:
    made = new(body)
    if made != body:
        connection.execute(update(of).where(*mine).values(body=made))  # type: ignore[arg-type]
