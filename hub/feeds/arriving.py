"""A file comes in, by whatever way: its bytes are kept, then its message. What is acknowledged is safe.

Rules: docs/feeds.md "Arriving"; bad-input.md C05, C06, C14. The same name with the same bytes is a duplicate; with
other bytes it is refused (NAME_REUSED), and kept aside.
Refuses: a name that cannot be used (NAME_UNSAFE, ValueError).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select, update

from hub import clock
from hub.feeds import files, vault
from hub.feeds.files import SOURCE
from hub.feeds.records import Feed
from hub.fhir import json
from hub.inbox import arrivals
from hub.inbox.arrivals import Receipt
from hub.inbox.messages import Arrival, Message, member_key
from hub.inbox.work import retry_later
from hub.store.engine import Database
from hub.store.tables import inbox

NEVER = 2**62  # a file's message is not for the lanes of messages: files take minutes
LONGEST = 200
PLAIN = re.compile(r"[\w(\[](?:[\w .,()\[\]&#@=+-]*[\w)\]])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Arriving:
    """`folder` keeps the bytes."""

    database: Database
    folder: Path
    now: clock.Clock = clock.now

    def __call__(self, path: Path, name: str, feed: Feed) -> tuple[Receipt, int]:
        """What it is, and its number (0: a conflict). Raises ValueError(NAME_UNSAFE), OSError, Problem."""
        name = safe_name(name)
        return self._arrived(vault.keep(self.folder, path), name, feed)

    def in_pieces(self, pieces: Iterable[bytes], name: str, feed: Feed) -> tuple[Receipt, int]:
        """The same of what is coming in just now: nothing of it arrives where a piece raises."""
        name = safe_name(name)
        return self._arrived(vault.keep_pieces(self.folder, pieces), name, feed)

    def _arrived(self, digest: str, name: str, feed: Feed) -> tuple[Receipt, int]:
        size = vault.path_of(self.folder, digest).stat().st_size
        raw = json.write({"feed": feed.name, "name": name, "sha256": digest, "size": size})
        line = member_key(SOURCE.encode(), feed.name.encode())
        arrival = Arrival(SOURCE, feed.name, name, raw, clock.micros(self.now()), member=line)
        return self.database.writing(lambda connection: _accepted(connection, arrival, feed, name, digest))

    def content(self, digest: str) -> Path:
        return vault.path_of(self.folder, digest)


def _accepted(connection: Connection, arrival: Arrival, feed: Feed, name: str, digest: str) -> tuple[Receipt, int]:
    (receipt,) = arrivals.accept(connection, [arrival])
    if receipt == "conflict":
        return receipt, 0
    mine = (inbox.c.source == SOURCE, inbox.c.feed == feed.name, inbox.c.control_id == name)
    seq = int(connection.execute(select(inbox.c.seq).where(*mine)).scalar_one())
    if receipt == "new":
        connection.execute(update(inbox).where(inbox.c.seq == seq).values(due=NEVER))
        files.came(connection, seq, feed, name, digest, arrival.received)
    return receipt, seq


def safe_name(name: str) -> str:
    """Plain ASCII: what looks like another name is another one. Raises ValueError."""
    if len(name) > LONGEST or not PLAIN.fullmatch(name):
        raise ValueError("NAME_UNSAFE")
    return name


def aside(database: Database, message: Message) -> None:
    """The worker's handler of files: they have a lane of their own (hub.feeds.lane)."""
    database.writing(lambda connection: retry_later(connection, message, NEVER, "for the lane of files"))
