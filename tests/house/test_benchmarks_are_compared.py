"""A new run is held against the figures in the repository, and takes their place section by section."""

from typing import Any

from tests.bench import committed
from tests.bench.measures import Figure

SIZE = {"size": {"scale": [1, 1000]}}


def run(date: str, *rows: dict[str, Any]) -> dict[str, Any]:
    return {"date": date, **SIZE, "figures": list(rows), "floors": []}


def row(key: str, value: float, ratio: float | None = None) -> dict[str, Any]:
    return {"key": key, "value": value, "database": "sqlite", "ratio": ratio, "reached": None, "more": {}}


def test_the_later_figure_counts_and_what_was_not_measured_again_stays_with_its_date() -> None:
    old = run("2026-01-01", row("ack.p99", 9), row("start.worst", 2))
    both = committed.together([run("2026-01-02", row("ack.p99", 5)), old])
    assert both["date"] == "2026-01-02"
    assert {each["key"]: (each["value"], each["date"]) for each in both["figures"]} == {
        "ack.p99": (5, "2026-01-02"),
        "start.worst": (2, "2026-01-01"),
    }
    again = committed.together([both, run("2026-01-03", row("start.worst", 3))])
    assert {each["key"]: each["date"] for each in again["figures"]} == {
        "ack.p99": "2026-01-02",
        "start.worst": "2026-01-03",
    }


def test_a_run_is_held_against_the_last_by_what_both_machines_could_do() -> None:
    last = run("2026-01-01", row("ack.p99", 10, ratio=5), row("start.worst", 2))
    now = [
        Figure("ack.p99", 40, "sqlite", ratio=10),
        Figure("start.worst", 3, "sqlite"),
        Figure("ack.p50", 1, "sqlite"),
    ]
    assert committed.before(now, last) == {("ack.p99", "sqlite"): 2, ("start.worst", "sqlite"): 1.5}
