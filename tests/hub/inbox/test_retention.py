"""Old messages are emptied where nobody will read them again, and never deleted. Each test runs on SQLite and on
PostgreSQL."""

import pytest
from sqlalchemy import Connection

from hub.inbox import retention
from hub.inbox.choosing import Which
from hub.inbox.replaying import planned, replay
from hub.inbox.retention import DAY, Retention
from hub.store.engine import Database
from tests.hub.inbox_steps import NOW, accept, accepted, arrival, park, process, set_subject, shown

LATER = NOW + 40 * DAY


def over(_: Connection, subject: str) -> bool:
    return subject.startswith("over")


def of(database: Database, processed: int = 30, parked: int = 0) -> Retention:
    return Retention(database, processed, parked, {"adt": over})


def told(database: Database, seq: int, subject: str | None, at: int = NOW) -> None:
    if subject:
        set_subject(database, seq, subject)
    process(database, seq, at)


def emptied(database: Database, *seqs: int) -> list[bool]:
    return [not shown(database, seq).raw for seq in seqs]


def test_what_is_processed_of_a_subject_that_is_over_and_old_is_emptied(database: Database) -> None:
    one, two, is_open, nobody = accepted(database, 4)
    told(database, one, "over 1")
    told(database, two, "over 1")
    told(database, is_open, "open 1")
    told(database, nobody, None)
    assert of(database).turn(LATER) == 3
    assert emptied(database, one, two, is_open, nobody) == [True, True, False, True]
    assert of(database).turn(LATER) == 0


def test_a_subject_whose_newest_message_is_young_keeps_all(database: Database) -> None:
    old, young = accepted(database, 2)
    told(database, old, "over 1")
    told(database, young, "over 1", LATER - 29 * DAY)
    assert of(database).turn(LATER) == 0
    assert emptied(database, old, young) == [False, False]


@pytest.mark.parametrize("state", ["received", "waiting", "unmapped"])
def test_a_subject_with_something_under_way_keeps_all(database: Database, state: str) -> None:
    old, under_way = accepted(database, 2)
    told(database, old, "over 1")
    set_subject(database, under_way, "over 1")
    if state != "received":
        park(database, under_way, state)
    assert of(database).turn(LATER) == 0


def test_nothing_is_emptied_without_a_policy(database: Database) -> None:
    one, two = accepted(database, 2)
    told(database, one, "over 1")
    park(database, two, "refused")
    assert of(database, 0, 0).turn(LATER * 100) == 0
    assert emptied(database, one, two) == [False, False]


def test_what_waited_too_long_for_a_person_is_emptied_by_a_policy_of_its_own(database: Database) -> None:
    refused, dead, received = accepted(database, 3)
    park(database, refused, "refused")
    park(database, dead, "dead")
    accept(database, arrival("told at the door", b"wrong", state="refused", reason="203", location="MSH-12"))
    assert of(database, 0, 30).turn(LATER) == 3
    assert emptied(database, refused, dead, received) == [True, True, False]


def test_an_emptied_message_that_comes_again_is_a_duplicate_and_other_content_a_conflict(
    database: Database,
) -> None:
    accept(database, arrival("1", b"as it came"))
    told(database, 1, "over 1")
    of(database).turn(LATER)
    assert accept(database, arrival("1", b"as it came")) == ["duplicate"]
    assert accept(database, arrival("1", b"other")) == ["conflict"]
    assert (shown(database, 1).state, shown(database, 1).subject) == ("processed", "over 1")


def test_an_emptied_message_is_not_replayed(database: Database) -> None:
    (seq,) = accepted(database)
    told(database, seq, "over 1")
    of(database).turn(LATER)
    everything = Which(ranges=((1, 9),))
    with database.read() as connection:
        assert planned(connection, everything, processed=True).emptied == 1
    assert (replay(database, everything, processed=True).number, shown(database, seq).state) == (0, "processed")


def test_each_turn_looks_at_so_many_rows_and_the_next_goes_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LOOKED_AT", 4)
    seqs = accepted(database, 10)
    for seq in seqs:
        told(database, seq, "open" if seq % 2 else None)
    chore = of(database)
    assert [chore.turn(LATER) for _ in range(4)] == [2, 2, 1, 0]
    assert emptied(database, *seqs) == [not seq % 2 for seq in seqs]
