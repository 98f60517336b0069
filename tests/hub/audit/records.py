"""Records for the tests of the audit, and a chain to put them into."""

from pathlib import Path
from typing import Any

from hub.audit import store
from hub.audit.record import Record, Release, encoded
from hub.search.edges import address
from hub.store.engine import Database
from hub.store.tables_audit import audit_pending

HOUR = 3_600_000_000
START = 1_790_000_000_000_000


def record(number: int = 0, **parts: Any) -> Record:
    """A read of Patient/<number> an hour after the one before."""
    usual: dict[str, Any] = {
        "interaction": "read",
        "status": 200,
        "type": "Patient",
        "id": str(number),
        "version": 1,
        "method": "GET",
        "query": f"/Patient/{number}",
        "client": "ehr",
        "request": f"request-{number}",
        "network": "192.0.2.7",
        "releases": (Release(address("Patient", str(number))),),
        "count": 1,
    }
    return Record(START + number * HOUR, **(usual | parts))


def pend(database: Database, *records: Record) -> None:
    """Put records where a commit puts them."""
    rows = [{"id": place, "record": encoded(one)} for place, one in enumerate(records, start=1)]
    with database.write() as connection:
        connection.execute(audit_pending.insert(), rows)


def chain(database: Database, folder: Path, *records: Record) -> None:
    """A chain of these records."""
    pend(database, *records)
    assert store.move(database, folder) == len(records)
