"""R10: clocks that differ by minutes or hours, jump, leap, or change their offset: no token lives on, nothing gets
older, what waits does not wait for ever, and no order breaks."""

import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, insert, select, update

from auth import clients
from auth.development_token import new_key, public_jwks
from auth.guard import Guard
from auth.housekeeping import end_tokens, forget_expired
from auth.tokens import Grant, token_hash
from auth.tokens import store as keep
from hub import clock, outbox
from hub.inbox import work
from hub.notifications.events import effects
from hub.problems import Problem
from hub.set_back import LEAST, SetBack, moved
from hub.store import calls, tables
from hub.store.batch import AGE, Batch
from hub.store.engine import Database, Overtaken
from hub.store.read import Stored
from hub.store.rids import new_rid
from hub.store.write import store
from hub.transactions import Transactions, single
from hub.worker import Chore, Worker
from tests.hub.asking import BASE, CLIENTS, patient, validator
from tests.hub.inbox_steps import lined, process, shown
from tests.hub.notifications.conftest import CLIENT
from tests.waiting import until

TOKEN = "t" * 43
SECOND = 1_000_000
HOUR = 3600 * SECOND
JUMPS = [timedelta(minutes=5), timedelta(hours=1), timedelta(seconds=1)]  # the last one: a leap second
BOTH_WAYS = [*JUMPS, *(-jump for jump in JUMPS)]


@pytest.fixture
def hand() -> Any:
    """A clock that the test sets: `hand.by` is how far it is off."""
    found = SimpleNamespace(by=timedelta())
    found.now = lambda: clock.now() + found.by
    return found


@pytest.fixture
def granted(database: Database) -> Database:
    """A client has a token for five minutes."""
    client = clients.Client("ehr", "Invented EHR", "ehr", CLIENTS["all"], public_jwks(new_key("ES384")))
    with database.write() as connection:
        clients.add(connection, client, clock.now())
        keep(connection, TOKEN, Grant("ehr", CLIENTS["all"]), clock.now(), 300)
    return database


def enters(guard: Guard) -> bool:
    try:
        guard.access_of({"HTTP_AUTHORIZATION": f"Bearer {TOKEN}"})
    except Problem as problem:
        return problem.kind != "login"
    return True


def ended(database: Database, seconds: int) -> None:
    """The token ended so long ago, by everybody's clock that is right."""
    past = clock.micros(clock.now()) - seconds * SECOND
    with database.write() as connection:
        connection.execute(update(tables.token).values(issued=past - 300 * SECOND, expires=past))


