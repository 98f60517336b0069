"""`_sort`: orders by any parameter; and pages that hold each match once while others write (docs/adr/0009)."""

import random
import threading
from collections.abc import Callable, Iterator

import pytest

from hub.store import order
from tests.hub.asking import BASE, SECRET, Api, mrn, observation, patient, refused


@pytest.fixture(params=["sorted here", "by an index"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to a sorted page: few matches, and more than are sorted in memory."""
    if request.param == "by an index":
        monkeypatch.setattr(order, "FEW", 1)
        monkeypatch.setattr(order, "LITTLE", 1)
    return str(request.param)


def next_of(body: dict) -> str:  # type: ignore[type-arg]
    links = {link["relation"]: link["url"] for link in body["link"]}
    return links.get("next", "").removeprefix(BASE)


def pages(api: Api, path: str, between: Callable[[], object] = lambda: None) -> Iterator[list[str]]:
    while path:
        body = api.get(path).json
        yield [e["resource"]["id"] for e in body.get("entry", [])]
        path = next_of(body)
        between()


@pytest.fixture
def people(api: Api) -> Api:
    api.have(
        patient("d", name=[{"family": "Delta"}, {"family": "Aardvark"}], birthDate="1980-01-02", active=True),
        patient("a", name=[{"family": "álpha"}], birthDate="1990", identifier=mrn("2")),
        patient("n"),
        patient("b", name=[{"family": "Bravo"}], birthDate="1980-01-01", identifier=mrn("1"), active=True),
        patient("b2", name=[{"family": "bravo"}], birthDate="1980-01-01", identifier=mrn("3"), active=False),
    )
    return api


BY_INDEX = {
    "family": ["d", "a", "b", "b2", "n"],
    "-family": ["d", "b2", "b", "a", "n"],
    "birthdate": ["b", "b2", "d", "a", "n"],
    "-birthdate": ["a", "d", "b2", "b", "n"],
    "_id": ["a", "b", "b2", "d", "n"],
    "-_id": ["n", "d", "b2", "b", "a"],
    "_lastUpdated": ["d", "a", "n", "b", "b2"],
    "-_lastUpdated": ["b2", "b", "n", "a", "d"],
}
SORTED_HERE = BY_INDEX | {
    "active,-family": ["b2", "d", "b", "a", "n"],
    "birthdate,-_id": ["b2", "b", "d", "a", "n"],
    "-birthdate,family": ["a", "d", "b2", "b", "n"],
    "identifier": ["b", "a", "b2", "d", "n"],
    "-identifier": ["b2", "a", "b", "n", "d"],
}


@pytest.mark.parametrize("count", [1, 2, 10])
@pytest.mark.parametrize("sort", BY_INDEX)
def test_sorted_by_one_key(people: Api, way: str, sort: str, count: int) -> None:
    found = [i for page in pages(people, f"/Patient?_sort={sort}&_count={count}") for i in page]
    assert found == BY_INDEX[sort]


@pytest.mark.parametrize("sort", SORTED_HERE)
def test_sorted_by_any_keys(people: Api, sort: str) -> None:
    for count in (2, 10):
        found = [i for page in pages(people, f"/Patient?_sort={sort}&_count={count}") for i in page]
        assert found == SORTED_HERE[sort]


def test_sorted_and_narrowed(people: Api, way: str) -> None:
    assert people.found("/Patient?active=true&_sort=family") == ["d", "b"]
    assert people.found("/Patient?active=true&_sort=-_lastUpdated") == ["b", "d"]
    assert people.found("/Patient?birthdate=1980-01-01&_sort=-_id") == ["b2", "b"]


def test_sorted_by_numbers_references_and_behind_chains(api: Api, way: str) -> None:
    api.have(patient("1", name=[{"family": "x"}]))
    for name, value in (("o9", 9), ("o10", 10), ("o-1", -1.5)):
        api.have(observation(name, subject={"reference": "Patient/1"}, valueQuantity={"value": value}))
    assert api.found("/Observation?patient.name=x&_sort=value-quantity") == ["o-1", "o9", "o10"]
    assert api.found("/Observation?patient.name=x&_sort=-value-quantity") == ["o10", "o9", "o-1"]


REFUSED = {
    "S13 foo": ("_sort=foo", "not-supported"),
    "S13 empty": ("_sort=", "value"),
    "S13 --": ("_sort=--birthdate", "value"),
    "twice": ("_sort=family&_sort=_id", "value"),
    "an empty key": ("_sort=family,", "value"),
    "a modifier": ("_sort=family:exact", "not-supported"),
    "many": ("_sort=" + "family," * 5 + "_id", "too-costly"),
}


@pytest.mark.parametrize(("query", "code"), REFUSED.values(), ids=REFUSED)
def test_what_sorting_refuses(api: Api, query: str, code: str) -> None:
    refused(api.get(f"/Patient?{query}"), 400, code)


def test_many_matches_are_sorted_by_one_ordered_key_only(people: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "FEW", 4)
    monkeypatch.setattr(order, "LITTLE", 4)
    for sort in ("family,birthdate", "gender", "general-practitioner"):
        refused(people.get(f"/Patient?_sort={sort}"), 400, "too-costly")
    assert people.found("/Patient?active=true&_sort=family,birthdate") == ["d", "b"]


def test_too_many_changes_end_the_walk(people: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "MOST_CHANGED", 2)
    monkeypatch.setattr(order, "FEW", 1)
    monkeypatch.setattr(order, "LITTLE", 1)
    path = next_of(people.get("/Patient?_sort=birthdate&_count=1").json)
    for name in ("a", "b", "d"):
        assert people.get(path).status_code == 200
        people.have(patient(name, birthDate="2000"))
    refused(people.get(path), 410, "not-found")


def test_a_cursor_holds_no_values(people: Api) -> None:
    """A name or a birth date in a link would stand in logs."""
    from urllib.parse import parse_qsl, urlsplit

    from hub.search.cursor import unseal

    path = next_of(people.get("/Patient?_sort=family&_count=1").json)
    cursor = dict(parse_qsl(urlsplit(path).query))["_cursor"]
    position = unseal(SECRET, cursor, "all", "Patient?_sort=family", 0)
    assert all(isinstance(part, int) for part in position)


SORTS = ["family", "-family", "birthdate", "-birthdate", "_lastUpdated", "-_lastUpdated", "_id", ""]


def changed(dice: random.Random, name: str) -> dict:  # type: ignore[type-arg]
    parts = {"birthDate": f"19{dice.randrange(10, 99)}-0{dice.randrange(1, 9)}-11"} if dice.random() < 0.8 else {}
    names = [{"family": dice.choice("abcdefgh") * 3} for _ in range(dice.randrange(3))]
    return patient(name, active=True, **({"name": names} if names else {}), **parts)


@pytest.mark.parametrize("sort", SORTS)
def test_between_pages_every_match_moves_and_each_is_seen_once(api: Api, way: str, sort: str) -> None:
    dice = random.Random(f"{sort}{way}")
    kept = [f"k{number:02}" for number in range(14)]
    goers = [f"g{number}" for number in range(6)]
    api.have(*(changed(dice, name) for name in dice.sample([*kept, *goers], 20)))
    comers: list[str] = []
    going = list(goers)

    def meanwhile() -> None:
        api.have(*(changed(dice, name) for name in dice.sample(kept, 5)))
        comers.append(api.post("/Patient", patient(active=True)).json["id"])
        if going:
            gone = going.pop()
            api.have(patient(gone, active=False))
            if len(going) % 2:
                api.delete(f"/Patient/{gone}")

    path = "/Patient?active=true&_count=3" + (f"&_sort={sort}" if sort else "")
    walked = list(pages(api, path, meanwhile))
    seen = [identity for page in walked for identity in page]
    assert len(seen) == len(set(seen)), "nothing twice"
    assert set(kept) <= set(seen), "nothing missing"
    assert set(seen) <= {*kept, *goers, *comers}


@pytest.mark.parametrize("sort", ["family", "-_lastUpdated", "birthdate"])
def test_while_others_write_at_the_same_time_each_match_is_seen_once(api: Api, way: str, sort: str) -> None:
    dice = random.Random(sort)
    kept = [f"k{number:02}" for number in range(24)]
    api.have(*(changed(dice, name) for name in kept))
    stop = threading.Event()

    def write(seed: int) -> None:
        mine = random.Random(seed)
        while not stop.is_set():
            api.have(changed(mine, mine.choice(kept)))
            api.post("/Patient", patient(active=True))

    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(3)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(4):
            seen: list[str] = []
            for page in pages(api, f"/Patient?active=true&_count=7&_sort={sort}"):
                seen += page
                if set(kept) <= set(seen):
                    break  # writers may be quicker than we are
            assert len(seen) == len(set(seen)), "nothing twice"
            assert set(kept) <= set(seen), "nothing missing"
    finally:
        stop.set()
        for writer in writers:
            writer.join()
