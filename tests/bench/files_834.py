"""How fast an 834 is read: `python -m tests.bench.files_834 [MEMBERS]`.

Segments alone, then rows with the envelope checked, then with full validation by pyx12. The file is made first; the
most memory that the process ever had is told last.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from adapters.plan.x12_834 import read
from adapters.x12.segments import segments
from hub.feeds.records import Feed, Row
from tests.adapters.plan.made_834 import large


def main(members: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = large(Path(folder) / "members.834", members)
        print(f"{members:,} members, {path.stat().st_size / 1e6:,.0f} MB")
        _told("segments", members, lambda: _segments(path))
        for validate in ("envelope", "full"):
            feed = Feed("bench", "plan-834", "https://plan.example/feed", options={"validate": validate})
            _told(f"rows, {validate}", members, lambda feed=feed: _rows(path, feed))
    print(f"at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB resident")


def _segments(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(1 for _ in segments(stream))


def _rows(path: Path, feed: Feed) -> int:
    return sum(isinstance(one, Row) for one in read(path, feed))


def _told(what: str, members: int, run: Callable[[], int]) -> None:
    began = time.perf_counter()
    count = run()
    took = time.perf_counter() - began
    print(f"{what}: {count:,} in {took:.1f} s, {members / took:,.0f} members/s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
