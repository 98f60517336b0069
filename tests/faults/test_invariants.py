"""What the tests of faults look at is seen: each invariant is broken by hand, and named."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text

from hub.access import Access
from hub.audit.journal import Journal
from hub.audit.recorder import About, Recorder
from hub.fhir.bundles import entries_of
from hub.inbox.arrivals import accept
from hub.inbox.messages import Arrival
from hub.notifications.events import effects
from hub.store import merges
from hub.store.engine import Database
from hub.transactions import Transactions
from tests.faults.invariants import broken
from tests.flows import stories
from tests.hub.asking import BASE, entry, validator

SYSTEM = "https://nowhere.example/bundle"
BUNDLES = {SYSTEM: 2}


@dataclass
class Small:
    """A store with a Bundle that was written, changed and recorded, and a message."""

    database: Database
    journals: Path

    def broken(self) -> list[str]:
        return broken(self.database, BASE, journals=self.journals, bundles=BUNDLES)

    def does(self, *statements: str) -> None:
        with self.database.write() as connection:
            for statement in statements:
                connection.execute(text(statement))


@pytest.fixture
def small(database: Database, tmp_path: Path) -> Iterator[Small]:
    merges.look_again()
    recorder = Recorder(database, Journal(tmp_path / "audit"))
    writes = Transactions(
        database, validator, effects, BASE, audit=lambda each, access: recorder.along(About(""), each, access)
    )
    access = Access.system("tests")
    for status in ("in-progress", "finished"):
        writes.commit(entries_of({"type": "transaction", "entry": _entries(status)}, 10), access, many=True)
    raw = stories.adt("A01", "one").encode()
    database.writing(lambda connection: accept(connection, [Arrival("adt", "A|B", "one", raw, 1)]))
    yield Small(database, recorder.journal.folder)
    recorder.journal.close()


def _entries(status: str) -> list[dict[str, object]]:
    identifier = [{"system": SYSTEM, "value": "one"}]
    encounter = {
        "resourceType": "Encounter",
        "id": "e",
        "identifier": identifier,
        "status": status,
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "subject": {"reference": "Patient/p"},
        "period": {"start": "2026-11-01"},
    }
    patient = {"resourceType": "Patient", "id": "p", "identifier": identifier}
    return [entry("PUT", "Patient/p", patient), entry("PUT", "Encounter/e", encounter)]


def test_a_store_that_is_well_breaks_none(small: Small) -> None:
    assert small.broken() == []


@pytest.mark.parametrize(
    ("number", "statements"),
    [
        ("I1", ["DELETE FROM resource WHERE type = 'Patient'"]),
        ("I2", ["DELETE FROM history"]),
        ("I2", ["UPDATE resource SET version = 3 WHERE type = 'Encounter'"]),
        ("I3", ["DELETE FROM index_token"]),
        ("I3", ["INSERT INTO index_date (param, low, high, rid) SELECT 1, 2, 3, rid FROM resource"]),
        ("I4", ["DELETE FROM outbox"]),
        ("I4", ["UPDATE outbox SET key = key || '-other'"]),
        ("I5", ["DELETE FROM audit_pending"]),
        ("I5", ["UPDATE resource SET version = 3 WHERE type = 'Encounter'"]),
        ("I7", ["UPDATE inbox SET digest = raw"]),
        ("I8", ["UPDATE resource SET deleted = true WHERE type = 'Encounter'"]),
    ],
)
def test_what_is_broken_is_named(small: Small, number: str, statements: list[str]) -> None:
    small.does(*statements)
    assert number in [each[:2] for each in small.broken()]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_damaged_file_is_named(small: Small) -> None:
    """I6: an index that lacks a row of its table."""
    small.does(
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = replace(sql, 'type, last_updated', 'last_updated, type')"
        " WHERE name = 'resource_changed'",
    )
    again = Database(str(small.database.url))
    try:
        assert any(each.startswith("I6") for each in broken(again, BASE))
    finally:
        again.close()
