"""Several transactions of a load at a time: nobody passes who is being written, and a failure stays where it is."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from hub.access import Access
from hub.feeds import applying
from hub.feeds.abreast import Abreast, Commit, Made
from hub.feeds.kept import Held
from hub.feeds.people import Member, People
from hub.feeds.records import Resource, Said
from hub.feeds.waited import Waited
from hub.problems import Issue
from hub.store.engine import Database
from hub.store.migrate import migrate
from hub.store.tables import inbox
from hub.store.tables_identity import identity_pair, source_person
from hub.transactions import Transactions
from tests.hub.feeds.toy import BASE, file_of, load, stored, toy_feed, toy_loading

NOW = 1_790_000_000_000_000


def somebody(key: str, family: str = "Invented", born: str = "1980-05-01") -> Said:
    name = [{"family": family, "given": ["Ann"]}]
    return Said(key, {"resourceType": "Patient", "name": name, "birthDate": born, "gender": "female"})


def people(database: Database) -> People:
    return People(database, Access.system("test"), toy_feed())


def asked(database: Database, said: Said | str, waited: Waited) -> Any:
    (found,) = people(database).members([said], NOW, waited)
    return found


def test_who_resembles_one_under_way_waits_for_that_one(database: Database) -> None:
    waited = Waited()
    first = asked(database, somebody("a"), waited)
    assert isinstance(first, Member)
    assert asked(database, somebody("b"), waited) is None
    assert isinstance(asked(database, somebody("c", "Otherwise", "1951-11-30"), waited), Member)


def test_who_is_under_way_is_not_made_a_second_time(database: Database) -> None:
    waited = Waited()
    asked(database, somebody("a"), waited)
    assert asked(database, somebody("a", "Otherwise", "1951-11-30"), waited) is None
    assert asked(database, "a", waited) is None


def test_nobody_waits_for_who_has_ended(database: Database) -> None:
    waited = Waited()
    first = asked(database, somebody("a"), waited)
    waited.ended(first.person)
    assert isinstance(asked(database, somebody("b"), waited), Member)
    assert (dict(waited.patients), list(waited.calls)) == ({}, ["b"])


class AtTheEnd(Abreast):
    """Everything is made ready before anything of it is written."""

    def __init__(self, commit: Commit, most: int):
        super().__init__(commit, most)
        self.ready: list[Sequence[Made]] = []

    def put(self, some: Sequence[Made]) -> None:
        self.ready.append(some)

    def left(self) -> tuple[list[Held], list[Held]]:
        ready, self.ready = self.ready, []
        for some in ready:
            super().put(some)
        return super().left()


PEOPLE = (
    "P,ann,91230001A,Invented,1980-05-01",
    "P,bea,91230002A,Invented,1980-05-01",  # resembles ann
    "P,cat,91230003A,Otherwise,1951-11-30",
    "P,dot,91230003A,Otherwise,1951-11-30",  # is cat
    "P,eve,91230004A,Placeholder,1966-02-02",
    "P,fay,91230001A,Nobodys,1999-09-09",  # has the number of ann and another name
)


def told_apart(database: Database) -> Any:
    """Who is one member, how many are to be looked at side by side, and how many wait for a person."""
    with database.read() as connection:
        rows = connection.execute(select(source_person.c.key, source_person.c.patient)).all()
        pairs = connection.execute(select(func.count()).select_from(identity_pair)).scalar_one()
        states = connection.execute(select(inbox.c.state).where(inbox.c.source == "feed")).scalars()
        waiting = sorted(states)
    members: dict[str, set[str]] = {}
    for key, patient in rows:
        members.setdefault(patient or key, set()).add(key)
    return sorted(map(sorted, members.values())), pairs, waiting


def test_made_ready_all_at_once_is_the_same_as_one_after_the_other(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "TOGETHER", 1)
    path = file_of(tmp_path, "a.csv", *PEOPLE, "L,1,Home", *(f"V,{n},ann,home" for n in range(3)))
    singly = Database(f"sqlite:///{tmp_path / 'singly.db'}")
    migrate(singly)
    for line in path.read_text().splitlines():
        load(toy_loading(singly, tmp_path), file_of(tmp_path, f"{line[:5]}.csv", line))
    monkeypatch.setattr(applying, "Abreast", AtTheEnd)
    monkeypatch.setattr(applying, "TOGETHER", 2)
    load(toy_loading(database, tmp_path), path)
    assert told_apart(database) == told_apart(singly)
    assert told_apart(database)[0][:2] == [["ann"], ["bea"]]
    assert len(stored(database, "Encounter")) == 3
    singly.close()


def test_a_transaction_that_fails_costs_only_its_bad_subject(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "TOGETHER", 3)
    loading = toy_loading(database, tmp_path)
    own = Transactions(database, refusing("4"), lambda changes: (), BASE)
    lines = [PEOPLE[0], "L,1,Home", *(f"L,{n},Example {n}" for n in range(2, 12))]
    file = load(replace(loading, own=own), file_of(tmp_path, "a.csv", *lines))
    assert sorted(one["identifier"][0]["value"] for one in stored(database, "Location")) == sorted(
        str(n) for n in range(1, 12) if n != 4
    )
    assert len(stored(database, "Patient")) == 1
    assert file.counts["waiting"] == 1


def refusing(value: str) -> Any:
    def validate(resource: Resource, *_: object) -> Sequence[Issue]:
        values = [one["value"] for one in resource.get("identifier", ())]
        return [Issue("invalid", "not this one", "Location.identifier")] if value in values else []

    return validate


def test_what_no_subject_is_to_blame_for_is_raised_and_begun_again(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "TOGETHER", 1)
    loading = toy_loading(database, tmp_path)
    path = file_of(tmp_path, "a.csv", *PEOPLE[:3])
    whole = applying.Applying._commit
    monkeypatch.setattr(applying.Applying, "_commit", broken)
    _, seq = loading.arriving(path, path.name, loading.feeds["toy"])
    with pytest.raises(RuntimeError, match="of the hub"):
        loading.run(seq)
    monkeypatch.setattr(applying.Applying, "_commit", whole)
    loading.again(seq)
    loading.run(seq)
    assert len(stored(database, "Patient")) == 3


def broken(*_: object) -> None:
    raise RuntimeError("a fault of the hub")


def test_plans_are_made_again_when_the_tables_have_grown(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "GROWN", [4])
    load(toy_loading(database, tmp_path), file_of(tmp_path, "a.csv", *PEOPLE[:2], "L,1,Home", "L,2,Pier"))
    with database.read() as connection:
        if database.is_sqlite:
            counted = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_stat1'")
            assert counted.scalar_one() == 0
        else:
            counted = connection.exec_driver_sql("SELECT reltuples FROM pg_class WHERE relname = 'feed_record'")
            assert counted.scalar_one() == 4
