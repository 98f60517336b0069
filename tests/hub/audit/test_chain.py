"""Records join the chain once each, whatever is killed when; and verify names whatever was done to it since."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert, select, text, update

from hub.audit import store
from hub.audit.journal import Journal, framed
from hub.audit.record import Release, decoded, encoded
from hub.audit.store import Head
from hub.audit.verify import Verdict, damaged, verify
from hub.problems import Problem
from hub.search.edges import address
from hub.store.engine import Database
from hub.store.tables_audit import audit, audit_head, audit_journal, audit_patient, audit_pending
from tests.hub.audit.records import chain, pend, record


def ids(database: Database) -> list[str]:
    """What was asked for, in the order of the chain."""
    with database.read() as connection:
        return [
            decoded(row).id for row in connection.execute(select(audit.c.record).order_by(audit.c.seq)).scalars()
        ]


def verdict(database: Database, **options: Any) -> Verdict:
    with database.read() as connection:
        return verify(connection, **options)


def test_records_of_writes_and_reads_join_one_chain(database: Database, tmp_path: Path) -> None:
    mine = Journal(tmp_path)
    pend(database, record(1), record(2))
    mine.append(encoded(record(3)))
    assert store.move(database, tmp_path) == 3
    mine.append(encoded(record(4)))
    assert store.move(database, tmp_path) == 1
    assert store.move(database, tmp_path) == 0
    assert ids(database) == ["1", "2", "3", "4"]
    found = verdict(database)
    assert (found.count, found.head.seq, found.wrong) == (4, 4, "")


def test_the_hash_is_what_the_page_says(database: Database, tmp_path: Path) -> None:
    chain(database, tmp_path, record(1), record(2))
    with database.read() as connection:
        first, second = connection.execute(select(audit).order_by(audit.c.seq)).all()
    assert first.hash == hashlib.sha256(bytes(32) + (1).to_bytes(8, "big") + first.record).digest()
    assert second.hash == hashlib.sha256(first.hash + (2).to_bytes(8, "big") + second.record).digest()


def test_more_than_a_transaction_holds_is_moved_in_turns(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MOST", 3)
    mine = Journal(tmp_path)
    pend(database, *(record(number) for number in range(4)))
    mine.append(*(encoded(record(number)) for number in range(4, 11)))
    store.move_all(database, tmp_path)
    assert ids(database) == [str(number) for number in range(11)]
    assert not verdict(database).wrong


def test_what_a_dead_process_left_is_taken_over_and_removed(database: Database, tmp_path: Path) -> None:
    for number in range(3):
        left = Journal(tmp_path)
        left.append(encoded(record(number)))
        left.close()
    store.move_all(database, tmp_path)
    assert sorted(ids(database)) == ["0", "1", "2"]
    assert list(tmp_path.glob("*.journal")) == []
    with database.read() as connection:
        assert connection.execute(select(audit_journal)).all() == []


@pytest.mark.parametrize("step", ["append", "_remember", "_tidy", "unlink", "_forget"])
def test_a_mover_that_is_killed_between_two_steps_neither_loses_nor_doubles(
    step: str, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed as the step begins: a database undoes what was not committed, and the files stay as they are."""
    pend(database, record(1))
    left = Journal(tmp_path)
    left.append(encoded(record(2)), encoded(record(3)))
    left.close()

    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as killing:
        killing.setattr(Path if step == "unlink" else store, step, die)
        with pytest.raises(Killed):
            store.move(database, tmp_path)
    store.move_all(database, tmp_path)
    assert sorted(ids(database)) == ["1", "2", "3"]
    assert not verdict(database).wrong
    assert list(tmp_path.glob("*.journal")) == []


def test_two_movers_take_nothing_twice(database: Database, tmp_path: Path) -> None:
    import threading

    mine = Journal(tmp_path)
    done = threading.Event()

    def keep_moving() -> None:
        while not done.is_set():
            store.move(database, tmp_path)

    movers = [threading.Thread(target=keep_moving) for _ in range(3)]
    for mover in movers:
        mover.start()
    for number in range(60):
        mine.append(encoded(record(number)))
        if number % 20 == 19:
            mine.close()
    done.set()
    for mover in movers:
        mover.join()
    store.move_all(database, tmp_path)
    assert sorted(ids(database), key=int) == [str(number) for number in range(60)]
    assert not verdict(database).wrong


