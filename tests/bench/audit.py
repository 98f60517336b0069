"""What the audit costs reads: the same reads of the same county, with HUB_AUDIT and without, in turn.

Each measurement starts a hub, alone: first with and then without it, in the next round the other way round.
The worker brings what was recorded into the chain meanwhile: that is part of the cost. Rates are compared within a
round, so that a machine that changes its speed changes both.
"""

import asyncio
from collections.abc import Iterator
from statistics import median

from hub.fhir import json
from tests.bench import rest
from tests.bench.facade import PROCESSES
from tests.bench.grounds import Ground, Running
from tests.bench.http_load import Load, ask
from tests.bench.measures import AUDITED, Figure

REQUESTS = {"read": rest.read, "tasks": rest.tasks}
YES, NO = "yes", "no"
Rates = dict[tuple[str, str], list[float]]  # answers a second, by what was read and HUB_AUDIT


def audit(ground: Ground) -> Iterator[Figure]:
    members = ground.size.members
    rates: Rates = {(name, kind): [] for name in AUDITED for kind in (YES, NO)}
    with (
        ground.hub(members, HUB_WEB_PROCESSES=PROCESSES, HUB_AUDIT=YES) as audited,
        ground.hub(members, HUB_WEB_PROCESSES=PROCESSES, HUB_AUDIT=NO) as silent,
    ):
        both = {YES: audited, NO: silent}
        for round_ in range(ground.size.audit_rounds):
            for name in AUDITED:
                for kind in (YES, NO) if round_ % 2 == 0 else (NO, YES):
                    rates[name, kind].append(_rate(both[kind], name, ground))
    for name in AUDITED:
        yield from _figures(ground, name, rates[name, YES], rates[name, NO])


def _rate(running: Running, name: str, ground: Ground) -> float:
    running.hub.start()
    try:
        requests = REQUESTS[name](ground.size.members)
        headers = f"Authorization: Bearer {running.token()}\r\n"
        assert "resourceType" in json.stored(asyncio.run(ask(running.hub.http_port, requests(), headers)))
        return Load(running.hub.http_port, requests, headers, seconds=ground.size.audit_seconds).run().rate
    finally:
        running.hub.stop()


def _figures(ground: Ground, name: str, audited: list[float], silent: list[float]) -> Iterator[Figure]:
    """The cost is by how much the rate falls, in hundredths."""
    costs = [round(100 * (1 - with_ / without), 1) for with_, without in zip(audited, silent, strict=True)]
    yield Figure(f"audit.{name}.yes", round(median(audited), 1), ground.name)
    yield Figure(f"audit.{name}.no", round(median(silent), 1), ground.name)
    yield Figure(f"audit.{name}.cost", median(costs), ground.name, more={"rounds": costs})
