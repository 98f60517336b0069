"""How long the bytes of files are kept: until a file is done with, its rows are written, and some days are over.

Rules: docs/feeds.md "How long bytes are kept". What stays is the name, the digest, the counts, the lines of the
report, and what the rows say. A file that comes again brings its bytes with it.
Kept, however old: bytes of a file that waits, is being read or died; of one with a row that waits. Bytes that
belong to no file (of a name that was used before, of a process that was killed) go by their age.
Refuses: nothing.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, or_, select

from hub.feeds.files import DONE, REFUSED
from hub.feeds.kept import CLEAN
from hub.inbox.messages import PROCESSED
from hub.inbox.messages import REFUSED as MESSAGE_REFUSED
from hub.store.engine import Database
from hub.store.tables import inbox
from hub.store.tables_feeds import feed_file, feed_record

DAY = 24 * 60 * 60 * 1_000_000
CHUNK = 400
GOING = ".going-"
OURS = re.compile(r"[0-9a-f]{64}|\.\d+-[0-9a-f]{16}|\.going-[0-9a-f]{64}")  # bytes, drafts of them, and what goes


@dataclass(frozen=True, slots=True)
class Emptying:
    """A chore. `folder` keeps the bytes, 0 `days` keep them for ever."""

    database: Database
    folder: Path
    days: int

    def turn(self, now: int) -> int:
        """How many files lost their bytes."""
        before = now - self.days * DAY
        old = sorted(_old(self.folder, before)) if self.days else []
        if not old:
            return 0
        with self.database.read() as connection:
            needed = _needed(connection, [_digest(name) for name in old], before)
        return sum(_empty(self.folder, name, before) for name in old if _digest(name) not in needed)


def _old(folder: Path, before: int) -> Iterator[str]:
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if OURS.fullmatch(entry.name) and _changed(folder / entry.name) < before:
                yield entry.name


def _changed(path: Path) -> int:
    """Microseconds since 1970; now, for what is gone."""
    try:
        return path.stat().st_mtime_ns // 1000
    except FileNotFoundError:
        return 1 << 62


def _digest(name: str) -> str:
    return name.removeprefix(GOING)


def _needed(connection: Connection, digests: Iterable[str], before: int) -> set[str]:
    """Those of them whose bytes somebody will read."""
    asked, every = select(feed_record.c.file).where(feed_record.c.state != CLEAN).distinct(), list(digests)
    waiting = set(connection.execute(asked).scalars())
    over = (inbox.c.state.in_((PROCESSED, MESSAGE_REFUSED)), feed_file.c.state.in_((DONE, REFUSED)))
    found: set[str] = set()
    for start in range(0, len(every), CHUNK):
        mine = feed_file.c.digest.in_(every[start : start + CHUNK])
        rows = connection.execute(
            select(feed_file.c.digest, feed_file.c.seq, or_(~over[0], ~over[1], feed_file.c.ended >= before))
            .join(inbox, inbox.c.seq == feed_file.c.seq)
            .where(mine)
        )
        found |= {digest for digest, seq, is_needed in rows if is_needed or seq in waiting}
    return found


def _empty(folder: Path, name: str, before: int) -> bool:
    """Moved away first: if the same bytes came again in this moment, they are put back."""
    path, going = folder / name, folder / f"{GOING}{_digest(name)}"
    try:
        path.rename(going)
        if _changed(going) >= before:
            going.rename(folder / _digest(name))
            return False
        going.unlink()
    except FileNotFoundError:
        return False
    return True
