"""What hash partitions cost on one PostgreSQL server: the same hub over the same resources, with its big tables
whole and cut into parts by `rid` (docs/distribution.md), in turns.

    python -m tests.bench.partitions [--members 20000] [--parts 8]

The index tables and `history` can be cut as they are. `resource` gives up `UNIQUE (type, id)` for it, for what is
measured here only: its partitioned twin would do more, so what is printed is the least it costs.
https://www.postgresql.org/docs/current/ddl-partitioning.html
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, Index, MetaData, Table, UniqueConstraint
from sqlalchemy.schema import CreateTable

from hub.store import tables
from tests.bench import rest
from tests.bench.filled import fill
from tests.bench.grounds import Ground, Running, Size, ground
from tests.bench.http_load import Load
from tests.bench.measures import POSTGRESQL, quantile
from tests.bench.scale import ASKED, latencies

KEY = "rid"
INDEX = (
    "index_token",
    "index_date",
    "index_number",
    "index_string",
    "index_reference",
    "index_patient",
    "index_about",
)
CUT = (*INDEX, "history", "resource")
ROUNDS = 3


def cut(connection: Connection, name: str, parts: int) -> None:
    """Replace a table by a twin of `parts` parts with the same rows, keys and indexes."""
    whole = tables.metadata.tables[name]
    connection.exec_driver_sql(f"ALTER TABLE {name} RENAME TO {name}_whole")
    for index in connection.exec_driver_sql(
        f"SELECT indexname FROM pg_indexes WHERE tablename = '{name}_whole'"
    ).scalars():
        connection.exec_driver_sql(f"ALTER INDEX {index} RENAME TO {index}_whole")
    twin = _twin(whole)
    connection.execute(CreateTable(twin))
    for part in range(parts):
        values = f"FOR VALUES WITH (MODULUS {parts}, REMAINDER {part})"
        connection.exec_driver_sql(f"CREATE TABLE {name}_{part} PARTITION OF {name} {values}")
    names = ", ".join(column.name for column in whole.columns)
    connection.exec_driver_sql(f"INSERT INTO {name} ({names}) SELECT {names} FROM {name}_whole")
    for index in twin.indexes:
        index.create(connection)
    connection.exec_driver_sql(f"DROP TABLE {name}_whole")


def _twin(whole: Table) -> Table:
    """The table, cut by the key; what is unique without the key is an index of its own in each part."""
    twin = whole.to_metadata(MetaData())
    twin.dialect_options["postgresql"]["partition_by"] = f"HASH ({KEY})"
    for constraint in [c for c in twin.constraints if isinstance(c, UniqueConstraint)]:
        if KEY not in {column.name for column in constraint.columns}:
            twin.constraints.remove(constraint)
            Index(str(constraint.name), *constraint.columns)
    return twin


def measured(ground: Ground, members: int, parts: int) -> dict[str, float]:
    """The median of each search in ms, and creates a second; 0 parts: as the hub's tables are."""
    with ground.hub(ground.size.demo) as running:
        fill(running, members)
        if parts:
            with running.database.write() as connection:
                for name in CUT:
                    cut(connection, name, parts)
        with running.database.write() as connection:
            connection.exec_driver_sql("ANALYZE")
        running.hub.start()
        try:
            return {**_searches(running, members, ground.size), **_creates(running)}
        finally:
            running.hub.stop()


def _searches(running: Running, members: int, size: Size) -> dict[str, float]:
    return {
        f"{name}, ms": quantile(latencies(running, ask(range(members)), size.scale_requests), 0.5) * 1e3
        for name, ask in ASKED.items()
    }


def _creates(running: Running) -> dict[str, float]:
    load = Load(running.hub.http_port, rest.create(0), rest.headers(running), seconds=10)
    return {"create, /s": load.run().rate}


def _show(rounds: Sequence[tuple[dict[str, float], dict[str, float]]]) -> None:
    for name in rounds[0][0]:
        whole, cut_up = ([one[side][name] for one in rounds] for side in (0, 1))
        a, b = quantile(whole, 0.5), quantile(cut_up, 0.5)
        print(f"{name:20} whole {a:9.2f}   in parts {b:9.2f}   x {b / a:.2f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=20_000)
    parser.add_argument("--parts", type=int, default=8)
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
