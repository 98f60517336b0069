"""A job goes on where it was: after a kill, after a fault, beside others, and never twice at once."""

from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from hub import clock
from hub.access import Access
from hub.bulk import jobs
from hub.bulk.desk import SECOND
from hub.bulk.exporting import Exporting
from hub.bulk.jobs import Job, Lost
from hub.problems import Problem
from hub.store import settled
from hub.store.engine import Database
from hub.store.tables_bulk import bulk_job
from hub.transactions import Transactions, single
from tests.hub.asking import BASE, patient, refused
from tests.hub.bulk.bulk_world import Bulk, bulk_hub

COUNT = 23


class Killed(BaseException):
    """What kill -9 looks like from within: nothing is tidied up."""


@pytest.fixture
def bulk(swept: Database) -> Bulk:
    made = bulk_hub(swept, {}, window=4, file=7)
    made.api.have(*(patient(f"p{number}") for number in range(COUNT)))
    return made


def found(bulk: Bulk, job: str) -> list[str]:
    return [each["id"] for file in bulk.manifest(job)["output"] for each in bulk.lines(file["url"])]


def killed_after(bulk: Bulk, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker dies behind so many commits."""
    step, left = Exporting.step, [steps]

    def dying(self: Exporting, job: Job) -> Job | None:
        if not left[0]:
            raise Killed
        left[0] -= 1
        return step(self, job)

    with monkeypatch.context() as patched:
        patched.setattr(Exporting, "step", dying)
        with pytest.raises(Killed):
            bulk.lane.bulk()


def lease_ends(bulk: Bulk) -> None:
    with bulk.desk.database.write() as connection:
        connection.execute(update(bulk_job).values(lease=0))


@pytest.mark.parametrize("steps", range(7))
def test_a_killed_job_goes_on_behind_its_last_commit(
    bulk: Bulk, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = bulk.kick("/$export?_type=Patient")
    killed_after(bulk, steps, monkeypatch)
    assert not bulk.lane.bulk(), "who was killed holds its lease for a while"
    lease_ends(bulk)
    bulk.work()
    names = found(bulk, job)
    assert sorted(names) == sorted(f"p{number}" for number in range(COUNT))


def test_a_worker_that_was_thought_dead_writes_nothing_more(bulk: Bulk) -> None:
    name = bulk.kick("/$export?_type=Patient")
    database, exporting = bulk.desk.database, bulk.lane.kinds[jobs.EXPORT]
    with database.read() as connection:
        job = jobs.next_due(connection, bulk.desk._micros())
    assert job is not None
    database.writing(lambda connection: jobs.claim(connection, job, bulk.desk._micros()))
    lease_ends(bulk)
    bulk.work()
    with pytest.raises(Lost):
        exporting.step(job)
    assert len(found(bulk, name)) == COUNT


def test_two_workers_do_not_have_one_job(bulk: Bulk) -> None:
    bulk.kick("/$export?_type=Patient")
    database = bulk.desk.database
    with database.read() as connection:
        job = jobs.next_due(connection, bulk.desk._micros())
    assert job is not None
    taken = [
        database.writing(lambda connection: jobs.claim(connection, job, bulk.desk._micros())) for _ in range(2)
    ]
    assert taken == [True, False]


def test_jobs_take_turns(bulk: Bulk) -> None:
    """Each is a window further before one of them is two."""
    lane = type(bulk.lane)(bulk.lane.database, bulk.lane.kinds, bulk.lane.keep, bulk.lane.now, seconds=0)
    names = [bulk.kick("/$export?_type=Patient") for _ in range(2)]
    for _ in range(4):
        lane.bulk()
    counts = [bulk.desk.job(bulk.desk.access_of("hub"), name.rpartition("/")[2]).counted for name in names]
    assert counts == [8, 8]


def barrier(bulk: Bulk, job: str, number: int) -> None:
    with bulk.desk.database.write() as connection:
        mine = bulk_job.c.id == job.rpartition("/")[2]
        connection.execute(update(bulk_job).where(mine).values(barrier=number))


def test_a_job_that_came_by_a_backup_waits_for_nobody(bulk: Bulk) -> None:
    """Its mark is a number that this server has not given out."""
    job = bulk.kick("/$export?_type=Patient")
    barrier(bulk, job, 2**40)
    bulk.work()
    assert len(found(bulk, job)) == COUNT


def test_a_job_that_waits_for_who_writes_holds_up_no_other(bulk: Bulk) -> None:
    first, second = (bulk.kick("/$export?_type=Patient") for _ in range(2))
    barrier(bulk, second, 0)  # as an import's
    writing = nullcontext() if bulk.desk.database.is_sqlite else bulk.desk.database.write()
    with writing as connection:
        if connection is not None:
            barrier(bulk, first, settled.mark(connection))
        bulk.work()
        assert len(found(bulk, second)) == COUNT
        if connection is not None:
            assert bulk.api.get(first).status_code == 202
    bulk.work()
    assert len(found(bulk, first)) == COUNT


def failing(bulk: Bulk, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def step(self: Exporting, job: Job) -> Job | None:
        raise error

    monkeypatch.setattr(Exporting, "step", step)


def test_a_fault_of_ours_is_tried_again_and_then_told(bulk: Bulk, monkeypatch: pytest.MonkeyPatch) -> None:
    job = bulk.kick("/$export")
    failing(bulk, ZeroDivisionError("Testperson"), monkeypatch)
    tries = 0
    while bulk.lane.bulk():
        lease_ends(bulk)
        tries += 1
    assert tries == 6
    answer = bulk.api.get(job)
    refused(answer, 500, "exception")
    assert "Testperson" not in answer.text


def test_a_job_that_kills_its_worker_each_time_is_given_up(bulk: Bulk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would take the worker's other lanes along for days. A job that gets on meanwhile is not meant."""
    job = bulk.kick("/$export?_type=Patient")
    for steps in (0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0):
        killed_after(bulk, steps, monkeypatch)
        lease_ends(bulk)
    assert bulk.lane.bulk()
    assert not bulk.lane.bulk()
    refused(bulk.api.get(job), 500, "exception")


def test_a_transient_fault_costs_some_seconds(bulk: Bulk, monkeypatch: pytest.MonkeyPatch) -> None:
    job = bulk.kick("/$export?_type=Patient")
    with monkeypatch.context() as patched:
        failing(bulk, Problem("busy", "invented"), patched)
        assert bulk.lane.bulk()
    assert not bulk.lane.bulk()
    lease_ends(bulk)
    bulk.work()
    assert len(found(bulk, job)) == COUNT


def test_a_start_of_the_only_hub_frees_what_a_killed_one_held(swept: Database, monkeypatch: Any) -> None:
    from hub.bulk.lane import release

    bulk = bulk_hub(swept, {})
    bulk.kick("/$export")
    killed_after(bulk, 0, monkeypatch)
    release(swept)
    assert bulk.lane.bulk() is swept.is_sqlite


def written(bulk: Bulk, meanwhile: Callable[[], None], **condition: str) -> None:
    """A Patient; `meanwhile` is called between its stamp and the writing of it. With a condition it is written in a
    transaction of several statements, else in one of its own."""
    called: list[bool] = []

    def effects(_: object) -> list[Any]:
        if not called:
            called.append(True)
            meanwhile()
        return []

    writes = Transactions(bulk.desk.database, lambda *_: (), effects, BASE)
    entry = single("POST", "Patient", resource=patient(), **condition)
    writes.commit([entry], Access.system("a writer", "Organization/county"))


def test_what_was_stamped_before_a_kick_off_and_not_begun_comes_with_the_next_export(swept: Database) -> None:
    if swept.is_sqlite:
        pytest.skip("a SQLite database has one writer at a time")
    bulk, kicked = bulk_hub(swept, {}, margin=SECOND), []

    def begun() -> None:
        kicked.append(bulk.kick("/$export?_type=Patient"))
        bulk.work()

    written(bulk, begun)
    first = bulk.manifest(kicked[0])
    assert first["output"] == []
    later = bulk.exported(f"/$export?_type=Patient&_since={first['transactionTime']}")
    assert len(later["Patient"]) == 1


def test_an_export_waits_for_who_stamped_before_and_wrote_nothing_yet(bulk: Bulk) -> None:
    if bulk.desk.database.is_sqlite:
        pytest.skip("a SQLite database has one writer at a time")
    kicked: list[str] = []

    def begun() -> None:
        kicked.append(bulk.kick("/$export?_type=Patient"))
        assert not bulk.lane.bulk()

    written(bulk, begun, if_none_exist="identifier=urn:example:none|1")
    bulk.work()
    assert len(found(bulk, kicked[0])) == COUNT + 1


@pytest.mark.parametrize("minutes", [-5, 5])
def test_nodes_whose_clocks_differ_miss_nothing(bulk: Bulk, monkeypatch: pytest.MonkeyPatch, minutes: int) -> None:
    """What another node writes after the kick-off comes with the next export: all go by the database's clock."""
    if bulk.desk.database.is_sqlite:
        pytest.skip("a SQLite database has one node")
    first = bulk.manifest(_worked(bulk, "/$export?_type=Patient"))
    monkeypatch.setattr(clock, "_ahead", timedelta(minutes=minutes))
    written(bulk, lambda: None)
    monkeypatch.setattr(clock, "_ahead", timedelta(minutes=minutes))  # also that of who begins the next one
    since = f"/$export?_type=Patient&_since={first['transactionTime']}"
    second = bulk.manifest(_worked(bulk, since))
    assert [file["count"] for file in second["output"]] == [1]
    assert second["transactionTime"] > first["transactionTime"]
    later = bulk.manifest(_worked(bulk, f"/$export?_type=Patient&_since={second['transactionTime']}"))
    assert later["output"] == [], "and nothing twice"


def _worked(bulk: Bulk, path: str) -> str:
    job = bulk.kick(path)
    bulk.work()
    return job


def test_an_export_waits_for_what_was_being_written_at_its_kick_off(bulk: Bulk) -> None:
    database = bulk.desk.database
    if database.is_sqlite:
        pytest.skip("a SQLite database has one writer at a time")
    with database.write() as writing:
        writing.execute(text("SELECT pg_current_xact_id()"))
        job = bulk.kick("/$export?_type=Patient")
        assert not bulk.lane.bulk()
    bulk.work()
    assert len(found(bulk, job)) == COUNT
