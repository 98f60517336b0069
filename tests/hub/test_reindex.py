"""The indexing of what is stored already: what is written meanwhile, and what interrupts it."""

import threading
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, select
from typer.testing import CliRunner

from hub import clock, reindex
from hub.fhir import json
from hub.reindex_commands import reindex_commands
from hub.search import custom
from hub.search.index import index_rows
from hub.store import parameters
from hub.store import tables as t
from hub.store.engine import Database
from tests.hub.asking import BASE, Api, patient
from tests.hub.reindexing import (
    INDEXES,
    LEAPS,
    URL,
    called,
    finish,
    jobs,
    later,
    ready,
    renewed,
    rows,
    search_parameter,
    states,
    work_of,
)


def test_what_was_stored_before_is_found_once_it_is_indexed(hub: Api) -> None:
    hub.have(*(patient(f"p{number}", **called("Zaza" if number % 2 else "Kiko")) for number in range(10)))
    ready(hub)
    assert sorted(hub.found("/Patient?nickname=zaz")) == ["p1", "p3", "p5", "p7", "p9"]
    assert hub.found("/Patient?nickname:exact=Kiko&_id=p4") == ["p4"]
    assert hub.found("/Patient?nickname:missing=true") == []
    assert hub.get("/Patient?nickname=zaz&_summary=count").json["total"] == 5
    assert len(hub.found("/Patient?_sort=nickname")) == 10
    assert states(hub) == [custom.READY]


def test_the_indexing_waits_until_every_process_knows(hub: Api) -> None:
    hub.have(search_parameter())
    assert parameters.SETTLED > 2 * parameters.EVERY * parameters.SECOND
    assert not reindex.Reindex(hub.database, BASE).step()
    assert reindex.Reindex(hub.database, BASE, later()).step()


def test_what_is_written_before_and_while_it_is_indexed_is_found(hub: Api) -> None:
    hub.have(patient("before", **called("Zaza")), patient("changed", **called("Zaza")))
    hub.have(search_parameter())
    parameters.look_again()
    hub.have(patient("known", **called("Zaza")), patient("changed", **called("Kiko")))
    work = work_of(hub.database, batch=1)
    assert work.step()
    hub.have(patient("known", **called("Kiko")), patient("new", **called("Zaza")))
    finish(hub.database)
    assert sorted(hub.found("/Patient?nickname=zaza")) == ["before", "new"]
    assert sorted(hub.found("/Patient?nickname=kiko")) == ["changed", "known"]


def test_a_writer_at_the_same_time_leaves_the_index_as_it_should_be(hub: Api) -> None:
    hub.have(*(patient(f"p{number}", **called("Zaza")) for number in range(12)))
    hub.have(search_parameter())
    parameters.look_again()
    answers: list[int] = []

    def write() -> None:
        for turn in range(4):
            for number in range(12):
                body = patient(f"p{number}", **called("Kiko" if turn % 2 == 0 else "Zaza"), active=turn > 1)
                answers.append(hub.put(f"/Patient/p{number}", body).status_code)

    writer = threading.Thread(target=write)
    writer.start()
    work = work_of(hub.database, batch=2)
    while writer.is_alive():
        work.step()
    writer.join()
    finish(hub.database)
    assert set(answers) == {200}
    assert len(hub.found("/Patient?nickname=zaza&_count=50")) == 12
    assert hub.get("/Patient?nickname=kiko&_summary=count").json["total"] == 0
    assert {number for number, _ in rows(hub.database)["index_token"]} == _tokens(hub)


def _tokens(hub: Api) -> set[int]:
    """The keys that the index of the stored resources has, computed anew."""
    with hub.database.read() as connection:
        bodies = connection.execute(select(t.resource.c.body)).scalars().all()
    return set().union(*(index_rows(json.stored(body), BASE).tokens for body in bodies))


def test_rows_that_an_unaware_writer_left_are_put_right(hub: Api) -> None:
    """One process knows the parameter, another does not yet, and they write the same resource in turn."""
    hub.have(search_parameter(), patient("p", **called("First")))
    for name, aware in (("Zaza", True), ("Kiko", False), ("Zaza", True), ("Last", False)):
        parameters.look_again()
        parameters.look(hub.database)
        if not aware:
            custom.replace(custom.Snapshot())
        hub.have(patient("p", **called(name)))
    finish(hub.database)
    assert hub.found("/Patient?nickname=last") == ["p"]
    with hub.database.read() as connection:
        values = select(t.index_string.c.value).where(t.index_string.c.value.in_(("zaza", "kiko", "first")))
        assert list(connection.execute(values).scalars()) == []


