"""Nodes over one PostgreSQL count together what clients take."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from hub import clock
from hub.problems import Problem
from hub.rest import shared_limits
from hub.rest.limits import DAY, NANO, Rates, Throttle
from hub.rest.peers import Peers
from hub.rest.shared_limits import Sharing
from hub.store.engine import Database
from tests.postgresql import Cluster

pytestmark = pytest.mark.postgresql
KEY = b"a key of the tests, of 32 letters"
START = 20_000 * DAY * NANO
RATES = Rates(per_second=1, burst=10, a_day=1000, failures_a_minute=6)
STRANGER = {"REMOTE_ADDR": "198.51.100.7"}


class Node:
    """One machine: its folder, its clock, its throttle."""

    def __init__(self, database: Database, folder: Path, rates: Rates = RATES):
        folder.mkdir()
        self.at = START
        self.throttle = Throttle(rates, folder, KEY, Peers(), lambda: self.at, tells=True)
        self.sharing = Sharing(database, self.throttle.books, folder, lambda: self.at)

    def takes(self, count: int, who: str = "client") -> int:
        """How many of so many requests are answered."""
        return sum(_passes(lambda: self.throttle.take(who, {})) for _ in range(count))

    def fails(self, count: int) -> int:
        return sum(_passes(lambda: self.throttle.failed(STRANGER)) for _ in range(count))


def _passes(ask: Callable[[], None]) -> bool:
    try:
        ask()
    except Problem as problem:
        if problem.kind == "throttled":
            return False
        raise
    return True


@pytest.fixture
def database(postgresql: Cluster) -> Iterator[Database]:
    url = postgresql.create_database("limits", "migrated")
    opened = Database(url, pool_size=4)
    yield opened
    opened.close()
    postgresql.drop_database("limits")


@pytest.fixture
def nodes(database: Database, tmp_path: Path) -> tuple[Node, Node]:
    return Node(database, tmp_path / "one"), Node(database, tmp_path / "two")


def told(*nodes: Node) -> None:
    """A second passes, as far as telling goes: each tells, then each has heard."""
    for node in (*nodes, *nodes):
        node.sharing.exchange()


def test_a_client_has_one_bucket_on_two_nodes(nodes: tuple[Node, Node]) -> None:
    one, two = nodes
    assert one.takes(6) == 6
    told(one, two)
    assert two.takes(10) == 4
    assert one.takes(10, "other") == 10, "others have their own"
    told(one, two)
    assert (one.takes(1), two.takes(1)) == (0, 0)
    one.at = two.at = START + 3 * NANO
    told(one, two)
    assert one.takes(10) == 3, "a bucket fills at its pace, not at a pace for each node"
    told(one, two)
    assert two.takes(10) == 0


def test_what_two_nodes_gave_in_the_same_second_is_counted_twice_and_no_bucket_is_more_than_empty(
    nodes: tuple[Node, Node],
) -> None:
    one, two = nodes
    assert (one.takes(20), two.takes(20)) == (10, 10)
    told(one, two)
    one.at = two.at = START + 5 * NANO
    told(one, two)
    assert (one.takes(5), two.takes(5)) == (0, 0), "both buckets were emptied: twice as long"
    one.at = two.at = START + 15 * NANO
    told(one, two)
    assert one.takes(10) == 5


def test_a_days_quota_is_of_all_nodes(database: Database, tmp_path: Path) -> None:
    rates = Rates(a_day=5)
    one, two = Node(database, tmp_path / "one", rates), Node(database, tmp_path / "two", rates)
    assert one.takes(3) == 3
    told(one, two)
    assert two.takes(5) == 2
    told(one, two)
    assert one.takes(1) == 0
    one.at = two.at = START + DAY * NANO
    told(one, two)
    assert two.takes(9) == 5


def test_wrong_secrets_are_counted_together(nodes: tuple[Node, Node]) -> None:
    one, two = nodes
    assert one.fails(6) == 6
    told(one, two)
    assert two.fails(1) == 0


def test_what_could_not_be_told_is_told_later(nodes: tuple[Node, Node], postgresql: Cluster) -> None:
    one, two = nodes
    assert one.takes(6) == 6
    with one.sharing._database.write() as connection:
        connection.execute(text("ALTER TABLE limit_taken RENAME TO away"))
    with pytest.raises(Problem):
        one.sharing.exchange()
    with one.sharing._database.write() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO limit_taken"))
    told(one, two)
    assert two.takes(10) == 4


def test_one_process_of_a_node_tells(nodes: tuple[Node, Node], tmp_path: Path) -> None:

    one, _ = nodes
    assert one.sharing.is_mine()
    assert one.sharing.is_mine()
    program = (
        "import fcntl, os, sys\n"
        f"lock = os.open({str(tmp_path / 'one' / 'limits.lock')!r}, os.O_RDWR)\n"
        "try: fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
        "except OSError: sys.exit(3)\n"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 3


@pytest.mark.parametrize("off", [3600 * NANO, -300 * NANO, 400 * DAY * NANO])
def test_a_node_whose_clock_was_wrong_for_a_while_locks_nobody_out(nodes: tuple[Node, Node], off: int) -> None:
    """One wrong password was counted there meanwhile. Afterwards all count as before."""
    one, two = nodes
    one.at = START + off
    assert one.fails(1) == 1
    assert one.takes(3) == 3
    one.sharing.exchange()
    one.at = START
    told(one, two)
    assert _passes(lambda: two.throttle.check(STRANGER))
    assert two.takes(6) == 6
    told(one, two)
    assert one.takes(10) == 4, "of the bucket"
    assert two.fails(6) == 6
    told(one, two)
    assert one.fails(1) == 0


def test_a_days_count_outlives_a_node_whose_clock_was_a_day_ahead(database: Database, tmp_path: Path) -> None:
    rates = Rates(a_day=5)
    one, two = Node(database, tmp_path / "one", rates), Node(database, tmp_path / "two", rates)
    assert two.takes(4) == 4
    told(one, two)
    one.at = START + DAY * NANO
    assert one.takes(2) == 2
    one.sharing.exchange()
    one.at = START
    told(one, two)
    assert two.takes(2) == 1


def test_what_a_wrong_clock_left_is_forgotten(nodes: tuple[Node, Node], database: Database) -> None:
    one, two = nodes
    one.at = START + 400 * DAY * NANO
    assert (one.fails(1), one.takes(1)) == (1, 1)
    one.sharing.exchange()
    two.sharing._forgotten -= 3600
    two.sharing.exchange()
    with database.read() as connection:
        assert connection.execute(text("SELECT book FROM limit_taken")).all() == []


def test_every_process_of_a_node_goes_by_the_databases_clock(
    nodes: tuple[Node, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = nodes
    monkeypatch.setattr(shared_limits, "EVERY_SECONDS", 0.05)
    monkeypatch.setattr(clock, "_ahead", timedelta(hours=1))
    monkeypatch.setattr(Sharing, "is_mine", lambda _: False)
    one.sharing.start()
    while abs(clock.now() - clock.own()) > timedelta(seconds=30):
        time.sleep(0.01)
    one.sharing.stop()


def test_rows_of_full_buckets_are_forgotten(nodes: tuple[Node, Node], database: Database) -> None:
    one, two = nodes
    one.takes(3)
    told(one, two)
    one.at = two.at = START + 60 * NANO
    one.sharing._forgotten -= 3600
    one.sharing.exchange()
    with database.read() as connection:
        assert connection.execute(text("SELECT book FROM limit_taken")).scalars().all() == ["days"]
