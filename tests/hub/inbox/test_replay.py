"""A person says which messages are processed again. Each test runs on SQLite and on PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

from hub.inbox import listing, replaying
from hub.inbox.choosing import Which, ranges, reason_kind
from hub.inbox.replaying import planned, replay
from hub.store.engine import Database
from hub.store.tables import inbox as table
from tests.hub.inbox_steps import NOW, accept, accepted, arrival, claim, every, park, process, shown


@pytest.fixture
def mixed(database: Database) -> Database:
    """1 received, 2 processed, 3 and 4 unmapped by W and X, 5 unmatched of another feed that came later."""
    accepted(database, 4)
    accept(database, arrival("x", feed="LAB|HOSPITAL_TWO"))
    process(database, 2)
    park(database, 3, "unmapped", "The code has no row in table 0005: W", "PID-10")
    park(database, 4, "unmapped", "The code has no row in table 0063: X", "NK1-3")
    park(database, 5, "unmatched", "Who?", "PID-3")
    with database.write() as connection:
        connection.execute(update(table).where(table.c.seq == 5).values(received=NOW + 10))
    return database


@pytest.mark.parametrize(
    ("which", "seqs"),
    [
        (Which(ranges=((3, 3),)), [3]),
        (Which(ranges=((1, 3), (5, 9))), [3, 5]),
        (Which(states=("unmapped",)), [3, 4]),
        (Which(states=("unmapped", "unmatched")), [3, 4, 5]),
        (Which(source="adt"), [3, 4, 5]),
        (Which(source="hmis"), []),
        (Which(feed="LAB|HOSPITAL_TWO"), [5]),
        (Which(reason="The code has no row in table 0005"), [3]),
        (Which(reason="100% sure"), []),
        (Which(since=NOW + 10), [5]),
        (Which(until=NOW + 10), [3, 4]),
        (Which(states=("unmapped",), reason="Who?"), []),
    ],
)
def test_those_that_were_chosen_are_processed_again_and_a_dry_run_says_so_before(
    mixed: Database, which: Which, seqs: list[int]
) -> None:
    with mixed.read() as connection:
        plan = planned(connection, which, processed=False)
    assert plan.number == len(seqs)
    assert [entry.seq for entry in every(mixed, "received")] == [1]  # a dry run does nothing
    assert replay(mixed, which) == plan
    assert [message.seq for message in claim(mixed)] == sorted({1, *seqs})


def test_what_is_received_and_what_is_processed_is_left_alone_and_counted(mixed: Database) -> None:
    claim(mixed)
    done = replay(mixed, Which(ranges=((1, 3),)))
    assert (done.again, done.received, done.processed) == ({"unmapped": 1}, 1, 1)
    assert (shown(mixed, 1).attempts, shown(mixed, 2).state) == (1, "processed")


def test_processed_messages_are_processed_again_where_the_person_says_so(mixed: Database) -> None:
    assert replay(mixed, Which(ranges=((2, 2),)), processed=True).again == {"processed": 1}
    assert shown(mixed, 2).state == "received"


def test_a_long_range_goes_chunk_by_chunk(mixed: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "CHUNK", 1)
    assert replay(mixed, Which(source="adt")).again == {"unmapped": 2, "unmatched": 1}


def test_two_persons_who_replay_at_once_replay_each_message_once(database: Database) -> None:
    for seq in accepted(database, 60):
        park(database, seq, "unmatched")
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: replay(database, Which(states=("unmatched",))).number, range(4)))
    assert sum(done) == 60


def test_reasons_are_counted_by_kind(mixed: Database) -> None:
    with mixed.read() as connection:
        found = listing.counts_by_reason(connection)
    assert [tuple(one) for one in found] == [
        ("processed", "", 1),
        ("received", "", 1),
        ("unmapped", "The code has no row in table 0005", 1),
        ("unmapped", "The code has no row in table 0063", 1),
        ("unmatched", "Who?", 1),
    ]


def test_the_oldest_that_nobody_has_ended_is_known(mixed: Database) -> None:
    with mixed.read() as connection:
        assert listing.oldest_received(connection) == NOW
    process(mixed, 1)
    with mixed.read() as connection:
        assert listing.oldest_received(connection) is None


@pytest.mark.parametrize("words", [["x"], ["-1"], ["9-3"], ["1-2-3"], ["1,2"], ["9" * 30]])
def test_numbers_that_are_none_are_refused(words: list[str]) -> None:
    with pytest.raises(ValueError, match=r"no number|backwards"):
        ranges(words)


def test_numbers_and_ranges_are_read() -> None:
    assert ranges(["17", "120-180"]) == ((17, 17), (120, 180))


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("The code has no row in table 0005: W", "The code has no row in table 0005"),
        ("204: nobody has brought the number", "204: nobody has brought the number"),
        ("Who?", "Who?"),
        ("", ""),
    ],
)
def test_a_kind_of_reason_is_the_reason_without_its_code(reason: str, kind: str) -> None:
    assert reason_kind(reason) == kind
