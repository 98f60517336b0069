"""A file comes in, by whatever way: its bytes are kept, then its message. What is acknowledged is safe.

Rules: docs/feeds.md "Arriving"; bad-input.md C05, C06, C14. The same name with the same bytes is a duplicate; with
other bytes it is refused (NAME_REUSED), and kept aside.
Refuses: a name that cannot be used (NAME_UNSAFE, ValueError); all (`busy`), where the folder is not the one.
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
from hub.inbox.messages import RECEIVED, Arrival, Message, member_key
from hub.inbox.work import NEVER
from hub.problems import Problem
from hub.store.engine import Database
from hub.store.tables import inbox

LONGEST = 200
NOT_THERE = "The folder that keeps files (HUB_FILES_DIR) is not there: is it mounted on this node?"
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
        self.must_be_there()
        return self._arrived(vault.keep(self.folder, path), name, feed)

    def in_pieces(self, pieces: Iterable[bytes], name: str, feed: Feed) -> tuple[Receipt, int]:
        """The same of what is coming in just now: nothing of it arrives where a piece raises."""
        name = safe_name(name)
        self.must_be_there()
        return self._arrived(vault.keep_pieces(self.folder, pieces), name, feed)

    def _arrived(self, digest: str, name: str, feed: Feed) -> tuple[Receipt, int]:
        size = vault.path_of(self.folder, digest).stat().st_size
        raw = json.write({"feed": feed.name, "name": name, "sha256": digest, "size": size})
        line = member_key(SOURCE.encode(), feed.name.encode())
        arrival = Arrival(SOURCE, feed.name, name, raw, clock.micros(self.now()), member=line)
        return self.database.writing(lambda connection: _accepted(connection, arrival, feed, name, digest))

    def is_there(self) -> bool:
        """Whether the folder is the one that keeps the bytes. It is marked before the first file comes, or where it
        holds a file that came (before an upgrade, by a backup). Else it may be what is below a network file system
        that is not mounted yet: no other node would see what comes there, and what is missing there is not lost."""
        if vault.is_marked(self.folder):
            return True
        with self.database.read() as connection:
            ours = not files.has_any(connection) or files.has_one_of(connection, vault.kept(self.folder))
        if ours:
            vault.mark(self.folder)
        return ours

    def must_be_there(self) -> None:
        """Raises Problem."""
        if not self.is_there():
            raise Problem("busy", NOT_THERE, headers={"Retry-After": "60"})

    def content(self, digest: str) -> Path:
        return vault.path_of(self.folder, digest)


def _accepted(connection: Connection, arrival: Arrival, feed: Feed, name: str, digest: str) -> tuple[Receipt, int]:
    (receipt,) = arrivals.accept(connection, [arrival])
    if receipt == "conflict":
        return receipt, 0
    mine = (inbox.c.source == SOURCE, inbox.c.feed == feed.name, inbox.c.control_id == name)
    seq = int(connection.execute(select(inbox.c.seq).where(*mine)).scalar_one())
    if receipt == "new":
        # not for the lanes of messages: files take minutes
        connection.execute(update(inbox).where(inbox.c.seq == seq).values(due=NEVER))
        files.came(connection, seq, feed, name, digest, arrival.received)
    return receipt, seq


def safe_name(name: str) -> str:
    """Plain ASCII: what looks like another name is another one. Raises ValueError."""
    if len(name) > LONGEST or not PLAIN.fullmatch(name):
        raise ValueError("NAME_UNSAFE")
    return name


def aside(database: Database, message: Message) -> None:
    """The worker's handler of files: they have a lane of their own (hub.feeds.lane), which counts its tries itself.
    Nothing happens where another worker has it."""
    mine = (inbox.c.seq == message.seq, inbox.c.fence == message.fence, inbox.c.state == RECEIVED)
    values = {"due": NEVER, "attempts": 0, "reason": "for the lane of files"}
    database.writing(lambda connection: connection.execute(update(inbox).where(*mine).values(values)))
