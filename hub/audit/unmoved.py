"""How long what was recorded on a node, or along with a commit, has waited to join the chain.

The mover comes every second (hub.audit.mover): what waits for minutes says that it cannot, or that nobody moves.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, select

from hub.audit import journal, store
from hub.audit.record import decoded
from hub.store.tables_audit import audit_pending


def oldest(connection: Connection, folder: Path) -> int | None:
    """When the oldest of it was recorded, in microseconds since 1970; None where nothing waits. `folder` is that of
    the journals."""
    return min((decoded(record).at for record in _first(connection, folder)), default=None)


def _first(connection: Connection, folder: Path) -> Iterator[bytes]:
    """The first record of each journal, and of what commits brought."""
    asked = select(audit_pending.c.record).order_by(audit_pending.c.id).limit(1)
    yield from connection.execute(asked).scalars()
    files = store.journals(folder)
    positions = store.moved_to(connection, files) if files else {}
    for path in files:
        with suppress(FileNotFoundError):  # somebody was done with it meanwhile
            yield from journal.read(path, positions.get(path.name, 0), 1).records
