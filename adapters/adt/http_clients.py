"""Which client of POST /hl7v2 may speak for which facility: MSH-4 is what a message says, the token who sends it.

File: HUB_HL7V2_CLIENTS, a CSV with the columns client, facility; read again when it changes. A client may have
several rows (a network, an interface engine), and a facility several clients.
Refuses: a facility of which no row of the client speaks. Other columns or an empty cell (ValueError): nothing
starts with these, and a running hub keeps the last good table (adapters.adt.local_tables).
"""

import csv
from collections.abc import Callable
from pathlib import Path

from adapters.adt.local_tables import Reloading

COLUMNS = ["client", "facility"]
Pairs = frozenset[tuple[str, str]]


def bound_clients(path: Path) -> Callable[[], Pairs]:
    """The pairs of (client id, MSH-4.1), current at each call. Raises ValueError or OSError."""
    found = Reloading(lambda: [path], lambda: read(path))
    found()
    return found


def read(path: Path) -> Pairs:
    """Raises ValueError (naming the line) or OSError."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if rows.fieldnames != COLUMNS:
            raise ValueError(f"{path.name}: the columns are {','.join(COLUMNS)}")
        return frozenset(_pair(row, path.name, rows.line_num) for row in rows)


def _pair(row: dict[str, str | None], name: str, line: int) -> tuple[str, str]:
    client, facility = ((row[column] or "").strip() for column in COLUMNS)
    if not client or not facility:
        raise ValueError(f"{name}, line {line}: a client and a facility are needed")
    return client, facility
