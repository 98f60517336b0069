"""What hash partitions cost on one PostgreSQL server: the same hub over the same resources, with its big tables
whole and in parts (hub.store.partitions), in turns.

    python -m tests.bench.partitions [--members 20000] [--parts 4]

https://www.postgresql.org/docs/current/ddl-partitioning.html
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from sqlalchemy import select

from hub.fhir import json
from hub.store import partitions
from hub.store.tables import resource
from tests.bench import rest
from tests.bench.filled import fill
from tests.bench.grounds import Ground, Running, Size, ground
from tests.bench.http_load import Load, Request
from tests.bench.measures import POSTGRESQL, quantile
from tests.bench.scale import ASKED, latencies

ROUNDS = 2
SECONDS = 8
UPDATED = 2000


def measured(ground: Ground, members: int, parts: int) -> dict[str, float]:
    """The median of each search in ms, and creates a second; 0 parts: whole tables."""
    with ground.hub(ground.size.demo) as running:
        fill(running, members)
        with running.database.write() as connection:
            partitions.join(connection)
            if parts:
                partitions.cut(connection, parts=parts)
        with running.database.write() as connection:
            connection.exec_driver_sql("ANALYZE")
        running.hub.start()
        try:
            return {**_searches(running, members, ground.size), **_writes(running)}
        finally:
            running.hub.stop()


def _searches(running: Running, members: int, size: Size) -> dict[str, float]:
    return {
        f"{name}, ms": quantile(latencies(running, ask(range(members)), size.scale_requests), 0.5) * 1e3
        for name, ask in ASKED.items()
    }


def _writes(running: Running) -> dict[str, float]:
    asked = {"create": rest.create(0), "update": _update(running), "transaction": rest.transaction(0)}
    head, port = rest.headers(running), running.hub.http_port
    return {f"{name}, /s": Load(port, one, head, seconds=SECONDS).run().rate for name, one in asked.items()}


def _update(running: Running) -> rest.Next:
    """Patients that are stored, each time with another birth date."""
    asked = select(resource.c.body).where(resource.c.type == "Patient").limit(UPDATED)
    with running.database.read() as connection:
        found = [json.stored(body) for body in connection.execute(asked).scalars()]
    days = count()

    def request() -> Request:
        day = next(days)
        one = {**found[day % len(found)], "birthDate": f"19{day // 28 % 100:02d}-02-{day % 28 + 1:02d}"}
        return Request("PUT", f"/fhir/Patient/{one['id']}", json.write(one))

    return request


def _show(rounds: Sequence[tuple[dict[str, float], dict[str, float]]]) -> None:
    for name in rounds[0][0]:
        whole, cut_up = ([one[side][name] for one in rounds] for side in (0, 1))
        a, b = quantile(whole, 0.5), quantile(cut_up, 0.5)
        print(f"{name:20} whole {a:9.2f}   in parts {b:9.2f}   x {b / a:.2f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=20_000)
    parser.add_argument("--parts", type=int, default=partitions.PARTS)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="hub-bench-") as folder,
        ground(POSTGRESQL, Path(folder), Size()) as mine,
    ):
        rounds = [
            (measured(mine, options.members, 0), measured(mine, options.members, options.parts))
            for _ in range(ROUNDS)
        ]
    _show(rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
