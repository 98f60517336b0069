"""The inbox keeps everything, once. Each test runs on SQLite and on PostgreSQL."""

import random
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest
from sqlalchemy import select

from hub.inbox.arrivals import Receipt
from hub.store.engine import Database
from hub.store.tables import inbox as table
from tests.hub.inbox_steps import (
    accept,
    arrival,
    claim,
    every,
    shown,
)


def test_a_new_message_is_stored_with_its_bytes_as_they_came(database: Database) -> None:
    raw = bytes(range(256))
    assert accept(database, arrival("1", raw)) == ["new"]
    (message,) = claim(database)
    assert (message.raw, message.control_id, message.feed) == (raw, "1", "EHR|HOSPITAL_ONE")
    with database.read() as connection:
        assert bytes(connection.execute(select(table.c.digest)).scalar_one()) == sha256(raw).digest()


def test_receipts_come_in_the_order_of_the_arrivals(database: Database) -> None:
    accept(database, arrival("old", b"same"))
    receipts = accept(database, arrival("a"), arrival("old", b"same"), arrival("b"), arrival("old", b"other"))
    assert receipts == ["new", "duplicate", "new", "conflict"]


def test_no_arrivals_make_no_receipts(database: Database) -> None:
    assert accept(database) == []


def test_the_same_message_again_is_one_message(database: Database) -> None:
    accept(database, arrival("1"))
    assert accept(database, arrival("1")) == ["duplicate"]
    assert len(every(database)) == 1


def test_the_same_message_twice_in_one_batch_is_one_message(database: Database) -> None:
    assert accept(database, arrival("1"), arrival("1")) == ["new", "duplicate"]
    assert len(every(database)) == 1


def test_the_same_control_id_from_another_feed_is_another_message(database: Database) -> None:
    assert accept(database, arrival("1"), arrival("1", feed="EHR|HOSPITAL_TWO")) == ["new", "new"]


@pytest.mark.parametrize("together", [True, False])
def test_a_control_id_with_other_content_is_kept_apart_and_not_processed(
    database: Database, together: bool
) -> None:
    first, second = arrival("1", b"first"), arrival("1", b"second")
    receipts = accept(database, first, second) if together else accept(database, first) + accept(database, second)
    assert receipts == ["new", "conflict"]
    (kept,) = every(database, "refused")
    assert shown(database, kept.seq).raw == b"second"
    assert kept.control_id == f"1#{sha256(b'second').hexdigest()[:32]}"
    assert (kept.location, kept.reason) == ("MSH-10", "Control id used before by a message with other content")
    assert [message.raw for message in claim(database)] == [b"first"]


def test_a_conflict_sent_again_is_a_conflict_again_and_kept_once(database: Database) -> None:
    accept(database, arrival("1", b"first"), arrival("1", b"second"))
    assert accept(database, arrival("1", b"second"), arrival("1", b"third")) == ["conflict", "conflict"]
    assert len(every(database, "refused")) == 2


def test_a_refused_message_does_not_stand_in_the_way_of_its_correction(database: Database) -> None:
    refused = arrival("1", b"wrong", state="refused", reason="203 Unsupported version id", location="MSH-12")
    assert accept(database, refused, refused) == ["new", "duplicate"]
    assert accept(database, arrival("1", b"right")) == ["new"]
    (kept,) = every(database, "refused")
    assert (kept.reason, kept.location) == ("203 Unsupported version id", "MSH-12")
    assert [message.raw for message in claim(database)] == [b"right"]


@pytest.mark.parametrize("text", ["nul\x00", "x" * 1000, "lone \udc80"])
def test_a_name_that_no_column_can_hold_does_not_spoil_the_batch(database: Database, text: str) -> None:
    odd = arrival(text, b"odd", feed=text)
    assert accept(database, arrival("1"), odd, arrival("2")) == ["new", "new", "new"]
    assert accept(database, odd, arrival(text, b"other", feed=text)) == ["duplicate", "conflict"]
    assert [message.raw for message in claim(database)] == [b"one", b"odd", b"one"]


def test_two_writers_with_the_same_messages_store_each_once(database: Database, database_url: str) -> None:
    arrivals = [arrival(str(n), f"content {n}".encode()) for n in range(60)]
    arrivals += [arrival(str(n), b"other content") for n in range(5)]

    def send(number: int) -> list[Receipt]:
        shuffled = random.Random(number).sample(arrivals, len(arrivals))
        writer = Database(database_url, pool_size=2)
        receipts = [r for start in range(0, 65, 13) for r in accept(writer, *shuffled[start : start + 13])]
        writer.close()
        return receipts

    with ThreadPoolExecutor(4) as pool:
        receipts = [receipt for every_one in pool.map(send, range(4)) for receipt in every_one]
    assert receipts.count("new") == 60
    assert len(every(database, "received")) == 60
    assert len(every(database, "refused")) == 5
