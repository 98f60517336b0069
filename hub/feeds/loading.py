"""One file, from its bytes to FHIR: read, kept, written. Begun again, it goes on where it was.

Rules: docs/feeds.md. The message of the file ends with it: `processed`, or `refused` with what was wrong.
Refuses: what hub.feeds.ingest refuses.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection

from hub import clock, outbox
from hub.feeds import attacks, files, taking
from hub.feeds.acting import Act, Acting
from hub.feeds.applying import Applying
from hub.feeds.arriving import Arriving
from hub.feeds.files import DONE, REFUSED, Counts, File
from hub.feeds.holding import Hold, held
from hub.feeds.ingest import Ingest, Refused
from hub.feeds.kinds import FileKind
from hub.feeds.records import Feed
from hub.inbox import work as inbox_work
from hub.inbox.messages import MESSAGE, RECEIVED, Message
from hub.inbox.messages import REFUSED as MESSAGE_REFUSED
from hub.store.engine import Database
from hub.store.tables import inbox
from hub.transactions import Transactions

log = logging.getLogger("hub.feeds")
ANSWERS = "feed-answers"  # the kind of work that sends them
HEARTBEAT_SECONDS = 5.0
Progress = Callable[[str, Counts], object]


@dataclass(frozen=True, slots=True)
class Loading:
    """`kinds` by name, `feeds` by name; `own` writes for the hub itself. `acts`: by kind, of those whose rows are
    done instead of written (hub.feeds.acting)."""

    database: Database
    own: Transactions
    arriving: Arriving
    kinds: Mapping[str, FileKind]
    feeds: Mapping[str, Feed]
    now: clock.Clock = clock.now
    acts: Mapping[str, Act] = field(default_factory=dict)

    def applying(
        self,
        feed: Feed,
        counts: Counts,
        step: Callable[[Counts], Any],
        fence: Callable[[Connection], object] = lambda connection: None,
    ) -> Applying:
        return Applying(self.database, self.own, self.kinds[feed.kind], feed, fence, self.now, counts, step)

    def run(self, seq: int, progress: Progress = lambda phase, counts: None, rests: bool = False) -> File:
        """All of it; the file as it is now. Raises Busy where somebody is at it, Lost where somebody else took it
        meanwhile, Problem where the database cannot be written: the lease ends, and it is begun again. `rests`: not
        at once (hub.feeds.holding)."""
        with held(self.database, seq, self.now, rests) as hold:
            if hold is None:
                raise Busy
            return self._run(hold, progress)

    def _run(self, hold: Hold, progress: Progress) -> File:
        seq = hold.taking.seq
        file, counts = self._file(seq), Counts()
        beat = _Heart(hold, progress)
        feed = self.feeds[file.feed]
        kind = self.kinds[feed.kind]
        content = self.arriving.content(file.digest)
        try:
            ingest = Ingest(hold, feed, counts, beat.during("reading"))
            ingest.run(kind.read, content, self.arriving.folder)
        except Refused:
            self._end(hold, REFUSED, counts)
        else:
            self._write(feed, hold, counts, beat.during("writing"))
            self._look_back(kind, feed, hold, counts)
            self._end(hold, DONE, counts)
        return self._file(seq)

    def _write(self, feed: Feed, hold: Hold, counts: Counts, step: Callable[[Counts], Any]) -> None:
        if (act := self.acts.get(feed.kind)) is not None:
            Acting(hold, feed, act, counts, step).run()
        else:
            self.applying(feed, counts, step, hold.ask).run()

    def _look_back(self, kind: FileKind, feed: Feed, hold: Hold, counts: Counts) -> None:
        if kind.look_back is None:
            return
        seq = hold.taking.seq
        with self.database.read() as connection:
            warned = list(kind.look_back(connection, feed, seq))
        told = counts.rejected + counts.warned
        hold.writing(lambda connection: files.reject(connection, seq, told, warned))
        counts.warned += len(warned)

    def again(self, seq: int) -> None:
        """A file that was read is read once more; who reads it now stops."""
        self.database.writing(lambda connection: taking.free(connection, seq))

    def _end(self, hold: Hold, state: str, counts: Counts) -> None:
        seq = hold.taking.seq
        now, feed = self._micros(), self.feeds[self._file(seq).feed]

        def end(connection: Connection) -> None:
            files.end(connection, hold.taking, state, counts, now)
            message = _message(connection, seq)
            if message is None:  # it ended before
                return
            if self.kinds[feed.kind].answers is not None:
                outbox.add(connection, [_answers(hold, now)])
            if state == DONE:
                inbox_work.processed(connection, message, now)
            else:
                inbox_work.parked(connection, message, MESSAGE_REFUSED, "see its reject report", None, now)
                attacks.tell(connection, feed, seq, now)

        self.database.writing(end)
        log.info("file %s of %s: %s %s", seq, self._file(seq).feed, state, counts.told())

    def _file(self, seq: int) -> File:
        with self.database.read() as connection:
            found = files.find(connection, seq)
        if found is None:
            raise KeyError(seq)
        return found

    def _micros(self) -> int:
        return clock.micros(self.now())

    def with_feed(self, feed: Feed) -> "Loading":
        """The same, with this feed instead of the one of its name."""
        return replace(self, feeds={**self.feeds, feed.name: feed})


class Busy(Exception):
    """Somebody else is at this file, or at another one of its feed."""


@dataclass(slots=True)
class _Heart:
    """Tells how far it is."""

    hold: Hold
    progress: Progress
    last: float = 0.0

    def during(self, phase: str) -> Callable[[Counts], object]:
        return lambda counts: self._beat(phase, counts)

    def _beat(self, phase: str, counts: Counts) -> None:
        self.progress(phase, counts)
        if time.monotonic() - self.last > HEARTBEAT_SECONDS:
            self.last = time.monotonic()
            self.hold.database.writing(lambda c: files.so_far(c, self.hold.taking, counts))


def _answers(hold: Hold, now: int) -> dict[str, Any]:
    """Work of its own for each ending: a file that a person agreed to, or that is replayed, ends again, and what
    its sender was told before is not true any more. In one line, so that the newest answer is the last."""
    seq = hold.taking.seq
    return outbox.row(ANSWERS, f"{seq}:{hold.taking.number}", {"file": seq}, now, line=f"{ANSWERS} {seq}")


def _message(connection: Connection, seq: int) -> Message | None:
    """The file's message, if it has not ended yet."""
    row = connection.execute(MESSAGE.where(inbox.c.seq == seq, inbox.c.state == RECEIVED)).first()
    return Message(*row) if row else None
