"""R16 and R17 with small numbers: what is too much is refused with its Retry-After, nothing acknowledged is lost,
and nothing is left open. The large ones: python -m tests.faults.burst, python -m tests.faults.soak 30"""

from pathlib import Path

import pytest

from tests.faults import burst, soak
from tests.faults.soak import Sample, slope


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'hub.db'}"


def test_a_burst_is_told_what_is_too_much_and_costs_nothing(tmp_path: Path, url: str) -> None:
    found = burst.run(tmp_path, url, burst.Size(requests=10, messages=5, seconds=3, calm=1, look=1, patience=2))
    assert found.burst.refused > 0
    assert found.burst.accepted
    assert found.after.messages == len(found.after.acks)
    assert set(found.faults()) <= {"p99 of what was accepted is over 5 s", "not normal again in time"}, found
    assert found.burst.row()["p99_ms"] < 20_000, "5 s on a machine that does nothing else"


@pytest.mark.long
def test_two_minutes_of_load_leave_nothing_open(tmp_path: Path, url: str) -> None:
    row = soak.run(tmp_path, url, 2, 20, 10)
    missed = set(soak.faults(row)) - {"memory grows by more than 1 % an hour", "p95 drifts by more than 10 %"}
    assert missed == set(), row


def test_a_slope_is_what_the_memory_grows_by() -> None:
    samples = [Sample(60.0 * minute, 100 + minute / 60, 0, 0, 0) for minute in range(60)]
    assert round(slope(samples), 1) == 1.0
    assert slope(samples[:1]) == 0.0
