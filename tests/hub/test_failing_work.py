"""Outbox work whose handler raises: tried for three days, then a person's; its line goes on (docs/runbook.md, "Work
was given up")."""

from datetime import timedelta

import pytest

from hub import clock, outbox
from hub.outbox import Done, Work, row
from hub.problems import Problem
from hub.store.engine import Database
from hub.worker import Worker

DAYS = 5


def states(database: Database, error: Exception) -> dict[str, str]:
    """Of two in one line, the first of which fails, after five days of hourly looks."""
    done: list[str] = []

    def handle(work: Work) -> Done:
        if work.key == "poison":
            raise error
        done.append(work.key)
        return Done()

    begin = clock.now()
    at = [begin]
    with database.write() as connection:
        rows = [row("referral", key, {}, clock.micros(begin), line="one") for key in ("poison", "after")]
        outbox.add(connection, rows)
    worker = Worker(database, {}, {"referral": handle}, {}, now=lambda: at[0])
    while at[0] < begin + timedelta(days=DAYS):
        at[0] += timedelta(hours=1, minutes=1)
        worker._work_lane()
        if at[0] - begin < timedelta(days=2):
            assert not done, "its turn has not come"
    return {one.key: one.state for state in ("waiting", "done", "dead") for one in _listed(database, state)}


def _listed(database: Database, state: str) -> list[outbox.Entry]:
    with database.read() as connection:
        return outbox.listed(connection, state)


def test_a_fault_of_ours_is_given_up_after_three_days_and_its_line_goes_on(database: Database) -> None:
    assert states(database, ZeroDivisionError()) == {"poison": "dead", "after": "done"}
    (entry,) = _listed(database, "dead")
    assert entry.reason == "ZeroDivisionError"


@pytest.mark.parametrize("kind", ["busy", "no-space"])
def test_a_database_that_is_away_gives_nothing_up(database: Database, kind: str) -> None:
    assert states(database, Problem(kind, "not now")) == {"poison": "waiting", "after": "waiting"}
