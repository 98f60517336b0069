"""Hospital messages into a running hub: how soon they are acknowledged, how many, and how fast they are processed.

The hub runs whole, so its worker processes while messages come; the load comes from this process.
"""

import asyncio
import time
from collections.abc import Iterator

from adapters.adt.group_commit import into
from adapters.adt.intake import intake
from hub import clock
from tests.bench import mllp
from tests.bench.grounds import Ground, Running
from tests.bench.measures import Figure, quantile
from tests.bench.visits import Visits

RATE, OPEN_CONNECTIONS, CLOSED_CONNECTIONS = 100, 8, 16
DRAIN_SECONDS = 300


def acknowledgments(ground: Ground) -> Iterator[Figure]:
    """Open loop: messages leave on time whether or not earlier ones were answered."""
    visits = Visits(ground.size.members)
    with ground.serving(ground.size.members) as running:
        port = running.hub.mllp_port
        asyncio.run(mllp.open_loop(port, visits, RATE, OPEN_CONNECTIONS, ground.size.warm_up))
        before = running.states()
        found = asyncio.run(mllp.open_loop(port, visits, RATE, OPEN_CONNECTIONS, ground.size.open_loop))
        after = running.states()
    more = _more(found, after)
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0)):
        yield Figure(f"ack.{name}", round(quantile(found.latencies, share) * 1e3, 2), ground.name, more=more)
    processed = after.get("processed", 0) - before.get("processed", 0)
    yield Figure("ack.processed", round(processed / found.seconds, 1), ground.name, more=more)


def closed(ground: Ground) -> Iterator[Figure]:
    """A connection sends its next message when the last one is answered."""
    yield from _sustained(ground, "closed", 1)


def pipelined(ground: Ground) -> Iterator[Figure]:
    """A connection has eight messages on the way."""
    yield from _sustained(ground, "pipelined", 8)


def _sustained(ground: Ground, name: str, in_flight: int) -> Iterator[Figure]:
    with ground.serving(ground.size.members) as running:
        found = _closed(running, Visits(ground.size.members), in_flight, ground.size.closed_loop)
        states = running.states()
    more = _more(found, states)
    yield Figure(f"acks.{name}", round(len(found.latencies) / found.seconds, 1), ground.name, more=more)
    processed = states.get("processed", 0) / found.seconds
    yield Figure(f"acks.{name}.processed", round(processed, 1), ground.name)
    yield Figure(f"acks.{name}.lost", len(found.latencies) - sum(states.values()), ground.name)


def _closed(running: Running, visits: Visits, pipelined: int, seconds: float) -> mllp.Figures:
    port = running.hub.mllp_port
    return asyncio.run(mllp.closed_loop(port, visits, CLOSED_CONNECTIONS, pipelined, seconds))


def _more(found: mllp.Figures, states: dict[str, int]) -> dict[str, object]:
    return {**found.row(), "inbox": states}


def processing(ground: Ground) -> Iterator[Figure]:
    """An inbox that was filled while the hub was off is worked off; the web server idles meanwhile. With
    PostgreSQL by one process that does nothing else, then by two."""
    yield from _worked_off(ground, "processing.rate", "1")
    if ground.cluster:
        yield from _worked_off(ground, "processing.two", "2")


def _worked_off(ground: Ground, key: str, processes: str) -> Iterator[Figure]:
    visits = Visits(ground.size.members)
    with ground.hub(ground.size.members, HUB_INBOX_PROCESSES=processes) as running:
        frames = [visits.next()[1:-2] for _ in range(ground.size.backlog)]
        arrivals = [intake(frame, clock.micros(clock.now()), False).arrival for frame in frames]
        into(running.database)(arrivals)
        running.hub.start()
        try:
            settle(running)
        finally:
            running.hub.stop()
        count, seconds = running.processed_between()
        states = running.states()
    yield Figure(key, round(count / seconds, 1), ground.name, more={"inbox": states})


def settle(running: Running) -> None:
    """Wait until nothing is left to process."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while running.states().get("received"):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the inbox is not worked off after {DRAIN_SECONDS} s: {running.states()}")
        time.sleep(0.5)
