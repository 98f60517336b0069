"""How soon a hub answers, and how much memory it holds after a day's work."""

import asyncio
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.bench import mllp, transactions
from tests.bench.adt import OPEN_CONNECTIONS, settle
from tests.bench.grounds import Ground, Running
from tests.bench.measures import Figure
from tests.bench.rest import reading
from tests.bench.visits import Visits

MESSAGES_A_SECOND = 50
ENTRIES = 500


@dataclass(frozen=True, slots=True)
class Resident:
    """MB: `rss` sums processes, `pss` counts what they share once."""

    rss: float
    pss: float


def resident(pids: Iterable[int]) -> Resident:
    rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    return Resident(_sum(rollups, "Rss:"), _sum(rollups, "Pss:"))


def _sum(rollups: list[str], name: str) -> float:
    lines = (line.split() for rollup in rollups for line in rollup.splitlines())
    return round(sum(int(words[1]) for words in lines if words[0] == name) / 1024, 1)


def start_up(ground: Ground) -> Iterator[Figure]:
    """The demo county is loaded; the clock runs from the command to the answer."""
    with ground.hub(ground.size.demo) as running:
        seconds = []
        for _ in range(ground.size.starts):
            seconds.append(round(running.hub.start(), 2))
            running.hub.stop()
    yield Figure("start.best", min(seconds), ground.name, more={"all": seconds})
    yield Figure("start.worst", max(seconds), ground.name)


def memory(ground: Ground) -> Iterator[Figure]:
    """After the demo county, some hundred hospital messages and some thousand reads and searches."""
    size = ground.size
    with ground.serving(size.demo) as running:
        seconds = size.messages / MESSAGES_A_SECOND
        visits = Visits(size.demo)
        asyncio.run(mllp.open_loop(running.hub.mllp_port, visits, MESSAGES_A_SECOND, OPEN_CONNECTIONS, seconds))
        settle(running)
        reading(running, size.demo, size.requests)
        time.sleep(1)
        pids = running.hub.pids()
        each = {pid: resident([pid]).rss for pid in pids}
        found = resident(pids)
    yield Figure("memory.rss", found.rss, ground.name, more={"each": sorted(each.values(), reverse=True)})
    yield Figure("memory.pss", found.pss, ground.name)


def large_bundle(ground: Ground) -> Iterator[Figure]:
    """What a transaction of 500 entries adds to the web process at its highest point (Linux keeps it)."""
    with ground.serving(ground.size.demo) as running:
        _post(running, range(1, 9))  # a warm process: what it holds anyway does not count
        pids = running.hub.pids()
        before = {pid: resident([pid]).rss for pid in pids}
        for pid in pids:
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # the highest point begins anew
        _post(running, range(9, 9 + ENTRIES // transactions.ENTRIES), more=ENTRIES % transactions.ENTRIES)
        added = max(_highest(pid) - before[pid] for pid in pids)
    yield Figure(
        "bundle.memory", round(added, 1), ground.name, more={"before": sorted(before.values(), reverse=True)}
    )


def _post(running: Running, numbers: Iterable[int], more: int = 0) -> None:
    """The entries of several transactions as one, and some more patients."""
    entries = [entry for number in numbers for entry in transactions.bundle(number)["entry"]]
    alone = {"resource": transactions.patient(0), "request": {"method": "POST", "url": "Patient"}}
    sent = {"resourceType": "Bundle", "type": "transaction", "entry": entries + [alone] * more}
    headers = {"Authorization": f"Bearer {running.token()}", "Content-Type": "application/fhir+json"}
    answer = requests.post(running.hub.fhir, json=sent, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text[:500]
    assert len(answer.json()["entry"]) == len(sent["entry"])


def _highest(pid: int) -> float:
    """MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
