"""How often a client asked for a member in the last minutes: whoever tries numbers is stopped, on every node.

Rules: Da Vinci HRex 1.1.0 ($member-match SHALL be throttled). Windows are minutes of the clock; older ones go.
"""

from typing import Any

from sqlalchemy import Connection, delete
from sqlalchemy.dialects import postgresql, sqlite

from hub.store.tables_identity import identity_attempt as table

MINUTE = 60_000_000  # microseconds
KEPT = 60  # minutes


def attempt(connection: Connection, client: str, now: int, most: int) -> int:
    """Count one. Seconds to wait where it is one too many; 0 otherwise."""
    minute = now // MINUTE
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    made: Any = dialect.insert(table).values(client=client, minute=minute, count=1)
    counted = made.on_conflict_do_update(index_elements=["client", "minute"], set_={"count": table.c.count + 1})
    count = int(connection.execute(counted.returning(table.c.count)).scalar_one())
    if count == 1:
        connection.execute(delete(table).where(table.c.client == client, table.c.minute < minute - KEPT))
    return 0 if count <= most else (MINUTE - now % MINUTE) // 1_000_000 + 1
