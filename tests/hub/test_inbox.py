"""The inbox keeps everything, once, and knows what became of it. Each test runs on SQLite and on PostgreSQL."""

import random
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest
from sqlalchemy import Connection, select

from hub import inbox
from hub.inbox import MAX_ATTEMPTS, STATES, Arrival, Message, Receipt
from hub.problems import Problem
from hub.store.engine import Database
from hub.store.tables import inbox as table

SECOND = 1_000_000
NOW = 1_000 * SECOND


def arrival(control_id: str, raw: bytes = b"one", feed: str = "EHR|HOSPITAL_ONE", **more: str) -> Arrival:
    return Arrival("adt", feed, control_id, raw, NOW, **more)


def accept(database: Database, *arrivals: Arrival) -> list[Receipt]:
    return database.writing(lambda connection: inbox.accept(connection, arrivals))


def claim(database: Database, now: int = NOW, limit: int = 100, lease: int = 60) -> list[Message]:
    return database.writing(lambda connection: inbox.claim(connection, now, lease, limit))


def every(database: Database, state: str | None = None) -> list[inbox.Entry]:
    with database.read() as connection:
        return inbox.listed(connection, state)


def shown(database: Database, seq: int) -> Message:
    with database.read() as connection:
        found = inbox.shown(connection, seq)
    assert found
    return found


def park(database: Database, seq: int, state: str, reason: str = "a reason", location: str | None = None) -> None:
    database.writing(lambda connection: inbox.parked(connection, seq, state, reason, location, NOW))


def retry_later(database: Database, seq: int, due: int) -> None:
    database.writing(lambda connection: inbox.retry_later(connection, seq, due, "busy"))


def set_subject(database: Database, seq: int, subject: str) -> None:
    database.writing(lambda connection: inbox.set_subject(connection, seq, subject))


def process(database: Database, seq: int) -> None:
    database.writing(lambda connection: inbox.processed(connection, seq, NOW))


def accepted(database: Database, count: int = 1) -> list[int]:
    """Seqs of `count` new messages, oldest first."""
    accept(database, *(arrival(f"m{n}", f"content {n}".encode()) for n in range(count)))
    return [entry.seq for entry in reversed(every(database))]


# Arriving


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


# Taking


def test_messages_are_claimed_oldest_first_and_no_more_than_asked(database: Database) -> None:
    seqs = accepted(database, 5)
    assert [message.seq for message in claim(database, limit=3)] == seqs[:3]
    assert [message.seq for message in claim(database, limit=3)] == seqs[3:]


def test_a_claimed_message_comes_back_when_its_lease_ends(database: Database) -> None:
    accepted(database)
    assert claim(database)[0].attempts == 0
    assert claim(database, NOW + 60 * SECOND - 1) == []
    assert claim(database, NOW + 60 * SECOND)[0].attempts == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.postgresql
def test_two_workers_at_once_claim_different_messages(database: Database) -> None:
    seqs = accepted(database, 4)
    with database.write() as connection:  # the first has not committed when the second claims
        first = [message.seq for message in inbox.claim(connection, NOW, 60, 2)]
        second = [message.seq for message in claim(database, limit=2)]
    assert (first, second) == (seqs[:2], seqs[2:])


def test_a_message_that_kills_its_worker_each_time_is_dead_after_the_last_attempt(database: Database) -> None:
    (seq,) = accepted(database)
    for attempt in range(MAX_ATTEMPTS):
        assert len(claim(database, NOW + attempt * 60 * SECOND)) == 1
    assert claim(database, NOW + MAX_ATTEMPTS * 60 * SECOND) == []
    assert shown(database, seq).state == "dead"


def test_only_received_messages_are_claimed(database: Database) -> None:
    for seq, state in zip(accepted(database, 6), sorted(inbox.PARKED), strict=True):
        park(database, seq, state)
    assert claim(database) == []


def test_a_release_makes_leased_messages_due_and_forgets_no_attempt(database: Database) -> None:
    accepted(database)
    claim(database)
    database.writing(inbox.release)
    assert claim(database)[0].attempts == 1


# Ending


def test_processed_is_part_of_the_transaction_that_writes(database: Database) -> None:
    (seq,) = accepted(database)

    def work_that_fails(connection: Connection) -> None:
        inbox.processed(connection, seq, NOW)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.writing(work_that_fails)
    assert shown(database, seq).state == "received"


def test_a_worker_whose_lease_ended_undoes_its_writes(database: Database) -> None:
    (seq,) = accepted(database)
    process(database, seq)

    def late(connection: Connection) -> None:
        inbox.accept(connection, [arrival("written late")])
        inbox.processed(connection, seq, NOW + 1)

    with pytest.raises(Problem, match="another worker ended it"):
        database.writing(late)
    assert [entry.control_id for entry in every(database)] == ["m0"]
    assert (shown(database, seq).state, shown(database, seq).processed) == ("processed", NOW)


