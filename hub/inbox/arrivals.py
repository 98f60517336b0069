"""Messages come in: each is stored once, before it is believed.

The same key (hub.inbox.messages) with the same bytes is the same message; with other bytes it is a conflict.
Refuses: nothing. A message that was refused, or that conflicts, is kept too: in state `refused`, as
`control id#digest`, so that it never stands in the way of the message that corrects it. Nothing is deleted
here; one row is at most as large as the largest frame or file that its listener takes.
Every function works in the caller's transaction.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Literal

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from hub.inbox.messages import CONTROL_ID, FEED, RECEIVED, REFUSED, Arrival, fitting
from hub.store.tables import inbox

Receipt = Literal["new", "duplicate", "conflict"]
Key = tuple[str, str, str]
Values = dict[str, Any]

_KEY = (inbox.c.source, inbox.c.feed, inbox.c.control_id)
# One row a key, whoever comes first. The rows that come back are those that this statement stored.
_STORE = {
    "sqlite": sqlite.insert(inbox).on_conflict_do_nothing(index_elements=_KEY).returning(*_KEY),
    "postgresql": postgresql.insert(inbox).on_conflict_do_nothing(index_elements=_KEY).returning(*_KEY),
}
# One key a statement. Lists of keys were measured: compiled anew for each length they take longer, and without
# statistics PostgreSQL answers them with a scan of the whole feed. Duplicates are few.
_HELD = select(inbox.c.digest).where(
    *(key == bindparam(name) for key, name in zip(_KEY, "sfc", strict=True)),
)


def accept(
    connection: Connection, arrivals: Sequence[Arrival], known: Mapping[Key, bytes] | None = None
) -> list[Receipt]:
    """Store these messages; a receipt for each, in their order. They are safe once the transaction is.
    `known`: digests of messages that another store has already (hub.spool); they are not stored again."""
    known = known or {}
    rows = [_row(arrival) for arrival in arrivals]
    first: dict[Key, Values] = {}
    for row in rows:
        first.setdefault(_key(row), row)
    fresh = _store(connection, [row for key, row in first.items() if key not in known])
    held = {
        key: known.get(key) or (row["digest"] if key in fresh else _digest(connection, key))
        for key, row in first.items()
    }
    receipts = [_receipt(row, row is first[_key(row)] and _key(row) in fresh, held) for row in rows]
    _store(connection, [_aside(row) for row, receipt in zip(rows, receipts, strict=True) if receipt == "conflict"])
    return receipts


def digests(connection: Connection, arrivals: Sequence[Arrival]) -> dict[Key, bytes]:
    """The digests of those messages that are in the inbox already, by their key."""
    found: dict[Key, bytes] = {}
    for key in {_key(_row(arrival)) for arrival in arrivals}:
        digest = connection.execute(_HELD, dict(zip("sfc", key, strict=True))).scalar_one_or_none()
        if digest is not None:
            found[key] = bytes(digest)
    return found


def take_over(connection: Connection, rows: list[Values]) -> None:
    """Store rows that another store accepted, once each. Should a key be taken by other bytes, it stands aside."""
    fresh = _store(connection, rows)
    others = [row for row in rows if _key(row) not in fresh]
    _store(connection, [_aside(row) for row in others if _digest(connection, _key(row)) != row["digest"]])


def _receipt(row: Values, fresh: bool, held: Mapping[Key, bytes]) -> Receipt:
    if fresh:
        return "new"
    return "duplicate" if held[_key(row)] == row["digest"] else "conflict"


def _row(arrival: Arrival) -> Values:
    row = {
        "source": arrival.source,
        "feed": fitting(arrival.feed, FEED),
        "control_id": fitting(arrival.control_id, CONTROL_ID - 33),  # 33: `#` and the digest that may follow
        "digest": sha256(arrival.raw).digest(),
        "received": arrival.received,
        "raw": arrival.raw,
        "state": arrival.state,
        "reason": arrival.reason,
        "location": arrival.location,
        "member": arrival.member,
    }
    return row if arrival.state == RECEIVED else _beside(row)


def _beside(row: Values) -> Values:
    return row | {"control_id": f"{row['control_id']}#{row['digest'].hex()[:32]}"}


def _aside(row: Values) -> Values:
    reason = "Control id used before by a message with other content"
    return _beside(row) | {"state": REFUSED, "reason": reason, "location": "MSH-10"}


def _key(row: Values) -> Key:
    return row["source"], row["feed"], row["control_id"]


def _store(connection: Connection, rows: list[Values]) -> set[Key]:
    if not rows:
        return set()
    return {(s, f, c) for s, f, c in connection.execute(_STORE[connection.dialect.name], rows)}


def _digest(connection: Connection, key: Key) -> bytes:
    return bytes(connection.execute(_HELD, dict(zip("sfc", key, strict=True))).scalar_one())
