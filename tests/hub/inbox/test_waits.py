"""A parked message goes on by itself when what it waits for is there. Each test runs on SQLite and PostgreSQL."""

import pytest
from sqlalchemy import Connection

from hub.inbox import waits
from hub.inbox.replaying import taken
from hub.inbox.retention import DAY, Retention
from hub.store.engine import Database
from tests.hub.inbox_steps import NOW, accepted, claim, lined, park, shown

HAVE: set[str] = set()


@pytest.fixture(autouse=True)
def nothing_yet() -> None:
    HAVE.clear()


def is_there(_: Connection, key: str) -> bool:
    return key in HAVE


def go_on(database: Database) -> int:
    return waits.go_on(database, {"code": is_there})


def test_exactly_the_messages_that_wait_for_it_go_on_in_their_order(database: Database) -> None:
    first, other, second, person = accepted(database, 4)
    for seq, key in ((first, "0005|W"), (other, "0005|X"), (second, "0005|W")):
        park(database, seq, "unmapped", "no row", "PID-10", ("code", key))
    park(database, person, "unmapped", "no row")
    assert go_on(database) == 0
    HAVE.add("0005|W")
    assert go_on(database) == 2
    assert [message.seq for message in claim(database)] == [first, second]
    assert [shown(database, seq).state for seq in (other, person)] == ["unmapped", "unmapped"]
    assert go_on(database) == 0


def test_what_goes_on_begins_afresh(database: Database) -> None:
    (seq,) = accepted(database)
    claim(database)
    park(database, seq, "unmapped", "no row", "PID-10", ("code", "a"))
    HAVE.add("a")
    go_on(database)
    (message,) = claim(database)
    assert (message.attempts, message.reason, message.location, message.awaits_kind) == (0, None, None, None)


def test_a_message_that_waits_behind_others_is_not_given_out_before_them(database: Database) -> None:
    earlier, later = lined(database, 7, 7)
    park(database, earlier, "unmapped", awaits=("code", "a"))
    HAVE.add("a")
    go_on(database)
    assert [message.seq for message in claim(database)] == [earlier]
    assert shown(database, later).state == "received"


def test_more_than_one_chunk_goes_on(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "CHUNK", 3)
    for number, seq in enumerate(accepted(database, 10)):
        park(database, seq, "unmapped", awaits=("code", f"k{number % 5}"))
    HAVE.update({"k0", "k4", "k2"})
    assert go_on(database) == 6


def test_a_look_up_that_fails_holds_up_no_other_kind(database: Database) -> None:
    broken, fine, strange = accepted(database, 3)
    park(database, broken, "unmapped", awaits=("broken", "a"))
    park(database, fine, "unmapped", awaits=("code", "a"))
    park(database, strange, "unmapped", awaits=("of another release", "a"))
    HAVE.add("a")

    def fails(_: Connection, __: str) -> bool:
        raise ValueError

    assert waits.go_on(database, {"broken": fails, "code": is_there}) == 1
    assert [shown(database, seq).state for seq in (broken, fine, strange)] == ["unmapped", "received", "unmapped"]


def test_what_a_person_replays_waits_for_nothing_any_more(database: Database) -> None:
    (seq,) = accepted(database)
    park(database, seq, "unmapped", awaits=("code", "a"))
    database.writing(lambda c: taken(c, [seq]))
    claim(database)
    HAVE.add("a")
    assert go_on(database) == 0


def test_what_was_emptied_does_not_go_on(database: Database) -> None:
    (seq,) = accepted(database)
    park(database, seq, "unmapped", awaits=("code", "a"))
    assert Retention(database, 0, 1, {}).turn(NOW + 2 * DAY) == 1
    HAVE.add("a")
    go_on(database)
    assert (shown(database, seq).state, shown(database, seq).awaits_kind) == ("unmapped", None)
