"""Search parameters of the deployment: their life, the indexing of what is stored, and what interrupts it."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, select
from typer.testing import CliRunner

import wsgi
from hub import clock, reindex
from hub.reindex_commands import reindex_commands
from hub.search import custom
from hub.search.definitions import issues
from hub.store import parameters
from hub.store import tables as t
from hub.store.engine import Database
from tests.hub.asking import BASE, Api, entry, patient, refused
from tests.hub.reindexing import DAYS, NICKNAME, URL, called, finish, jobs, later, search_parameter, work_of

INDEXES = (t.index_token, t.index_date, t.index_number, t.index_string, t.index_reference)
TOP = Path(__file__).parents[2]


@pytest.fixture
def hub(api: Api) -> Iterator[Api]:
    """The API of a hub without parameters of its own, before and after."""
    _sweep(api.database)
    yield api
    _sweep(api.database)


def _sweep(database: Database) -> None:
    with database.write() as connection:
        connection.execute(delete(t.search_parameter))
    parameters.look_again()
    parameters.look(database)


def rows(database: Database) -> dict[str, list[Any]]:
    """Everything in the search index."""
    with database.read() as connection:
        return {one.name: sorted(tuple(row) for row in connection.execute(select(one))) for one in INDEXES}


def states(hub: Api) -> list[str]:
    return [job.state for job in jobs(hub.database)]


def renewed(hub: Api) -> Api:
    """The same after the time in which a process looks."""
    parameters.look_again()
    return hub


def ready(hub: Api, **parts: Any) -> Api:
    hub.have(search_parameter(**parts))
    finish(hub.database)
    return hub


def test_what_was_stored_before_is_found_once_it_is_indexed(hub: Api) -> None:
    hub.have(*(patient(f"p{number}", **called("Zaza" if number % 2 else "Kiko")) for number in range(10)))
    ready(hub)
    assert sorted(hub.found("/Patient?nickname=zaz")) == ["p1", "p3", "p5", "p7", "p9"]
    assert hub.found("/Patient?nickname:exact=Kiko&_id=p4") == ["p4"]
    assert hub.found("/Patient?nickname:missing=true") == []
    assert hub.get("/Patient?nickname=zaz&_summary=count").json["total"] == 5
    assert len(hub.found("/Patient?_sort=nickname")) == 10
    assert states(hub) == [custom.READY]


def test_until_it_is_indexed_it_is_not_searched_by(hub: Api) -> None:
    hub.have(search_parameter())
    issue = refused(renewed(hub).get("/Patient?nickname=zaz"), 400, "not-supported")
    assert "being indexed" in issue["diagnostics"]
    hub.database.writing(lambda c: reindex.stop(c, URL, 1))
    issue = refused(renewed(hub).get("/Patient?nickname=zaz"), 400, "not-supported")
    assert "stopped" in issue["diagnostics"]
    refused(hub.get("/Patient?_sort=nickname"), 400, "not-supported")


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


@pytest.mark.parametrize("how", ["deleted", "retired"])
def test_one_that_is_gone_is_not_served_and_leaves_no_row(hub: Api, how: str) -> None:
    hub.have(patient("p", **called("Zaza")), patient("gone", **called("Zaza")))
    before = rows(hub.database)
    ready(hub)
    hub.have(patient("p", **called("Kiko")))
    hub.delete("/Patient/gone")
    if how == "deleted":
        assert hub.delete("/SearchParameter/nickname").status_code == 204
    else:
        hub.have(search_parameter(status="retired"))
    refused(renewed(hub).get("/Patient?nickname=kiko"), 400, "not-supported")
    assert states(hub) == [custom.REMOVING]
    finish(hub.database)
    assert states(hub) == []
    hub.delete("/SearchParameter/nickname")
    hub.have(patient("p", **called("Zaza")), patient("gone", **called("Zaza")))
    assert rows(hub.database) == before


def test_another_definition_of_it_begins_anew(hub: Api) -> None:
    hub.have(patient("p", name=[{"use": "nickname", "given": ["Zaza"]}, {"use": "old", "given": ["Kiko"]}]))
    ready(hub)
    hub.have(search_parameter(description="Another text"))
    assert renewed(hub).found("/Patient?nickname=zaza") == ["p"]
    hub.have(search_parameter(expression="Patient.name.where(use='old').given"))
    refused(renewed(hub).get("/Patient?nickname=zaza"), 400, "not-supported")
    finish(hub.database)
    assert hub.found("/Patient?nickname=zaza") == []
    assert hub.found("/Patient?nickname=kiko") == ["p"]


TYPES = (
    ("token", "Patient.extension('https://plan.invalid/tier').value", {"valueCode": "gold"}, "gold"),
    ("date", "Patient.extension('https://plan.invalid/since').value", {"valueDate": "2026-02-03"}, "ge2026-02"),
    ("number", "Patient.extension('https://plan.invalid/score').value", {"valueDecimal": 4.5}, "gt4"),
    ("uri", "Patient.extension('https://plan.invalid/page').value", {"valueUri": "urn:x:1"}, "urn:x:1"),
    (
        "quantity",
        "Patient.extension('https://plan.invalid/size').value",
        {"valueQuantity": {"value": 3, "unit": "m"}},
        "3||m",
    ),
    (
        "reference",
        "Patient.extension('https://plan.invalid/coach').value",
        {"valueReference": {"reference": "Practitioner/c"}},
        "Practitioner/c",
    ),
)


@pytest.mark.parametrize(("kind", "path", "value", "asked"), TYPES, ids=[row[0] for row in TYPES])
def test_every_type_is_served(hub: Api, kind: str, path: str, value: dict[str, Any], asked: str) -> None:
    extension = {"url": path.split("'")[1], **value}
    hub.have({"resourceType": "Practitioner", "id": "c", "active": True})
    hub.have(patient("p", extension=[extension]), patient("q", extension=[{**extension, "url": "urn:other"}]))
    ready(hub, type=kind, expression=path)
    assert hub.found(f"/Patient?nickname={asked}") == ["p"]
    assert hub.found("/Patient?nickname:missing=true") == ["q"]


def test_references_can_be_followed(hub: Api) -> None:
    coach = {"url": "https://plan.invalid/coach", "valueReference": {"reference": "Practitioner/c"}}
    hub.have({"resourceType": "Practitioner", "id": "c", "active": True}, patient("p", extension=[coach]))
    path = "Patient.extension('https://plan.invalid/coach').value"
    ready(hub, type="reference", expression=path, target=["Practitioner"])
    assert hub.found("/Patient?nickname.active=true") == ["p"]
    assert hub.found("/Practitioner?_has:Patient:nickname:_id=p") == ["c"]
    included = hub.get("/Patient?_include=Patient:nickname").json["entry"]
    assert [e["resource"]["id"] for e in included] == ["p", "c"]


def test_the_capability_statement_lists_it_once_it_is_served(hub: Api) -> None:
    def listed() -> list[dict[str, str]]:
        resources = hub.get("/metadata").json["rest"][0]["resource"]
        mine = next(one["searchParam"] for one in resources if one["type"] == "Patient")
        return [one for one in mine if one["name"] == "nickname"]

    hub.have(search_parameter())
    parameters.look_again()
    assert listed() == []
    finish(hub.database)
    assert listed() == [{"name": "nickname", "definition": URL, "type": "string"}]
    hub.delete("/SearchParameter/nickname")
    parameters.look_again()
    assert listed() == []


REFUSED = (
    ({"expression": "Patient.name.first()"}, "not-supported"),
    ({"expression": "Patient.nickname"}, "not-supported"),
    ({"expression": "Observation.code"}, "not-supported"),
    ({"expression": "Patient"}, "not-supported"),
    ({"expression": None}, "not-supported"),
    ({"expression": "Patient.name.given | Patient.birthDate"}, "not-supported"),
    ({"expression": "Patient.active.where(x='y')"}, "not-supported"),
    ({"expression": "Patient.telecom.where(rank='1').value"}, "not-supported"),
    ({"expression": "Patient.birthDate.extension('urn:x').value"}, "not-supported"),
    ({"expression": "Patient.deceased.as(Quantity)"}, "not-supported"),
    ({"expression": f"Patient.name.where(use='{'x' * 2000}').given"}, "not-supported"),
    ({"expression": "Patient.name.given", "type": "date"}, "not-supported"),
    ({"type": "composite"}, "not-supported"),
    ({"type": "special"}, "not-supported"),
    ({"base": ["Resource"]}, "not-supported"),
    ({"base": ["Patient", "Person"]}, "not-supported"),
    ({"target": ["Resource"]}, "not-supported"),
    ({"code": "_nickname"}, "not-supported"),
    ({"code": "nick.name"}, "not-supported"),
    ({"code": "name"}, "duplicate"),
    ({"code": "_id"}, "not-supported"),
    ({"code": "age"}, "duplicate"),
)


@pytest.mark.parametrize(("parts", "code"), REFUSED, ids=lambda value: str(value)[:60])
def test_what_cannot_be_served_is_refused(hub: Api, parts: dict[str, Any], code: str) -> None:
    refused(hub.put("/SearchParameter/nickname", search_parameter(**parts)), 422, code)
    assert jobs(hub.database) == []
    assert hub.get("/SearchParameter/nickname").status_code == 404


def test_the_front_door_refuses_it_before_the_database_is_asked() -> None:
    found = wsgi._for_clients(search_parameter(expression="Patient.nickname"), "SearchParameter", False)
    assert [issue.kind for issue in found] == ["definition"]
    assert wsgi._for_clients(search_parameter(), "SearchParameter", False) == []


@pytest.mark.parametrize("status", ["draft", "retired", "unknown"])
def test_one_that_is_not_active_is_stored_and_not_served(hub: Api, status: str) -> None:
    hub.have(search_parameter(status=status, type="composite"))
    assert issues(search_parameter(status=status, type="composite")) == []
    assert jobs(hub.database) == []
    refused(renewed(hub).get("/Patient?nickname=x"), 400, "not-supported")


def test_one_code_of_a_type_belongs_to_one_active_parameter(hub: Api) -> None:
    hub.have(search_parameter())
    second = search_parameter("second", url="https://plan.invalid/second", base=["Patient", "Person"])
    second["expression"] = f"{NICKNAME} | Person.name.given"
    refused(hub.put("/SearchParameter/second", second), 422, "duplicate")
    refused(hub.bundle("transaction", entry("PUT", "SearchParameter/second", second)), 422, "duplicate")
    assert hub.get("/SearchParameter/second").status_code == 404
    swap = (entry("PUT", "SearchParameter/second", second), entry("DELETE", "SearchParameter/nickname"))
    assert hub.bundle("transaction", *swap).status_code == 200
    assert sorted((job.state, job.base) for job in jobs(hub.database)) == [
        (custom.INDEXING, "Patient"),
        (custom.INDEXING, "Person"),
        (custom.REMOVING, "Patient"),
    ]


def test_of_two_that_come_at_the_same_time_one_is_taken(hub: Api) -> None:
    answers: list[int] = []

    def ask(name: str) -> None:
        answers.append(hub.put(f"/SearchParameter/{name}", search_parameter(name)).status_code)

    threads = [threading.Thread(target=ask, args=(f"same-{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201, 422, 422, 422]
    assert states(hub) == [custom.INDEXING]


SEES = """
import json, sys, time
from hub.search.parameters import parameters_of
from hub.store import parameters
from hub.store.engine import Database

