"""What a provider is asked, as a file: what the role may see, labels and consents included, and nothing else."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from adapters.referrals.answer_rows import Answer
from adapters.referrals.open_list import HEADER, open_referrals
from auth.referral_access import access_of_file
from hub.rights.part2 import NOTICE
from hub.store.engine import Database
from hub.store.read import Stored
from tests.adapters.referrals.answers_world import DAY, Houses
from tests.hub.referrals.world import ACT, BASE, HOUSE, OTHER_HOUSE, World

MEMBER = {
    "name": [{"family": "Testperson-Alder", "given": ["Robin"]}],
    "birthDate": "1980-04-02",
    "telecom": [{"system": "phone", "value": "555-0100"}],
    "maritalStatus": {"text": "not for a housing provider"},
}


@pytest.fixture
def houses(database: Database, tmp_path: Path) -> Houses:
    world = World(database)
    world.county()
    world.have({**world.read("Patient", "robin"), **MEMBER})
    made = Houses(world, tmp_path)
    made.asked("one", "two")
    made.asked("theirs", owner=OTHER_HOUSE)
    return made


def listed(houses: Houses, of: str = HOUSE, told: list[Stored] | None = None) -> list[dict[str, str]]:
    def tell(rows: Sequence[Stored]) -> None:
        if told is not None:
            told.extend(rows)

    with houses.world.database.read() as connection:
        made, count = open_referrals(connection, access_of_file(of), of, BASE, tell)
    rows = list(csv.DictReader(io.StringIO(made.decode(), newline="")))
    assert len(rows) == count
    return rows


def test_it_names_what_is_asked_of_this_provider_and_what_it_may_answer(houses: Houses) -> None:
    told: list[Stored] = []
    first, second = sorted(listed(houses, told=told), key=lambda row: row["task"])
    assert (first["task"], second["task"]) == ("one", "two")
    assert (first["status"], first["answers"]) == ("requested", "accept, decline, wait")
    assert (first["name"], first["born"], first["contact"]) == ("Robin Testperson-Alder", "1980-04-02", "555-0100")
    assert (first["service"], first["asked_by"]) == ("housing-deposits", "Example shelter")
    assert "marital" not in str(first)
    assert [row["task"] for row in listed(houses, OTHER_HOUSE)] == ["theirs"]
    # what left is what is recorded
    assert {(one.type, one.id) for one in told} >= {("Task", "one"), ("Patient", "robin"), ("Task", "two")}


def test_what_is_over_is_not_in_it(houses: Houses) -> None:
    houses.send(f"one,decline,No free flat (invented),,{DAY}")
    assert [row["task"] for row in listed(houses)] == ["two"]


def test_a_guarded_referral_is_not_in_it_without_a_consent(houses: Houses) -> None:
    label = {"system": ACT, "code": "SUD"}
    houses.world.have({**houses.world.read("Task", "one"), "meta": {"security": [label]}})
    assert [row["task"] for row in listed(houses)] == ["two"]


def test_nothing_leaves_that_cannot_be_recorded(houses: Houses) -> None:
    def tell(rows: Sequence[Stored]) -> None:
        raise OSError("the disk is full")

    with houses.world.database.read() as connection, pytest.raises(OSError, match="full"):
        open_referrals(connection, access_of_file(HOUSE), HOUSE, BASE, tell)


def test_a_cell_is_no_formula(houses: Houses) -> None:
    name = [{"family": "=HYPERLINK(1)"}]
    houses.world.have({**houses.world.read("Patient", "robin"), "name": name})
    assert listed(houses)[0]["name"] == "'=HYPERLINK(1)"


def test_the_number_in_it_is_the_one_that_answers(houses: Houses) -> None:
    (first, *_) = listed(houses)
    assert houses.report(houses.send(f"{first['task']},accept,,,{DAY}")) == []
    assert houses.status(first["task"]) == "accepted"
    assert "task" in Answer().load_fields
    assert len(set(HEADER)) == len(HEADER)
    assert NOTICE
