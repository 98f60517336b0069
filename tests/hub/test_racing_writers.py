"""Writers at the same moment: one winner, one of each, and no one waits for ever."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from time import sleep
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, text

from hub import targets
from hub.access import Access
from hub.fhir import json
from hub.fhir.bundles import Entry, entries_of
from hub.problems import Problem
from hub.store import read, tables
from hub.store.engine import Database
from hub.transactions import Result, Transactions, single
from tests.hub.asking import BASE, entry, mrn, patient, validator

ALL = Access.system("tests")
BY = "identifier=https://hospital.invalid/mrn|"


def writer(database: Database) -> Transactions:
    return Transactions(database, validator, lambda changes: (), BASE)


def put(writes: Transactions, resource: dict[str, Any], **parts: Any) -> Result:
    found = single("PUT", resource["resourceType"], id=resource["id"], resource=resource, **parts)
    return writes.commit([found], ALL)[0]


def together(threads: int, work: Callable[[int], Any]) -> list[Any]:
    """`work` in so many threads at one moment; a Problem is a result, too."""
    barrier = Barrier(threads)

    def one(number: int) -> Any:
        barrier.wait(10)
        try:
            return work(number)
        except Problem as problem:
            return problem

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, range(threads), timeout=30))


def test_of_eight_racing_updates_of_one_version_one_wins(swept: Database) -> None:
    writes = writer(swept)
    put(writes, patient("1"))
    for version in range(1, 5):
        done = together(
            8,
            lambda n, v=version: put(writes, patient("1", name=[{"family": f"{v}-{n}"}]), if_match=v),  # type: ignore[misc]
        )
        assert sorted(r.kind if isinstance(r, Problem) else "won" for r in done) == ["precondition"] * 7 + ["won"]
    with swept.read() as connection:
        versions = [v.version for v in read.versions(connection, ALL, "Patient", "1")]
    assert versions == [5, 4, 3, 2, 1]


def test_racing_updates_without_a_version_all_count(swept: Database) -> None:
    writes = writer(swept)
    done = together(8, lambda n: put(writes, patient("new", name=[{"family": f"{n}"}])))
    assert sorted(r.stored.version for r in done) == list(range(1, 9))
    assert sorted(r.status for r in done) == [200] * 7 + [201]


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_sixteen_racing_conditional_creates_of_one_identity_make_one(swept: Database, method: str) -> None:
    writes = writer(swept)
    conditions = (f"{BY}1", f"{BY}1".replace(":", "%3A").replace("|", "%7C"))

    def create(number: int) -> Result:
        part = {"if_none_exist" if method == "POST" else "query": conditions[number % 2]}
        return writes.commit([single(method, "Patient", resource=patient(identifier=mrn("1")), **part)], ALL)[0]

    done = together(16, create)
    assert sorted(r.status for r in done) == [200] * 15 + [201]
    assert len({r.stored.id for r in done}) == 1
    with swept.read() as connection:
        assert connection.execute(select(func.count()).select_from(tables.resource)).scalar_one() == 1


def deadlocks(database: Database) -> int:
    """How many PostgreSQL broke so far; each costs a second, and the commit runs again."""
    if database.is_sqlite:
        return 0
    with database.read() as connection:
        asked = text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(connection.execute(asked).scalar_one())


def by_new_id(number: int, turn: int) -> list[dict[str, Any]]:
    return [
        entry("PUT", f"Patient/{turn}-{n}", patient(f"{turn}-{n}", birthDate=f"19{number + 10}")) for n in range(40)
    ]


def by_known_id(number: int, _: int) -> list[dict[str, Any]]:
    return by_new_id(number, 0)


def by_condition(_: int, __: int) -> list[dict[str, Any]]:
    return [entry("PUT", f"Patient?{BY}c{n}", patient(identifier=mrn(f"c{n}"), id=f"c{n}")) for n in range(8)]


@pytest.mark.parametrize("entries", [by_new_id, by_known_id, by_condition])
def test_overlapping_commits_in_different_order_never_wait_in_a_circle(
    swept: Database, entries: Callable[[int, int], list[dict[str, Any]]]
) -> None:
    """PostgreSQL counts the deadlocks it breaks."""
    writes = writer(swept)

    def work(number: int, turn: int) -> list[Result]:
        parts = entries(number, turn)
        turned = parts[number:] + parts[:number]
        turned = turned if number % 2 else turned[::-1]
        return writes.commit(entries_of({"type": "transaction", "entry": turned}, 500), ALL, many=True)

    before = deadlocks(swept)
    for turn in range(3):
        done = together(8, lambda number, turn=turn: work(number, turn))  # type: ignore[misc]
        assert [type(found) for found in done] == [list] * 8, [d for d in done if isinstance(d, Problem)]
    assert deadlocks(swept) == before


# what another writer does to Patient/1 between the search and the lock: it is no longer what the condition finds
OVERTAKING = {
    "changes it": single("PUT", "Patient", id="1", resource=patient("1", identifier=mrn("other"))),
    "deletes it": single("DELETE", "Patient", id="1"),
}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("first", OVERTAKING.values(), ids=OVERTAKING)
def test_what_a_condition_found_is_looked_at_again_once_it_is_locked(
    swept: Database, first: Entry, method: str
) -> None:
    writes = writer(swept)
    put(writes, patient("1", identifier=mrn("1"), active=True))
    begun = Event()

    def slowly(_: Connection) -> None:
        begun.set()
        sleep(0.3)  # the other one searches now, and waits for the lock

    def overtaken() -> Result | Problem:
        begun.wait(10)
        changed = patient(identifier=mrn("1"), active=False)
        parts: dict[str, Any] = {"PUT": {"resource": changed}, "PATCH": {"patch": lambda it: it | changed}}
        try:
            return writes.commit([single(method, "Patient", query=f"{BY}1", **parts.get(method, {}))], ALL)[0]
        except Problem as problem:
            return problem

    with ThreadPoolExecutor(2) as pool:
        winner = pool.submit(writes.commit, [first], ALL, slowly)
        done = pool.submit(overtaken).result(20)
        assert winner.result()[0].stored.version == 2
    with swept.read() as connection:
        now = read.current(connection, ALL, "Patient", "1")
    assert now.version == 2, "the one that no longer matches stays as it is"
    if method == "PATCH":
        assert done.kind == "not-found"
    elif method == "DELETE":
        assert done == Result(204, None)
    else:
        assert (done.status, done.stored.id != "1") == (201, True)


def test_a_condition_that_is_overtaken_again_and_again_says_so(swept: Database) -> None:
    writes = writer(swept)
    put(writes, patient("1", identifier=mrn("1")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(targets, "changed_since", lambda *_: True)
        with pytest.raises(Problem) as caught:
            writes.commit([single("DELETE", "Patient", query=f"{BY}1")], ALL)
    assert (caught.value.status, "Retry-After" in caught.value.headers) == (503, True)
    with swept.read() as connection:
        assert read.current(connection, ALL, "Patient", "1").version == 1


def test_racing_patches_all_count(swept: Database) -> None:
    writes = writer(swept)
    put(writes, patient("1"))

    def named(number: int) -> Result:
        def change(resource: dict[str, Any]) -> dict[str, Any]:
            return resource | {"name": [*resource.get("name", []), {"family": str(number)}]}

        return writes.commit([single("PATCH", "Patient", id="1", patch=change)], ALL)[0]

    done = together(16, named)
    assert sorted(r.stored.version for r in done) == list(range(2, 18))
    with swept.read() as connection:
        now = read.current(connection, ALL, "Patient", "1")
    assert {name["family"] for name in json.stored(now.body)["name"]} == {str(n) for n in range(16)}
