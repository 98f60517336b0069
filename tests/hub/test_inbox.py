"""The inbox knows what became of each message. Each test runs on SQLite and on PostgreSQL."""

import pytest
from sqlalchemy import Connection

from hub.inbox import arrivals, listing, work
from hub.inbox.choosing import Which
from hub.inbox.messages import STATES
from hub.inbox.replaying import replay, taken
from hub.inbox.work import MAX_ATTEMPTS, PARKED
from hub.problems import Problem
from hub.store.engine import Database
from tests.hub.inbox_steps import (
    NOW,
    SECOND,
    accept,
    accepted,
    arrival,
    claim,
    every,
    park,
    process,
    retry_later,
    set_subject,
    shown,
)


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
        first = [message.seq for message in work.claim(connection, NOW, 60, 2)]
        second = [message.seq for message in claim(database, limit=2)]
    assert (first, second) == (seqs[:2], seqs[2:])


def test_a_message_that_kills_its_worker_each_time_is_dead_after_the_last_attempt(database: Database) -> None:
    (seq,) = accepted(database)
    for attempt in range(MAX_ATTEMPTS):
        assert len(claim(database, NOW + attempt * 60 * SECOND)) == 1
    assert claim(database, NOW + MAX_ATTEMPTS * 60 * SECOND) == []
    assert shown(database, seq).state == "dead"


def test_only_received_messages_are_claimed(database: Database) -> None:
    for seq, state in zip(accepted(database, len(PARKED)), sorted(PARKED), strict=True):
        park(database, seq, state)
    assert claim(database) == []


def test_a_release_makes_leased_messages_due_and_forgets_no_attempt(database: Database) -> None:
    accepted(database)
    claim(database)
    database.writing(work.release)
    assert claim(database)[0].attempts == 1


def test_processed_is_part_of_the_transaction_that_writes(database: Database) -> None:
    (seq,) = accepted(database)
    (message,) = claim(database)

    def work_that_fails(connection: Connection) -> None:
        work.processed(connection, message, NOW)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.writing(work_that_fails)
    assert shown(database, seq).state == "received"


def test_a_worker_whose_lease_ended_undoes_its_writes(database: Database) -> None:
    (seq,) = accepted(database)
    (message,) = claim(database)
    process(database, seq)

    def late(connection: Connection) -> None:
        arrivals.accept(connection, [arrival("written late")])
        work.processed(connection, message, NOW + 1)

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


def test_a_replay_starts_a_message_afresh(database: Database) -> None:
    (seq,) = accepted(database)
    claim(database)
    park(database, seq, "unmapped", "no row", "PV1-36")
    assert database.writing(lambda c: taken(c, [seq])) == {"unmapped": 1}
    (message,) = claim(database)
    assert (message.attempts, message.reason, message.location) == (0, None, None)


def test_a_replay_of_a_state_takes_that_state_only(database: Database) -> None:
    one, two, three = accepted(database, 3)
    park(database, one, "unmapped", "no row")
    park(database, two, "unmatched", "who?")
    assert replay(database, Which(states=("unmapped",))).again == {"unmapped": 1}
    assert [message.seq for message in claim(database)] == [one, three]


def test_a_replay_leaves_a_message_alone_that_a_worker_holds(database: Database) -> None:
    (seq,) = accepted(database)
    claim(database)
    assert database.writing(lambda c: taken(c, [seq])) == {}
    assert claim(database) == []


def test_the_newest_messages_are_listed_first(database: Database) -> None:
    seqs = accepted(database, 3)
    with database.read() as connection:
        assert [entry.seq for entry in listing.listed(connection, limit=2)] == seqs[:0:-1]
        assert listing.listed(connection, Which(states=("dead",))) == []
        assert listing.counts(connection) == {"received": 3}
        assert listing.shown(connection, seqs[-1] + 1) is None


def test_all_that_was_said_of_a_subject_is_found_in_order(database: Database) -> None:
    seqs = accepted(database, len(STATES) + 1)
    for seq, state in zip(seqs, sorted(STATES), strict=False):
        set_subject(database, seq, "visit|1")
        if state == "processed":
            process(database, seq)
        elif state != "received":
            park(database, seq, state)
    with database.read() as connection:
        said = work.of_subject(connection, "visit|1")
        assert work.of_subject(connection, "visit|2") == []
    assert {message.state for message in said} == {"received", "processed", "waiting"}
    assert [message.seq for message in said] == sorted(message.seq for message in said)


def test_a_long_subject_is_found_again(database: Database) -> None:
    (seq,) = accepted(database)
    set_subject(database, seq, "v" * 1000)
    with database.read() as connection:
        assert [message.seq for message in work.of_subject(connection, "v" * 1000)] == [seq]


def test_neither_content_nor_subject_is_in_what_a_log_would_print(database: Database) -> None:
    accept(database, arrival("1", b"CANARY"))
    (entry,) = every(database)
    set_subject(database, entry.seq, "CANARY")
    assert "CANARY" not in repr(shown(database, entry.seq)) + repr(every(database)) + repr(arrival("1", b"CANARY"))