def test_an_interruption_in_a_batch_loses_nothing_and_does_nothing_twice(
    hub: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.have(*(patient(f"p{number}", **called("Zaza")) for number in range(7)))
    hub.have(search_parameter())
    work = work_of(hub.database, batch=3)
    assert work.step()
    at = jobs(hub.database)
    before = rows(hub.database)
    with monkeypatch.context() as patched:
        patched.setattr(reindex, "_change", _killed)  # the index rows of the batch are written by then
        with pytest.raises(KeyboardInterrupt):
            work.step()
    assert rows(hub.database) == before
    assert jobs(hub.database) == at
    finish(hub.database)
    assert len(hub.found("/Patient?nickname=zaza")) == 7


def _killed(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_it_is_stopped_and_resumed_where_it_was(hub: Api) -> None:
    hub.have(*(patient(f"p{number}", **called("Zaza")) for number in range(7)))
    hub.have(search_parameter())
    work = work_of(hub.database, batch=3)
    assert work.step()
    assert hub.database.writing(lambda c: reindex.stop(c, URL, 1)) == 1
    assert not work.step()
    assert [(job.state, job.looked_at) for job in jobs(hub.database)] == [(custom.STOPPED, 3)]
    assert hub.database.writing(lambda c: reindex.stop(c, URL, 1)) == 0
    assert hub.database.writing(lambda c: reindex.resume(c, URL, 1)) == 1
    assert work.step()
    assert [job.looked_at for job in jobs(hub.database)] == [6]
    finish(hub.database)
    assert len(hub.found("/Patient?nickname=zaza")) == 7


def test_two_workers_never_do_one_job_at_the_same_time(hub: Api) -> None:
    hub.have(*(patient(f"p{number}", **called("Zaza")) for number in range(30)))
    hub.have(search_parameter())
    threads = [threading.Thread(target=_all_of, args=(hub.database,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    finish(hub.database)
    assert len(hub.found("/Patient?nickname=zaza&_count=50")) == 30
    assert states(hub) == [custom.READY]


def _all_of(database: Database) -> None:
    work = work_of(database, batch=4)
    while work.step():
        pass


def test_everything_is_indexed_anew_while_the_hub_serves(hub: Api) -> None:
    hub.have(*(patient(f"p{number}", **called("Zaza"), birthDate="1980-01-01") for number in range(8)))
    ready(hub)
    whole = rows(hub.database)
    with hub.database.write() as connection:
        for table in INDEXES:
            connection.execute(delete(table))
    number = hub.database.writing(lambda c: reindex.everything(c, clock.micros(clock.now())))
    work = work_of(hub.database)
    assert work.step(number)
    hub.have(patient("p1", **called("Kiko"), birthDate="1980-01-01"))
    assert hub.database.writing(lambda c: reindex.everything(c, 1)) == number
    finish(hub.database)
    hub.have(patient("p1", **called("Zaza"), birthDate="1980-01-01"))
    assert rows(hub.database) == whole
    assert states(hub) == [custom.READY, custom.READY]
    assert hub.database.writing(lambda c: reindex.everything(c, clock.micros(clock.now()))) != number


def test_the_worker_does_it_turn_by_turn(hub: Api) -> None:
    hub.have(patient("p", **called("Zaza")), search_parameter())
    work = replace(work_of(hub.database), batch=1)
    while jobs(hub.database)[0].state != custom.READY:
        work.turn(0.1)
    assert renewed(hub).found("/Patient?nickname=zaza") == ["p"]


def _typed(database: Database, *words: str) -> tuple[int, str]:
    """What a command ends with and prints, a leap after the last one."""
    app = reindex_commands(lambda: database, lambda: BASE, lambda: later(next(LEAPS))())
    done = CliRunner().invoke(app, words)
    return done.exit_code, done.output


def test_commands_tell_stop_and_resume(hub: Api) -> None:
    hub.have(patient("p", **called("Zaza")), search_parameter())
    assert "Patient?nickname=" in _typed(hub.database, "status")[1]
    assert _typed(hub.database, "stop", URL) == (0, "1 indexing stopped.\n")
    assert "stopped   adding" in _typed(hub.database, "status")[1]
    code, text = _typed(hub.database, "stop", URL)
    assert (code, "no such indexing" in text) == (1, True)
    assert _typed(hub.database, "resume", URL) == (0, "1 indexing resumed.\n")


def test_the_command_that_indexes_everything_ends_when_it_is_done(hub: Api) -> None:
    hub.have(*(patient(f"p{number}", birthDate="1980-01-01") for number in range(5)))
    with hub.database.write() as connection:
        connection.execute(delete(t.index_date))
    code, text = _typed(hub.database, "all")
    assert (code, text.endswith("Everything is indexed.\n")) == (0, True), text
    assert len(hub.found("/Patient?birthdate=1980-01-01")) == 5
    assert "everything" in _typed(hub.database, "status")[1]
