"""History of a resource, of a type and of the system: newest first, in pages, each version once."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.hub.asking import BASE, Api, app_of, entry, observation, patient, refused

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Steps:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.moment = NOON

    def __call__(self) -> datetime:
        return self.moment

    def later(self, minutes: int) -> None:
        self.moment += timedelta(minutes=minutes)


def versions(bundle: dict[str, Any]) -> list[tuple[str, int]]:
    """(Type/id, version) of each entry."""
    found = []
    for each in bundle.get("entry", []):
        number = int(each["response"]["etag"].removeprefix('W/"').rstrip('"'))
        found.append((each["fullUrl"].removeprefix(f"{BASE}/"), number))
    return found


def pages(api: Api, path: str) -> Iterator[list[tuple[str, int]]]:
    """Each page, its next one asked for when it is needed."""
    while path:
        answer = api.get(path)
        assert answer.status_code == 200, answer.text
        yield versions(answer.json)
        links = {link["relation"]: link["url"] for link in answer.json["link"]}
        path = links.get("next", "").removeprefix(BASE)


@pytest.fixture
def timed(api: Api) -> tuple[Api, Steps]:
    """Patient/1 made at 12:00, changed at 12:10, deleted at 12:20, made again at 12:30; Observation/1 of 12:05."""
    steps = Steps()
    mine = Api(app_of(api.database, now=steps), api.database)
    mine.have(patient("1"))
    steps.later(5)
    mine.have(observation("1"))
    steps.later(5)
    mine.have(patient("1", active=True))
    steps.later(10)
    assert mine.delete("/Patient/1").status_code == 204
    steps.later(10)
    mine.have(patient("1", active=False))
    return mine, steps


ALL = [("Patient/1", 4), ("Patient/1", 3), ("Patient/1", 2), ("Observation/1", 1), ("Patient/1", 1)]
OF_PATIENT = [row for row in ALL if row[0] == "Patient/1"]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [("/Patient/1/_history", OF_PATIENT), ("/Patient/_history", OF_PATIENT), ("/_history", ALL),
     ("/Observation/_history", [("Observation/1", 1)]), ("/Task/_history", [])],
)  # fmt: skip
def test_each_level_shows_its_versions_newest_first(
    timed: tuple[Api, Steps], path: str, wanted: list[tuple[str, int]]
) -> None:
    api, _ = timed
    body = api.get(path).json
    assert (body["type"], versions(body)) == ("history", wanted)
    assert versions(api.get(f"{path}?_sort=-_lastUpdated").json) == wanted


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("path", ["/Patient/1/_history", "/Patient/_history", "/_history"])
def test_pages_have_every_version_once(timed: tuple[Api, Steps], path: str, count: int) -> None:
    api, _ = timed
    found = list(pages(api, f"{path}?_count={count}"))
    assert [row for page in found for row in page] == (ALL if path == "/_history" else OF_PATIENT)
    assert {len(page) for page in found[:-1]} <= {count}


SINCE = {
    "2026-03-01T12:10:00Z": 3,
    "2026-03-01T12:10:00.000001Z": 2,
    "2026-03-01T13:10:00%2B01:00": 3,
    "2026-03-01T13:10:00+01:00": 3,
    "2026-03-02": 0,
    "2026": 5,
}


@pytest.mark.parametrize(("since", "count"), SINCE.items())
def test_since_leaves_out_what_is_older(timed: tuple[Api, Steps], since: str, count: int) -> None:
    api, _ = timed
    answer = api.get(f"/_history?_since={since}")
    assert versions(answer.json) == ALL[:count]
    assert "_since=" in answer.json["link"][0]["url"]


AT: dict[str, list[tuple[str, int]]] = {
    "2026-03-01T12:03:00Z": [("Patient/1", 1)],
    "2026-03-01T12:07:00Z": [("Observation/1", 1), ("Patient/1", 1)],
    "2026-03-01T12:15:00Z": [("Patient/1", 2), ("Observation/1", 1)],
    "2026-03-01T12:25:00Z": [("Observation/1", 1)],
    "2026-03-01T12:20:00Z": [("Patient/1", 3), ("Observation/1", 1)],
    "2026-03-01T12:35:00Z": [("Patient/1", 4), ("Observation/1", 1)],
    "2026-03-01": ALL,
    "2026-02": [],
}


@pytest.mark.parametrize(("at", "wanted"), AT.items())
def test_at_shows_what_was_current_then(timed: tuple[Api, Steps], at: str, wanted: list[tuple[str, int]]) -> None:
    api, _ = timed
    assert versions(api.get(f"/_history?_at={at}").json) == wanted


def test_the_instances_history_counts_all_that_is_wanted(timed: tuple[Api, Steps]) -> None:
    api, _ = timed
    assert api.get("/Patient/1/_history?_count=1").json["total"] == 4
    assert api.get("/Patient/1/_history?_count=0").json["total"] == 4
    assert "entry" not in api.get("/Patient/1/_history?_count=0").json
    assert api.get("/Patient/1/_history?_since=2026-03-01T12:20:00Z").json["total"] == 2
    refused(api.get("/Patient/none/_history"), 404, "not-found")


@pytest.mark.parametrize(("path", "wanted"), [("/_history", ALL), ("/Patient/_history", OF_PATIENT)])
def test_what_others_write_between_pages_hides_nothing_and_shows_nothing_twice(
    timed: tuple[Api, Steps], path: str, wanted: list[tuple[str, int]]
) -> None:
    api, steps = timed
    found = []
    for page in pages(api, f"{path}?_count=1"):
        found += page
        steps.later(1)
        # the current versions that the next pages are about move into the history
        api.have(patient("1", birthDate=f"19{steps.moment.minute}"), patient(f"new{steps.moment.minute}"))
        api.have(observation("1", status="amended" if len(found) % 2 else "final"))
    assert found == wanted


def test_versions_of_one_moment_are_paged_too(api: Api) -> None:
    entries = [entry("PUT", f"Patient/{number}", patient(str(number))) for number in range(7)]
    assert api.bundle("transaction", *entries).status_code == 200
    for path in ("/_history", "/Patient/_history"):
        found = [row for page in pages(api, f"{path}?_count=2") for row in page]
        assert sorted(found) == [(f"Patient/{number}", 1) for number in range(7)]


def test_how_a_version_was_made_is_told(api: Api) -> None:
    made = api.post("/Patient", patient()).json["id"]
    api.have(patient("mine"), patient("mine", active=True))
    api.delete("/Patient/mine")
    told = {
        (each["request"]["method"], each["request"]["url"], each["response"]["status"], "resource" in each)
        for each in api.get("/Patient/_history").json["entry"]
    }
    assert told == {
        ("POST", "Patient", "201", True),
        ("PUT", "Patient/mine", "201", True),
        ("PUT", "Patient/mine", "200", True),
        ("DELETE", "Patient/mine", "204", False),
    }
    assert api.get(f"/Patient/{made}/_history").json["entry"][0]["request"]["method"] == "POST"


def test_a_client_sees_the_history_of_the_types_that_its_scopes_cover(timed: tuple[Api, Steps]) -> None:
    api, _ = timed
    assert versions(api.as_("patients").get("/_history").json) == OF_PATIENT
    refused(api.as_("patients").get("/Observation/_history"), 403, "forbidden")
    for path in ("/_history", "/Patient/_history"):
        refused(api.as_("reader").get(path), 403, "forbidden")
        assert api.as_("searcher").get(path).status_code == 200
    refused(api.as_("searcher").get("/Patient/1/_history"), 403, "forbidden")


def test_a_page_link_belongs_to_its_client_its_history_and_its_time(timed: tuple[Api, Steps]) -> None:
    api, steps = timed
    links = api.get("/Patient/_history?_count=1").json["link"]
    path = links[1]["url"].removeprefix(BASE)
    cursor = path.partition("_cursor=")[2]
    refused(api.as_("other").get(path), 404, "not-found")
    refused(api.get(f"/_history?_count=1&_cursor={cursor}"), 404, "not-found")
    refused(api.get(f"/Patient/_history?_count=2&_cursor={cursor}"), 404, "not-found")
    refused(api.get(path[:-1] + ("A" if path[-1] != "A" else "B")), 400, "invalid")
    steps.later(11)
    refused(api.get(path), 410, "not-found")


def test_a_page_is_no_larger_than_the_hub_allows(api: Api) -> None:
    answer = api.get("/_history?_count=100000")
    assert answer.json["link"] == [{"relation": "self", "url": f"{BASE}/_history?_count=50"}]


def test_lenient_handling_leaves_out_what_a_history_does_not_take(timed: tuple[Api, Steps]) -> None:
    api, _ = timed
    answer = api.get("/Patient/_history?name=x&_count=2", Prefer="handling=lenient")
    assert versions(answer.json) == OF_PATIENT[:2]
    assert answer.json["link"][0]["url"] == f"{BASE}/Patient/_history?_count=2"