database = Database(sys.argv[1])
parameters.EVERY = 0.2
def knows():
    parameters.look(database)
    return "nickname" in parameters_of("Patient")
print(json.dumps(knows()), flush=True)
ends = time.monotonic() + 10
sys.stdin.readline()
while not knows() and time.monotonic() < ends:
    time.sleep(0.02)
print(json.dumps(knows()), flush=True)
"""


def test_another_process_sees_it_within_the_time_between_two_looks(hub: Api) -> None:
    url = hub.database.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", SEES, url]
    with subprocess.Popen(command, cwd=TOP, stdin=-1, stdout=-1, text=True) as other:
        assert other.stdin
        assert other.stdout
        assert json.loads(other.stdout.readline()) is False
        ready(hub)
        other.stdin.write("now\n")
        other.stdin.flush()
        assert json.loads(other.stdout.readline()) is True


def test_a_process_asks_the_database_no_oftener_than_it_must(hub: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[object] = []
    monkeypatch.setattr(parameters, "_look", looks.append)
    parameters.look(hub.database)
    assert looks == []
    monkeypatch.setattr(parameters, "EVERY", 0.0)
    parameters.look(hub.database)
    assert looks == [hub.database]


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


def test_the_worker_takes_a_turn_and_says_when_it_cannot(hub: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.have(patient("p", **called("Zaza")), search_parameter())
    work = replace(work_of(hub.database), batch=1)
    while jobs(hub.database)[0].state != custom.READY:
        work.turn(0.1)
    assert renewed(hub).found("/Patient?nickname=zaza") == ["p"]


def test_parameters_of_a_deployment_cost_nothing_where_there_are_none(hub: Api) -> None:
    assert custom.current() == custom.Snapshot()
    assert not custom.current().merging
    with hub.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(t.search_parameter)).scalar_one() == 0


def _typed(database: Database, *words: str) -> tuple[int, str]:
    """What a command ends with and prints, on a day after the last one."""
    app = reindex_commands(lambda: database, lambda: BASE, lambda: later(next(DAYS))())
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
    assert (code, text.endswith("Everything is indexed.\n")) == (0, True)
    assert len(hub.found("/Patient?birthdate=1980-01-01")) == 5
    assert "everything" in _typed(hub.database, "status")[1]
