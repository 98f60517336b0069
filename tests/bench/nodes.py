"""One node beside two over the same PostgreSQL: reads and creates a second, eight connections to each node.

A node is a whole hub: web, listener, worker. The load, the nodes and PostgreSQL share the machine's cores, so a
machine of two cores cannot tell what a second node brings; the goal is for where cores allow.
"""

import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from tests.bench import rest
from tests.bench.grounds import SETTINGS, Ground, Running
from tests.bench.http_load import Load
from tests.bench.measures import Figure
from tests.flows.hub_process import HubProcess

ASKED = {"read": rest.read, "create": rest.create}


def nodes(ground: Ground) -> Iterator[Figure]:
    if ground.cluster is None:  # a SQLite database has one node
        return
    for name in ASKED:
        one, two = (_rate(ground, name, count) for count in (1, 2))
        yield Figure(f"nodes.{name}.one", round(one, 1), ground.name)
        yield Figure(f"nodes.{name}.two", round(two, 1), ground.name)
        yield Figure(f"nodes.{name}.times", round(two / one, 2), ground.name)


def _rate(ground: Ground, name: str, count: int) -> float:
    members = ground.size.members
    with ground.serving(members) as running, ExitStack() as stack:
        hubs = [running.hub, *(stack.enter_context(_another(running, number)) for number in range(2, count + 1))]
        headers = rest.headers(running)
        loads = [Load(hub.http_port, ASKED[name](members), headers, seconds=ground.size.rest) for hub in hubs]
        return sum(_run(loads))


def _run(loads: Sequence[Load]) -> list[float]:
    with ThreadPoolExecutor(len(loads)) as pool:
        return [answers.rate for answers in pool.map(Load.run, loads)]


@contextmanager
def _another(running: Running, number: int) -> Iterator[HubProcess]:
    """A further node, with the keys of the first and a data directory of its own."""
    folder = running.hub.folder.with_name(f"{running.hub.folder.name}-node-{number}")
    own = shutil.ignore_patterns("limits*", "taken-*", "audit")  # a node's own counts, and records on their way
    shutil.copytree(running.hub.folder, folder, ignore=own)
    hub = HubProcess(folder, running.hub.environment["HUB_DATABASE_URL"], **SETTINGS)
    hub.start()
    try:
        yield hub
    finally:
        hub.stop()
        shutil.rmtree(folder)
