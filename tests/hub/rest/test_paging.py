"""Pages: links that nobody can change, lend or keep, and that lose and repeat nothing while others write."""

import random
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest

from hub import clock
from tests.hub.asking import BASE, Api, app_of, mrn, observation, patient, refused


def next_of(body: dict) -> str:  # type: ignore[type-arg]
    links = {link["relation"]: link["url"] for link in body["link"]}
    return links.get("next", "").removeprefix(BASE)


def pages(api: Api, path: str, between=lambda: None) -> list[list[str]]:  # type: ignore[no-untyped-def]
    """The ids of each page, following the links; `between` runs before each next page."""
    found = []
    while path:
        body = api.get(path).json
        found.append([e["resource"]["id"] for e in body.get("entry", [])])
        path = next_of(body)
        between()
    return found


@pytest.mark.parametrize("sort", ["", "&_sort=_lastUpdated", "&_sort=-_lastUpdated"])
@pytest.mark.parametrize(("count", "sizes"), [(3, [3, 3, 1]), (7, [7]), (8, [7]), (1, [1] * 7)])
def test_pages_hold_each_match_once_in_order(api: Api, sort: str, count: int, sizes: list[int]) -> None:
    ids = [f"p{number}" for number in range(7)]
    api.have(*(patient(identity, active=True) for identity in ids), patient("no", active=False), observation("o"))
    found = pages(api, f"/Patient?active=true&_count={count}{sort}")
    assert [len(page) for page in found] == sizes
    flat = [identity for page in found for identity in page]
    assert sorted(flat) == ids
    if sort:
        assert flat == (ids[::-1] if "=-" in sort else ids)


def test_an_update_moves_a_resource_to_the_end_of_the_newest_last(api: Api) -> None:
    api.have(patient("a"), patient("b"), patient("a", active=True))
    assert api.found("/Patient?_sort=_lastUpdated") == ["b", "a"]
    assert api.found("/Patient?_sort=-_lastUpdated") == ["a", "b"]
    api.delete("/Patient/a")
    assert api.found("/Patient?_sort=-_lastUpdated") == ["b"]


def test_total_is_told_where_it_is_asked(api: Api) -> None:
    api.have(*(patient(f"p{number}", name=[{"family": "Ann" if number % 2 else "ann"}]) for number in range(7)))
    assert "total" not in api.get("/Patient?_count=2").json
    assert "total" not in api.get("/Patient?_count=2&_total=none").json
    for total in ("accurate", "estimate"):
        assert api.get(f"/Patient?_count=2&_total={total}").json["total"] == 7
    assert api.get("/Patient?name:exact=Ann&_total=accurate").json["total"] == 3
    assert api.get("/Patient?name:exact=Ann&_summary=count").json["total"] == 3
    assert api.get("/Patient?name=Ann&_summary=count").json["total"] == 7


def test_the_links_keep_what_was_asked(api: Api) -> None:
    api.have(*(patient(f"p{n}", identifier=mrn("a&b=c d,|\\")) for n in range(2)))
    value = r"https://hospital.invalid/mrn|a&b=c d\,\|\\"
    body = api.form(
        "/Patient/_search", "identifier=" + value.replace("&", "%26").replace("+", "%2B") + "&_count=1"
    ).json
    for link in body["link"]:
        assert ("identifier", value) in parse_qsl(urlsplit(link["url"]).query)
    assert len(pages(api, next_of(body))) == 1


def cursor(api: Api) -> tuple[str, str]:
    """The path of a next page, and the cursor in it."""
    api.have(patient("1"), patient("2"), patient("3"))
    path = next_of(api.get("/Patient?_count=1").json)
    return path, dict(parse_qsl(urlsplit(path).query))["_cursor"]


def test_a_cursor_with_any_byte_changed_is_refused(api: Api) -> None:
    """S14"""
    path, good = cursor(api)
    assert api.get(path).status_code == 200
    for place, character in enumerate(good):
        changed = good[:place] + ("A" if character != "A" else "B") + good[place + 1 :]
        refused(api.get(path.replace(good, changed)), 400, "invalid")
    for changed in (good[:-1], good + "A", good + "=", good[1:], good.upper(), " " + good):
        refused(api.get(path.replace(good, changed)), 400, "invalid")


def test_anothers_cursor_is_not_found(api: Api) -> None:
    """S15"""
    path, _ = cursor(api)
    refused(api.as_("other").get(path), 404, "not-found")


def test_a_cursor_of_another_search_is_not_found(api: Api) -> None:
    path, good = cursor(api)
    for other in (path.replace("?", "?active=true&"), path.replace("/Patient", "/Observation")):
        refused(api.get(other), 404, "not-found")
    refused(api.get(f"/Patient?_sort=_lastUpdated&_cursor={good}"), 404, "not-found")


def test_an_expired_cursor_is_gone(api: Api) -> None:
    """S16"""
    moment = [clock.now()]

    def hand_set() -> datetime:
        return moment[0]

    mine = Api(app_of(api.database, hand_set), api.database)
    path, _ = cursor(mine)
    moment[0] += timedelta(seconds=599)
    assert mine.get(path).status_code == 200
    moment[0] += timedelta(seconds=2)
    refused(mine.get(path), 410, "not-found")


def test_pages_lose_and_repeat_nothing_while_others_write(api: Api) -> None:
    """The union of the pages is what was there throughout, and perhaps what came or went meanwhile."""
    random_ = random.Random(7)
    kept = {f"k{number}" for number in range(24)}
    goers = [f"g{number}" for number in range(12)]
    names = sorted([*kept, *goers])
    random_.shuffle(names)
    api.have(*(patient(name) for name in names))
    comers: list[str] = []

    def meanwhile() -> None:
        for _ in range(2):
            comers.append(api.post("/Patient", patient()).json["id"])
        api.have(
            *(patient(name, birthDate=f"19{random_.randrange(10, 99)}") for name in random_.sample(sorted(kept), 6))
        )
        if goers:
            api.delete(f"/Patient/{goers.pop(random_.randrange(len(goers)))}")

    gone = set(goers)
    found = [identity for page in pages(api, "/Patient?_count=5", meanwhile)[:60] for identity in page]
    assert len(found) == len(set(found)), "nothing twice"
    assert kept <= set(found), "nothing lost"
    assert set(found) <= kept | gone | set(comers)
    assert set(goers) <= set(found)


def test_pages_by_time_lose_nothing_while_others_write(api: Api) -> None:
    """Oldest first: what is updated meanwhile comes again at its new place, and nothing is lost."""
    kept = {f"k{number}" for number in range(12)}
    api.have(*(patient(name) for name in sorted(kept)))
    changes = iter(("k0", "k11", "k5"))

    def meanwhile() -> None:
        if name := next(changes, None):
            api.have(patient(name, active=True))

    found = [
        identity for page in pages(api, "/Patient?_sort=_lastUpdated&_count=5", meanwhile) for identity in page
    ]
    assert set(found) == kept
