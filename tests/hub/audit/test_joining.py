"""Rows join the chain many at a time, by each database's own way: every one of them, as it was recorded."""

from pathlib import Path

import pytest
from sqlalchemy import func, select

from hub.audit import store
from hub.audit.journal import Journal
from hub.audit.record import Release, decoded, encoded
from hub.audit.verify import verify
from hub.search.edges import address
from hub.store.engine import Database
from hub.store.tables_audit import audit, audit_patient
from tests.hub.audit.records import chain, record

# what a file of rows would take for something else: https://www.postgresql.org/docs/current/sql-copy.html
ODD = ("\\N", "\\.", "a\tb", "a\nb", "a\\tb", "", "'", "NULL", "Ünïcode ✓")


@pytest.mark.parametrize("many", [1, store.TOGETHER - 1, store.TOGETHER, 2 * store.TOGETHER + 1])
def test_all_rows_join_with_all_their_patients(many: int, database: Database, tmp_path: Path) -> None:
    people = tuple(Release(address("Patient", name)) for name in ("ann", "bob"))
    mine = Journal(tmp_path)
    mine.append(*(encoded(record(number, releases=people, count=2)) for number in range(many)))
    assert store.move(database, tmp_path) == many
    with database.read() as connection:
        found = verify(connection)
        listed = select(audit_patient.c.place, func.count()).group_by(audit_patient.c.place)
        places = {row.place: row[1] for row in connection.execute(listed)}
    assert (found.count, found.wrong) == (many, "")
    assert places == {0: many, 1: many, 2: many}  # who was asked for is neither of both


def test_a_row_holds_what_was_recorded_whatever_its_letters(database: Database, tmp_path: Path) -> None:
    chain(database, tmp_path, *(record(number, client=odd, user=odd) for number, odd in enumerate(ODD)))
    with database.read() as connection:
        rows = connection.execute(select(audit).order_by(audit.c.seq)).all()
        assert not verify(connection).wrong
    assert [(row.client, row.person) for row in rows] == [(odd, odd) for odd in ODD]
    assert [decoded(row.record).client for row in rows] == list(ODD)
