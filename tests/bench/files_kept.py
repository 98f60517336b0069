"""Rows of an HMIS export read, validated, compared and kept, and the same rows once more, in another file:
`python -m tests.bench.files_kept [ROWS]`. Nothing is mapped. On SQLite and on PostgreSQL with fsync.
"""

import resource
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from adapters.hmis.kinds import FILE_KINDS
from hub import clock
from hub.feeds.files import came
from hub.feeds.holding import held
from hub.feeds.ingest import Ingest
from hub.feeds.taking import free
from hub.store.engine import Database
from hub.store.migrate import migrate
from tests.bench.files_hmis import FEED, write_export
from tests.postgresql import Cluster

ROWS = 200_000
READ = next(kind.read for kind in FILE_KINDS if kind.name == FEED.kind)


def keep(name: str, database: Database, export: Path, folder: Path) -> None:
    migrate(database)
    for seq, what in ((1, "new"), (2, "unchanged")):
        with database.write() as connection:
            came(connection, seq, FEED, f"export-{seq}.zip", "")
        with held(database, seq, clock.now) as hold:
            assert hold is not None
            ingest = Ingest(hold, FEED)
            began = time.perf_counter()
            ingest.run(READ, export, folder)
            took = time.perf_counter() - began
        database.writing(partial(free, seq=seq))
        counts = ingest.counts
        assert counts.read == counts.new + counts.unchanged
        print(f"{name:10} {what:9} {counts.read:,} rows in {took:.1f} s: {counts.read / took:,.0f} rows/s")


def main(rows: int) -> None:
    with tempfile.TemporaryDirectory() as held:
        folder = Path(held)
        export = write_export(folder / "export", rows)
        keep("SQLite", Database(f"sqlite:///{folder / 'hub.db'}"), export, folder)
        with Cluster(None, ()) as cluster:
            keep("PostgreSQL", Database(cluster.create_database("kept")), export, folder)
    print(f"at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB resident")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)
