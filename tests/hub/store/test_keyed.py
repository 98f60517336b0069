"""Rows by keys alone: several keys in one statement, and the newest of one."""

from hub.access import Access
from hub.search.hashes import key
from hub.sight import ALL, Sight
from hub.store import conditions, keyed
from hub.store.conditions import Ahead
from tests.hub.asking import BASE, Api

SYSTEM = "https://example.invalid/number"


def stored(api: Api, *values: str) -> list[str]:
    """Organizations with these numbers; their ids."""
    made = ({"resourceType": "Organization", "identifier": [{"system": SYSTEM, "value": one}]} for one in values)
    return [api.post("/Organization", each).json["id"] for each in made]


def of(value: str) -> int:
    return key("Organization", "identifier", "sc", SYSTEM, value)


def test_each_of_several_keys_finds_its_own_up_to_a_number(hub: Api) -> None:
    one, other, third, gone, two = stored(hub, "1", "1", "1", "1", "2")
    hub.delete(f"/Organization/{one}")
    with hub.database.read() as connection:
        found = keyed.of_any(connection, ALL, [of("1"), of("2"), of("3")], 2)
    assert sorted((number, row[2]) for number, row in found) == sorted(
        [(of("1"), other), (of("1"), third), (of("2"), two)]
    )
    assert gone not in [row[2] for _, row in found]


def test_no_key_asks_nothing(hub: Api) -> None:
    with hub.database.read() as connection:
        assert keyed.of_any(connection, ALL, [], 2) == []


def test_of_each_key_the_newest_are_found(hub: Api) -> None:
    _, second, third, other = stored(hub, "1", "1", "1", "2")
    with hub.database.read() as connection:
        found = keyed.newest_of(connection, ALL, [of("1"), of("2")], 2)
    assert {row[2] for number, row in found if number == of("1")} == {second, third}
    assert [row[2] for number, row in found if number == of("2")] == [other]


def test_what_may_not_be_seen_has_no_key(hub: Api) -> None:
    patient = hub.post("/Patient", {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": "1"}]})
    number = key("Patient", "identifier", "sc", SYSTEM, "1")
    with hub.database.read() as connection:
        assert [row[2] for _, row in keyed.of_any(connection, ALL, [number], 2)] == [patient.json["id"]]
        assert keyed.of_any(connection, Sight(), [number], 2) == []
        assert keyed.newest_of(connection, Sight(), [number], 2) == []


def test_a_commit_asks_once_for_all_its_conditions_and_finds_the_same(hub: Api) -> None:
    stored(hub, "1", *["many"] * 12)
    queries = [conditions.query_of("Organization", f"identifier={SYSTEM}|{n}", BASE) for n in ("1", "2", "many")]
    access = Access.system("a test")
    with hub.database.read() as connection:
        ahead = Ahead(connection, access, queries)
        for query in queries:
            asked, known = (
                [row.id for row in conditions.candidates(connection, access, query, (), BASE, 20, each)]
                for each in (None, ahead)
            )
            assert asked == known
        assert ahead.of(queries[2]) is None  # there are more than were read
        assert [len(ahead.of(query) or ()) for query in queries[:2]] == [1, 0]
