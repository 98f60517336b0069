"""Search parameters of the deployment: their life, what is refused, who knows them when."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from conformance.knowledge import Knowledge
from hub import reindex
from hub.search import custom
from hub.search.definitions import issues
from hub.settings import read_settings
from hub.store import parameters
from hub.store import tables as t
from tests.hub.asking import BASE, Api, entry, patient, refused
from tests.hub.reindexing import (
    NICKNAME,
    URL,
    called,
    finish,
    jobs,
    ready,
    renewed,
    rows,
    search_parameter,
    states,
)

TOP = Path(__file__).parents[2]


def test_until_it_is_indexed_it_is_not_searched_by(hub: Api) -> None:
    hub.have(search_parameter())
    issue = refused(renewed(hub).get("/Patient?nickname=zaz"), 400, "not-supported")
    assert "being indexed" in issue["diagnostics"]
    hub.database.writing(lambda c: reindex.stop(c, URL, 1))
    issue = refused(renewed(hub).get("/Patient?nickname=zaz"), 400, "not-supported")
    assert "stopped" in issue["diagnostics"]
    refused(hub.get("/Patient?_sort=nickname"), 400, "not-supported")


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


def test_it_can_be_sorted_and_filtered_by(hub: Api) -> None:
    hub.have(*(patient(name, **called(name)) for name in ("bb", "aa")), patient("none", gender="male"))
    ready(hub)
    assert hub.found("/Patient?_sort=nickname") == ["aa", "bb", "none"]
    assert hub.found("/Patient?_sort=-nickname,_id") == ["bb", "aa", "none"]
    first = hub.get("/Patient?_sort=nickname,-_lastUpdated&_count=2").json
    (following,) = (link["url"] for link in first["link"] if link["relation"] == "next")
    assert hub.found(following.removeprefix(BASE)) == ["none"]
    assert hub.found("/Patient?_filter=nickname eq bb or nickname pr false&_sort=_id") == ["bb", "none"]
    issue = refused(hub.get("/Patient?nickname:below=a"), 400, "not-supported")
    assert "'nickname' does not take" in issue["diagnostics"]


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
    known = Knowledge(read_settings({}), lambda kind, url: None)
    found = known.of_clients(search_parameter(expression="Patient.nickname"), "SearchParameter", False, "clinic")
    assert [issue.kind for issue in found] == ["definition"]
    assert known.of_clients(search_parameter(), "SearchParameter", False, "clinic") == []


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
from hub.settings import read_settings
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


def test_parameters_of_a_deployment_cost_nothing_where_there_are_none(hub: Api) -> None:
    assert custom.current() == custom.Snapshot()
    assert not custom.current().merging
    with hub.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(t.search_parameter)).scalar_one() == 0
