"""The campaign of kills, small: it counts what it says it counts, and nothing is lost, doubled or half applied."""

from pathlib import Path

from tests.flows.hospital_load import EVENTS, control_ids
from tests.flows.kill_campaign import Size, run


def test_two_kills_under_a_load_of_hospital_messages(database_url: str, tmp_path: Path) -> None:
    found = run("a database", database_url, tmp_path, None, Size(2, 80, 2, 60))
    assert (found.kills, found.acknowledged, found.processed, found.waiting) == (2, 80, 80, 0)
    assert found.is_clean, found


def test_each_visit_is_told_in_order_by_one_connection() -> None:
    told = list(control_ids(3, 2 * len(EVENTS)))
    assert [event for _, _, event in told] == [*EVENTS, *EVENTS]
    assert len({visit for _, visit, _ in told}) == 2
    assert len({name for name, _, _ in told}) == len(told)
