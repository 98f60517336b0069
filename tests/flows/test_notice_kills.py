"""The campaign of kills under Subscriptions, small: nothing is lost or out of order, and it counts what it says."""

from pathlib import Path

import pytest

from tests.bench.kill_receivers import SUBSCRIPTIONS
from tests.bench.notice_kills import Found, compare, run


def test_kills_lose_no_notice_and_keep_their_order(
    database_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    cluster = None if database_url.startswith("sqlite") else request.getfixturevalue("postgresql")
    found = run("a database", database_url, tmp_path, cluster, 3)
    assert found.kills == 3
    assert found.is_clean, found
    assert found.notices >= len(SUBSCRIPTIONS) * found.acknowledged > 0


@pytest.mark.parametrize(
    ("came", "events", "fault"),
    [
        ([(1, "a"), (2, "b")], 2, {}),
        ([(1, "a"), (1, "a"), (2, "b"), (1, "a")], 2, {}),
        ([(2, "b"), (1, "a")], 2, {"disordered": 1}),
        ([(1, "a"), (3, "b")], 3, {"lost": 1}),
        ([(1, "a")], 1, {"lost": 1}),
        ([(1, "a"), (2, "b")], 3, {"lost": 1}),
        ([(1, "a"), (2, "b"), (2, "a")], 2, {"changed": 1}),
        ([(1, "a"), (2, "b"), (3, "b")], 3, {"changed": 1}),
        ([(1, "a"), (2, "b")], 1, {"changed": 1}),
    ],
)
def test_each_fault_is_counted(came: list[tuple[int, str]], events: int, fault: dict[str, int]) -> None:
    found = Found("none")
    compare(came, events, ["a", "b"], found)
    assert {name: getattr(found, name) for name in ("lost", "disordered", "changed")} == {
        "lost": 0,
        "disordered": 0,
        "changed": 0,
        **fault,
    }
    assert found.is_clean == (not fault)