@pytest.mark.parametrize("behind", [timedelta(minutes=5), timedelta(hours=1)])
@pytest.mark.parametrize("database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)
def test_a_node_whose_clock_is_behind_takes_no_token_a_minute_after_its_end(
    granted: Database, hand: Any, behind: timedelta
) -> None:
    """With PostgreSQL the database's clock counts as well."""
    hand.by = -behind
    assert enters(Guard(granted, hand.now))
    ended(granted, 61)
    assert not enters(Guard(granted, hand.now))


@pytest.mark.parametrize("back", [timedelta(minutes=5), timedelta(hours=1)])
def test_a_token_does_not_outlive_a_clock_that_was_set_back(granted: Database, hand: Any, back: timedelta) -> None:
    """Where there is no other clock (SQLite), all tokens end."""
    guard = Guard(granted, hand.now)
    assert enters(guard)
    with granted.write() as connection:
        moved(connection, clock.micros(hand.now()), back // clock.MICROSECOND, (end_tokens,))
    hand.by = -back
    assert not enters(guard), "not by what the guard remembers either"


def test_a_clock_that_is_set_forward_ends_tokens_early(granted: Database, hand: Any) -> None:
    hand.by = timedelta(minutes=5, seconds=1)
    assert not enters(Guard(granted, hand.now))


@pytest.mark.parametrize("jump", [timedelta(minutes=5), timedelta(hours=1)])
def test_an_assertion_is_known_again_after_a_clock_ran_ahead_for_a_while(
    granted: Database, jump: timedelta
) -> None:
    """Housekeeping ran while it was ahead; then it is right again and the assertion is not past its end."""
    row = {"client": "ehr", "jti": "once", "expires": clock.micros(clock.now()) + 240 * SECOND}
    with granted.write() as connection:
        connection.execute(insert(tables.assertion).values(row))
        forget_expired(connection, clock.now() + jump)
        assert connection.execute(select(tables.assertion.c.jti)).scalars().all() == ["once"]


@pytest.mark.parametrize("jump", BOTH_WAYS)
def test_no_resource_gets_older(database: Database, hand: Any, jump: timedelta) -> None:
    writes = Transactions(database, validator, effects, BASE, hand.now)
    moments = []
    for number in range(6):
        hand.by = jump if number % 2 else timedelta()
        entry = single("PUT", "Patient", id="p", resource=patient("p", birthDate=f"19{50 + number}"))
        (result,) = writes.commit([entry], CLIENT)
        assert result.stored is not None
        moments.append((result.stored.version, result.stored.last_updated))
    assert moments == sorted(moments)
    assert len({at for _, at in moments}) == 6
    assert [version for version, _ in moments] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("jump", BOTH_WAYS)
def test_two_workers_whose_clocks_differ_keep_the_order_and_end_a_message_once(
    database: Database, jump: timedelta
) -> None:
    first, second = lined(database, 11, 11)
    now = clock.micros(clock.now())
    other = now + jump // clock.MICROSECOND
    (mine,) = database.writing(lambda c: work.claim(c, now, 60, 20))
    theirs = database.writing(lambda c: work.claim(c, other, 60, 20))
    assert [message.seq for message in (mine, *theirs)] in ([first], [first, first]), "never the second one"
    process(database, first)  # by who claimed it last
    if theirs:
        with pytest.raises(work.Lost):
            database.writing(lambda c: work.processed(c, mine, now))
    (after,) = database.writing(lambda c: work.claim(c, max(now, other), 60, 20))
    assert after.seq == second


def test_what_waits_does_not_wait_an_hour_longer_because_the_clock_was_set_back(database: Database) -> None:
    now = clock.micros(clock.now())
    (leased,) = lined(database, 11)
    assert database.writing(lambda c: work.claim(c, now, 60, 20))
    rows = [outbox.row("notice", "a", {}, now), outbox.row("notice", "b", {}, now + 2 * HOUR)]
    database.writing(lambda c: outbox.add(c, rows))
    with database.write() as connection:
        moved(connection, now - HOUR, HOUR)
    back = now - HOUR
    assert shown(database, leased).due == back + 60 * SECOND
    claimed = database.writing(lambda c: outbox.claim(c, ("notice",), back, 60, 20))
    assert [one.key for one in claimed] == ["a"]


def test_only_a_jump_back_is_one() -> None:
    hand = SimpleNamespace(wall=datetime(2026, 11, 23, tzinfo=UTC), steady=0.0)
    watched = SetBack(lambda: hand.wall, lambda: hand.steady)
    found = []
    for wall, steady in ((1, 1), (-3600, 1), (1, 1), (3600, 1), (-1, 1), (0, 120), (1, 1)):
        hand.wall += timedelta(seconds=wall)
        hand.steady += steady
        found.append(watched.look() // SECOND)
    assert found == [0, 3601, 0, 0, 0, 120, 0]
    assert LEAST == 30 * SECOND


def test_chores_go_on_while_the_clock_is_set_back(database: Database, hand: Any) -> None:
    done: list[int] = []

    def do(now: int) -> None:
        done.append(now)
        hand.by = -timedelta(hours=1)

    worker = Worker(database, {}, {}, {}, [Chore(timedelta(0), do)], now=hand.now)
    worker.start()
    while len(done) < 2:
        clock.now()
    worker.stop()
    assert done[1] < done[0]


def test_no_offset_of_a_zone_has_a_word_in_the_hubs_time() -> None:
    """The night in which California sets its clocks back, and the one in which it sets them forward."""
    zone = ZoneInfo("America/Los_Angeles")
    for day in (datetime(2026, 11, 1, tzinfo=zone), datetime(2026, 3, 8, tzinfo=zone)):
        told = [clock.instant(clock.micros(day) + minute * 60 * SECOND) for minute in range(24 * 60)]
        assert told == sorted(told)
        assert all(text.endswith("Z") for text in told)


# with PostgreSQL, the database's clock is everybody's

ON_POSTGRESQL = pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True
)


@pytest.fixture(params=BOTH_WAYS[:2] + BOTH_WAYS[3:5])
def wrong(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> timedelta:
    """This node's clock is so far off (the database's is this machine's)."""
    off: timedelta = request.param
    monkeypatch.setattr(clock, "_ahead", off)
    return off


def is_right() -> bool:
    return abs(clock.now() - clock.own()) < timedelta(seconds=30)  # a busy machine: the least jump is five minutes


@ON_POSTGRESQL
def test_what_is_written_is_stamped_by_the_databases_clock(database: Database, wrong: timedelta) -> None:
    writes = Transactions(database, validator, effects, BASE)
    (result,) = writes.commit([single("POST", "Patient", resource=patient())], CLIENT)
    assert result.stored is not None
    assert abs(clock.moment(result.stored.last_updated) - clock.own()) < timedelta(seconds=30)
    assert is_right()


@ON_POSTGRESQL
def test_what_was_stamped_before_a_pause_is_not_written_so(database: Database) -> None:
    """One statement is the transaction: nobody who reads what changed since knew that it was to come."""
    now = clock.micros(clock.own())
    for number, stamp in enumerate((now - AGE - SECOND, now + AGE + 30 * SECOND)):
        row = Stored(new_rid(now), "Patient", f"slept-{number}", 1, stamp, False, b"{}")
        with pytest.raises(Overtaken):
            database.at_once(lambda _, row=row: Batch(created=[row]), lambda c, batch: store(c, batch, alone=True))
        with database.read() as connection:
            assert not connection.execute(select(tables.resource.c.rid)).all()


@ON_POSTGRESQL
def test_who_took_long_to_decide_stamps_anew_and_decides_once(database: Database) -> None:
    decided: list[int] = []

    def slowly(_: object) -> list[Any]:
        decided.append(clock.micros(clock.own()))
        time.sleep(1.1 * AGE / SECOND)
        return []

    writes = Transactions(database, validator, slowly, BASE)
    (result,) = writes.commit([single("PUT", "Patient", id="p", resource=patient("p"))], CLIENT)
    assert result.stored is not None
    assert len(decided) == 1
    assert result.stored.last_updated >= decided[0] + AGE


@ON_POSTGRESQL
def test_a_delivery_of_a_node_whose_clock_is_wrong_leaves_once(database: Database, wrong: timedelta) -> None:
    """Another node, whose clock is right, looks for work while the first one sends."""
    row = outbox.row("notice", "a", {}, clock.micros(clock.own()) - HOUR, "line")
    database.writing(lambda c: outbox.add(c, [row]))
    found: list[list[outbox.Work]] = []

    def sends(_: outbox.Work) -> outbox.Outcome:
        other = clock.micros(clock.own())
        found.append(database.writing(lambda c: outbox.claim(c, ("notice",), other, 60, 20)))
        return outbox.Done()

    worker = Worker(database, {}, {}, {"notice": sends})
    worker.start()
    until(lambda: found)
    worker.stop()
    assert found == [[]]


@ON_POSTGRESQL
def test_a_worker_learns_that_its_clock_jumped(
    database: Database, monkeypatch: pytest.MonkeyPatch, wrong: timedelta
) -> None:
    monkeypatch.setattr(calls, "HEAR_SECONDS", 0.05)
    worker = Worker(database, {}, {}, {})
    worker.start()
    monkeypatch.setattr(clock, "_ahead", wrong)
    until(is_right)
    worker.stop()


def test_a_clock_is_set_right_once_and_not_for_what_a_network_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_ahead", timedelta())
    at = clock.own()
    told = clock.micros(at)
    clock.follow(told, at - timedelta(minutes=1), at + timedelta(milliseconds=90))
    clock.follow(told, at + timedelta(milliseconds=90), at + timedelta(minutes=1))
    assert clock._ahead == timedelta()
    for _ in range(2):  # two threads that ask at the same time
        clock.follow(told + HOUR, at, at)
    assert clock._ahead == timedelta(hours=1)
    clock.follow(told, at, at)
    assert clock._ahead == timedelta()


def test_the_token_of_the_tests_is_one(granted: Database) -> None:
    """What these tests refuse, they would let in else."""
    assert enters(Guard(granted))
    with granted.write() as connection:
        connection.execute(delete(tables.token).where(tables.token.c.hash == token_hash(TOKEN)))
    assert not enters(Guard(granted))