def test_a_parked_message_says_why_and_where(database: Database) -> None:
    (seq,) = accepted(database)
    park(database, seq, "unmapped", "The code has no row", "PV1-36")
    (entry,) = every(database, "unmapped")
    assert (entry.reason, entry.location) == ("The code has no row", "PV1-36")


def test_a_place_longer_than_its_column_is_cut(database: Database) -> None:
    (seq,) = accepted(database)
    park(database, seq, "refused", "a reason", "Bundle.entry" * 20)
    assert shown(database, seq).location == ("Bundle.entry" * 20)[:64]


@pytest.mark.parametrize("state", ["received", "processed", "invented"])
def test_a_message_is_parked_in_no_other_state(database: Database, state: str) -> None:
    (seq,) = accepted(database)
    with pytest.raises(ValueError):
        park(database, seq, state)


def test_a_message_that_another_worker_ended_is_not_parked(database: Database) -> None:
    (seq,) = accepted(database)
    process(database, seq)
    with pytest.raises(Problem):
        park(database, seq, "unmapped", "late")
    assert shown(database, seq).state == "processed"


def test_a_retry_waits_until_it_is_due(database: Database) -> None:
    (seq,) = accepted(database)
    claim(database)
    retry_later(database, seq, NOW + 5 * SECOND)
    assert claim(database, NOW + 5 * SECOND - 1) == []
    (message,) = claim(database, NOW + 5 * SECOND)
    assert (message.attempts, message.reason) == (1, "busy")


def test_a_retry_after_the_last_attempt_is_dead(database: Database) -> None:
    (seq,) = accepted(database)
    for attempt in range(MAX_ATTEMPTS):
        assert shown(database, seq).state == "received"
        claim(database, NOW + attempt)
        retry_later(database, seq, NOW + attempt + 1)
    assert shown(database, seq).state == "dead"


def test_a_retry_of_a_message_that_another_worker_ended_changes_nothing(database: Database) -> None:
    (seq,) = accepted(database)
    process(database, seq)
    retry_later(database, seq, NOW)
    assert shown(database, seq).state == "processed"


# Again


def test_a_replay_starts_a_message_afresh(database: Database) -> None:
    (seq,) = accepted(database)
    claim(database)
    park(database, seq, "unmapped", "no row", "PV1-36")
    assert database.writing(lambda c: inbox.replay(c, [seq])) == 1
    (message,) = claim(database)
    assert (message.attempts, message.reason, message.location) == (0, None, None)


def test_a_replay_of_a_state_takes_that_state_only(database: Database) -> None:
    one, two, three = accepted(database, 3)
    park(database, one, "unmapped", "no row")
    park(database, two, "unmatched", "who?")
    assert database.writing(lambda c: inbox.replay(c, state="unmapped")) == 1
    assert [message.seq for message in claim(database)] == [one, three]


def test_a_replay_leaves_a_message_alone_that_a_worker_holds(database: Database) -> None:
    (seq,) = accepted(database)
    claim(database)
    assert database.writing(lambda c: inbox.replay(c, [seq])) == 0
    assert claim(database) == []


# Looking


def test_the_newest_messages_are_listed_first(database: Database) -> None:
    seqs = accepted(database, 3)
    with database.read() as connection:
        assert [entry.seq for entry in inbox.listed(connection, limit=2)] == seqs[:0:-1]
        assert inbox.listed(connection, "dead") == []
        assert inbox.counts(connection) == {"received": 3}
        assert inbox.shown(connection, seqs[-1] + 1) is None


def test_all_that_was_said_of_a_subject_is_found_in_order(database: Database) -> None:
    seqs = accepted(database, len(STATES) + 1)
    for seq, state in zip(seqs, sorted(STATES), strict=False):
        set_subject(database, seq, "visit|1")
        if state == "processed":
            process(database, seq)
        elif state != "received":
            park(database, seq, state)
    with database.read() as connection:
        said = inbox.of_subject(connection, "visit|1")
        assert inbox.of_subject(connection, "visit|2") == []
    assert {message.state for message in said} == {"received", "processed", "waiting"}
    assert [message.seq for message in said] == sorted(message.seq for message in said)


def test_a_long_subject_is_found_again(database: Database) -> None:
    (seq,) = accepted(database)
    set_subject(database, seq, "v" * 1000)
    with database.read() as connection:
        assert [message.seq for message in inbox.of_subject(connection, "v" * 1000)] == [seq]


def test_neither_content_nor_subject_is_in_what_a_log_would_print(database: Database) -> None:
    accept(database, arrival("1", b"CANARY"))
    (entry,) = every(database)
    set_subject(database, entry.seq, "CANARY")
    assert "CANARY" not in repr(shown(database, entry.seq)) + repr(every(database)) + repr(arrival("1", b"CANARY"))