def test_a_torn_record_is_left_out_and_a_damaged_journal_is_kept(database: Database, tmp_path: Path) -> None:
    good = framed(encoded(record(1)))
    (tmp_path / "torn.journal").write_bytes(good + framed(encoded(record(2)))[:-3])
    (tmp_path / "wrong.journal").write_bytes(good + b"\xff" * 40 + good)
    store.move_all(database, tmp_path)
    assert ids(database) == ["1", "1"]
    assert damaged(tmp_path) == ["wrong.damaged"]
    assert list(tmp_path.glob("*.journal")) == []


# -- what was done to the chain, and what verify says of it


def _open(connection: Connection) -> None:
    """As somebody who owns the database can."""
    if connection.dialect.name == "postgresql":
        for table in ("audit", "audit_patient"):
            connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
        return
    for name in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all():
        connection.execute(text(f"DROP TRIGGER {name}"))


def _change(connection: Connection) -> None:
    row = connection.execute(select(audit.c.record).where(audit.c.seq == 3)).scalar_one()
    connection.execute(update(audit).where(audit.c.seq == 3).values(record=row.replace(b"ehr", b"xxx")))


def _change_and_hash(connection: Connection) -> None:
    row = connection.execute(select(audit).where(audit.c.seq == 3)).one()
    changed = row.record.replace(b"ehr", b"xxx")
    values = {"record": changed, "client": "xxx", "hash": store.hash_of(row.previous, 3, changed)}
    connection.execute(update(audit).where(audit.c.seq == 3).values(values))


def _delete(*numbers: int) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        connection.execute(delete(audit).where(audit.c.seq.in_(numbers)))
        connection.execute(delete(audit_patient).where(audit_patient.c.seq.in_(numbers)))

    return work


def _insert(connection: Connection) -> None:
    _delete(4, 5)(connection)
    row = connection.execute(select(audit).where(audit.c.seq == 3)).one()
    made = store.row_of(Head(3, b"\1" * 32), encoded(record(9)), record(9))
    connection.execute(insert(audit), [made])
    connection.execute(insert(audit_patient).values(store.patients_of(record(9), 4)))
    assert row.hash != made["previous"]


def _append_beyond(connection: Connection) -> None:
    last = connection.execute(select(audit).where(audit.c.seq == 5)).one()
    connection.execute(insert(audit), [store.row_of(Head(5, last.hash), encoded(record(9)), record(9))])
    connection.execute(insert(audit_patient).values(store.patients_of(record(9), 6)))


def _swap(connection: Connection) -> None:
    for one, other in ((2, 99), (3, 2), (99, 3)):
        connection.execute(update(audit).where(audit.c.seq == one).values(seq=other))
        connection.execute(update(audit_patient).where(audit_patient.c.seq == one).values(seq=other))


def _column(connection: Connection) -> None:
    connection.execute(update(audit).where(audit.c.seq == 3).values(client="somebody else"))


def _hide_patient(connection: Connection) -> None:
    connection.execute(delete(audit_patient).where(audit_patient.c.seq == 3))


def _hide_all(connection: Connection) -> None:
    _delete(1, 2, 3, 4, 5)(connection)


