"""How sensitive the Patient is that is made for a source person who leaves a member (hub.identity.split)."""

from dataclasses import replace
from pathlib import Path

import pytest

from hub.identity import persons
from hub.identity.desk import Registry
from hub.identity.split import split
from hub.rights.labels import Part2Sources
from hub.store.engine import Database
from tests.hub.asking import Api
from tests.hub.feeds.test_people import ANN, OTHER, PSY, other_source
from tests.hub.feeds.toy import BASE, file_of, load, stored, toy_loading
from tests.hub.identity.test_store_operations import quilla
from tests.hub.identity.test_store_resolving import HOSPITAL, PLAN, said, with_record
from tests.hub.identity_world import county, registry_of
from tests.hub.sighted import labelled


@pytest.fixture
def api(swept: Database) -> Api:
    return county(swept)


@pytest.fixture
def registry(api: Api) -> Registry:
    return registry_of(api.database)


GUARDED = labelled("HIV")


def split_off(registry: Registry, api: Api, person: int) -> set[str]:
    """The labels of the Patient that is made for somebody who leaves."""
    left = registry.decide(lambda desk: split(desk, person, "test"))
    meta = api.get(f"/Patient/{left.patient}").json["meta"]
    return {one["code"] for one in meta.get("security", ())}


def test_who_leaves_is_as_sensitive_as_what_its_source_said(registry: Registry, api: Api) -> None:
    said(registry, HOSPITAL, "1", quilla("x"), "ann")
    second = said(registry, PLAN, "A", quilla("y") | {"meta": GUARDED | {"source": PLAN}})
    assert split_off(registry, api, second.person) == {"HIV", "R"}


def test_who_leaves_is_as_sensitive_as_the_member(registry: Registry, api: Api) -> None:
    api.have(api.get("/Patient/ann").json | {"meta": GUARDED})
    said(registry, HOSPITAL, "1", quilla("x"), "ann")
    second = said(registry, PLAN, "A", quilla("y"))
    assert split_off(registry, api, second.person) == {"HIV", "R"}
    assert "HIV" in str(api.get("/Patient/ann").json["meta"])


def test_who_leaves_is_as_sensitive_as_all_that_came_with_it(registry: Registry, api: Api) -> None:
    said(registry, HOSPITAL, "1", quilla("x"), "ann")
    second = said(registry, PLAN, "A", quilla("y"))
    with_record(registry, second.person, "came", meta=labelled("HIV", "STD"))
    with_record(registry, second.person, "too", meta=labelled("HIV"))
    assert split_off(registry, api, second.person) == {"HIV", "R"}


def test_who_leaves_a_program_is_a_programs(registry: Registry, api: Api) -> None:
    registry = replace(registry, part2=Part2Sources.of((PLAN,)))
    said(registry, HOSPITAL, "1", quilla("x"), "ann")
    second = said(registry, PLAN, "A", quilla("y"))
    assert "42CFRPart2" in split_off(registry, api, second.person)


def test_who_leaves_what_is_open_is_open(registry: Registry, api: Api) -> None:
    said(registry, HOSPITAL, "1", quilla("x"), "ann")
    second = said(registry, PLAN, "A", quilla("y"))
    with_record(registry, second.person, "came", meta=GUARDED)
    with_record(registry, second.person, "too")
    assert split_off(registry, api, second.person) == set()


def test_a_guarded_feeds_own_record_says_that_it_is(database: Database, tmp_path: Path) -> None:
    """What it brings hangs on the open Patient of another feed; who is taken out is guarded as its feed is."""
    loading = toy_loading(database, tmp_path)
    load(loading, file_of(tmp_path, "a.csv", ANN))
    guarded = other_source(loading)
    feed = replace(guarded.feeds["other"], security=(PSY,))
    load(replace(guarded, feeds={"toy": feed, "other": feed}), file_of(tmp_path, "b.csv", ANN))
    with database.read() as connection:
        found = persons.find(connection, OTHER, "ann")
    assert found is not None
    assert found.record["patient"]["meta"]["security"] == [PSY]
    left = Registry.of(loading.own, BASE).decide(lambda desk: split(desk, found.person, "test"))
    (made,) = [one for one in stored(database, "Patient") if one["id"] == left.patient]
    assert PSY in made["meta"]["security"]
