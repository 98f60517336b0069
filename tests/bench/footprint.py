"""How soon a hub answers, and how much memory it holds after a day's work."""

import asyncio
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench import mllp
from tests.bench.adt import OPEN_CONNECTIONS, settle
from tests.bench.grounds import Ground
from tests.bench.measures import Figure
from tests.bench.rest import reading
from tests.bench.visits import Visits

MESSAGES_A_SECOND = 50


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