TAMPERED: dict[str, tuple[Callable[[Connection], None], str]] = {
    "changed": (_change, "record 3 was changed"),
    "changed with its hash": (_change_and_hash, "record 4 does not follow"),
    "taken out of the middle": (_delete(3), "record 3 is missing"),
    "the first taken out": (_delete(1), "record 1 is missing"),
    "the last cut off": (_delete(5), "record 5 is missing"),
    "all taken out": (_hide_all, "record 1 is missing"),
    "another one put in": (_insert, "record 4 does not follow"),
    "one added at the end": (_append_beyond, "the chain ends at record 6"),
    "two swapped": (_swap, "record 2 does not follow"),
    "a column changed": (_column, "record 3 is searched by other values"),
    "a patient hidden": (_hide_patient, "record 3 is searched by other patients"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_whatever_was_done_to_the_chain_is_named(what: str, database: Database, tmp_path: Path) -> None:
    chain(database, tmp_path, *(record(number) for number in range(1, 6)))
    assert not verdict(database).wrong
    work, said = TAMPERED[what]
    with database.write() as connection:
        _open(connection)
        work(connection)
    assert verdict(database).wrong.startswith(said), verdict(database).wrong


def test_a_chain_that_was_written_anew_is_found_by_a_head_kept_elsewhere(
    database: Database, tmp_path: Path
) -> None:
    chain(database, tmp_path, *(record(number) for number in range(1, 4)))
    kept = verdict(database).head
    assert not verdict(database, expected=[kept]).wrong
    chain(database, tmp_path, record(4))
    assert not verdict(database, expected=[kept]).wrong  # it grew, and is still the same
    with database.write() as connection:
        _open(connection)
        _hide_all(connection)
        connection.execute(delete(audit_head))
        store.append(connection, [encoded(record(number)) for number in (1, 2, 7)])
    assert not verdict(database).wrong  # by itself it cannot be told
    assert "written anew" in verdict(database, expected=[kept]).wrong
    with database.write() as connection:
        _hide_all(connection)
        connection.execute(delete(audit_head))
    assert verdict(database, expected=[kept]).wrong == "record 3, whose hash was kept, is missing"


@pytest.mark.parametrize(("first", "last", "count"), [(1, 3, 3), (3, None, 3), (2, 4, 3), (5, 5, 1)])
def test_a_part_of_the_chain_is_verified(
    first: int, last: int | None, count: int, database: Database, tmp_path: Path
) -> None:
    chain(database, tmp_path, *(record(number) for number in range(1, 6)))
    found = verdict(database, first=first, last=last)
    assert (found.count, found.wrong) == (count, "")


def test_a_part_with_a_changed_record_is_not(database: Database, tmp_path: Path) -> None:
    chain(database, tmp_path, *(record(number) for number in range(1, 6)))
    with database.write() as connection:
        _open(connection)
        _change(connection)
    assert verdict(database, first=2, last=4).wrong == "record 3 was changed"
    assert not verdict(database, first=1, last=2).wrong


REFUSED = (
    "UPDATE audit SET client = 'x'",
    "DELETE FROM audit WHERE seq = 1",
    "UPDATE audit_patient SET place = 7",
    "DELETE FROM audit_patient",
    "TRUNCATE audit",
)


@pytest.mark.parametrize("statement", REFUSED)
def test_the_database_itself_refuses_to_change_the_chain(
    statement: str, database: Database, tmp_path: Path
) -> None:
    if database.is_sqlite and statement.startswith("TRUNCATE"):
        assert "TRUNCATE" not in database.url.drivername  # SQLite has no such statement
        return
    chain(database, tmp_path, record(1))
    with pytest.raises(Problem) as refused, database.write() as connection:
        connection.execute(text(statement))
    assert "never changed" in str(refused.value.__cause__)
    assert not verdict(database).wrong


def test_each_patient_of_a_record_is_listed_once_and_who_was_asked_for_in_vain(
    database: Database, tmp_path: Path
) -> None:
    several = record(
        1, interaction="search-type", type="Observation", id="", releases=(Release(11), Release(12, 1))
    )
    chain(database, tmp_path, several, record(2, status=404, releases=(), count=0))
    with database.read() as connection:
        rows = connection.execute(select(audit_patient).order_by(audit_patient.c.seq, audit_patient.c.place)).all()
    assert [tuple(row) for row in rows] == [
        (11, 1, 1, False),
        (12, 1, 2, True),
        (address("Patient", "2"), 2, 0, False),
    ]


def test_pending_rows_are_gone_once_they_are_moved(database: Database, tmp_path: Path) -> None:
    chain(database, tmp_path, record(1), record(2))
    with database.read() as connection:
        assert connection.execute(select(audit_pending)).all() == []
