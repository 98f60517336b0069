"""R17: the sized load for long. What grows, what gets slower, what fails.

    python -m tests.faults.soak MINUTES [--database sqlite|postgresql] [--requests 40] [--messages 20]

First comes a burst of ten times the load: a peak leaves more connections open than the load needs, and what grows
afterwards is a leak. Then every ten seconds the hub's processes are looked at: memory (RSS), open files, threads,
and with PostgreSQL connections to the database. Prints a line of JSON: the slope of the memory in % an hour (least
squares, without the first fifth, in which caches fill), the first and the last counts, memory and connections at
each tenth, the p95 of the second fifth and of the last one, and the share of errors. Exit code 1 where more than
0.1 % failed or something acknowledged was lost; the other targets (slope below 1 % an hour, p95 within 10 %, counts
flat) mean something from 30 minutes on, and are told.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text

from hub.store.engine import Database
from tests.faults.load import Load, Phase, loaded, lost
from tests.flows.hub_process import HubProcess
from tests.flows.kill_campaign import ground

EVERY = 10.0  # seconds
PEAK = 10  # times the load, before the measuring
PAGE = os.sysconf("SC_PAGE_SIZE")
MOST_ERRORS, MOST_SLOPE, MOST_DRIFT = 0.001, 1.0, 10.0


@dataclass(frozen=True, slots=True)
class Sample:
    """Of all the hub's processes together; `at` in seconds, memory in MB."""

    at: float
    memory: float
    files: int
    threads: int
    connections: int


def sampled(hub: HubProcess, database: Database, began: float) -> Sample:
    there = [Path("/proc", str(pid)) for pid in hub.pids()]
    memory = sum(int((each / "statm").read_text().split()[1]) * PAGE for each in there)
    files = sum(len(os.listdir(each / "fd")) for each in there)
    threads = sum(len(os.listdir(each / "task")) for each in there)
    return Sample(time.monotonic() - began, memory / 1e6, files, threads, _connections(database))


def _connections(database: Database) -> int:
    if database.is_sqlite:
        return 0
    with database.read() as connection:
        asked = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(connection.execute(asked).scalar_one())


def slope(samples: list[Sample]) -> float:
    """Of the memory, in % of its mean an hour."""
    later = samples[len(samples) // 5 :]
    if len(later) < 2:
        return 0.0
    mean_at = sum(each.at for each in later) / len(later)
    mean = sum(each.memory for each in later) / len(later)
    over = sum((each.at - mean_at) ** 2 for each in later)
    rise = sum((each.at - mean_at) * (each.memory - mean) for each in later) / over if over else 0.0
    return 100 * rise * 3600 / mean


def told(samples: list[Sample], phases: list[Phase], missing: int) -> dict[str, Any]:
    fifth = max(1, len(phases) // 5)
    early, late = (_p95(some) for some in (phases[fifth : 2 * fifth] or phases[:1], phases[-fifth:]))
    sent = sum(each.sent + each.messages for each in phases)
    failed = sum(each.errors + each.refused + each.unanswered + each.messages - len(each.acks) for each in phases)
    counts = {name: (getattr(samples[0], name), getattr(samples[-1], name)) for name in Sample.__slots__[1:]}
    drift = 100 * (late / early - 1) if early else 0.0
    return {
        "minutes": round(samples[-1].at / 60, 1),
        "sent": sent,
        "errors": failed,
        "how": _how(phases),
        "error_share": round(failed / max(sent, 1), 6),
        "rss_slope_percent_an_hour": round(slope(samples), 2),
        "p95_ms_early_late": (early, late),
        "p95_drift_percent": round(drift, 1),
        "first_last": {name: tuple(round(each, 1) for each in pair) for name, pair in counts.items()},
        "tenths": [(round(each.memory, 1), each.connections) for each in samples[:: max(1, len(samples) // 10)]],
        "lost": missing,
    }


def _how(phases: list[Phase]) -> dict[str, int]:
    """Which answers failed, and in how many of the phases."""
    found: Counter[str] = Counter()
    for each in phases:
        statuses = {str(status): count for status, count in each.statuses.items() if status >= 400}
        unacknowledged = each.messages - len(each.acks)
        of_phase = Counter({**statuses, "unanswered": each.unanswered, "no ACK": unacknowledged})
        found += of_phase
        found["phases"] += any(of_phase.values())
    return dict(+found)


def _p95(phases: list[Phase]) -> float:
    whole = Phase("", accepted=[took for each in phases for took in each.accepted])
    return float(whole.row()["p95_ms"])


def faults(row: dict[str, Any]) -> list[str]:
    """The targets that are missed."""
    wrong = {
        "more than 0.1 % failed": row["error_share"] > MOST_ERRORS,
        "something acknowledged is lost": row["lost"],
        "memory grows by more than 1 % an hour": row["rss_slope_percent_an_hour"] > MOST_SLOPE,
        "p95 drifts by more than 10 %": row["p95_drift_percent"] > MOST_DRIFT,
        "open files, threads or connections grow": any(
            last > first + 10
            for first, last in (row["first_last"][name] for name in ("files", "threads", "connections"))
        ),
    }
    return [name for name, is_so in wrong.items() if is_so]


def run(folder: Path, url: str, minutes: float, requests: float, messages: float) -> dict[str, Any]:
    with loaded(folder, url, HUB_RATE_PER_SECOND="0") as (hub, database, load):
        samples, phases = asyncio.run(_soaked(hub, database, load, 60 * minutes, requests, messages))
        return told(samples, phases, lost(database, load))


async def _soaked(
    hub: HubProcess, database: Database, load: Load, seconds: float, requests: float, messages: float
) -> tuple[list[Sample], list[Phase]]:
    for times in (PEAK, 1, 1, 1, 1, 1):  # connections at rest are closed after 30 s
        await load.phase("warm up", times * requests, times * messages, min(EVERY, seconds / 10))
    began = time.monotonic()
    samples, phases = [sampled(hub, database, began)], list[Phase]()
    while time.monotonic() - began < seconds:
        phases.append(await load.phase(str(len(phases)), requests, messages, min(EVERY, seconds / 10)))
        samples.append(sampled(hub, database, began))
    return samples, phases


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("minutes", type=float, nargs="?", default=30)
    options.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    options.add_argument("--requests", type=float, default=40)
    options.add_argument("--messages", type=float, default=20)
    chosen = options.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        url, _ = stack.enter_context(ground(chosen.database, folder))
        row = run(folder, url, chosen.minutes, chosen.requests, chosen.messages)
    missed = faults(row)
    print(json.dumps(row | {"missed": missed}))
    return 1 if {"more than 0.1 % failed", "something acknowledged is lost"} & set(missed) else 0


if __name__ == "__main__":
    sys.exit(main())
