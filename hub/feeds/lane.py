"""The worker's lane of files, and its handler of subjects that waited.

A file takes minutes and must not hold up a hospital's message, so it has a lane of its own. Files of one feed are
read in the order they came, one at a time, on whichever node.
Refuses: nothing. A file that ends in a fault of the hub so often, or whose bytes are not kept any more, is dead: a
person must look. A node that has not the folder of the bytes reads none.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from hub import clock, traced, tracing
from hub.feeds import applying, files, people, referring, taking
from hub.feeds.applying import UNMAPPED
from hub.feeds.arriving import NOT_THERE, aside
from hub.feeds.files import Counts, File
from hub.feeds.loading import Busy, Loading
from hub.feeds.taking import Lost
from hub.fhir import json
from hub.inbox import work as inbox
from hub.inbox.messages import DEAD, MESSAGE, RECEIVED, Message
from hub.inbox.parking import Park
from hub.inbox.waits import LookUp
from hub.problems import Problem
from hub.store.tables import inbox as messages

log = logging.getLogger("hub.feeds")
TRIES = 8
MINUTE = 60.0
GONE = "its bytes are not kept any more: have it sent again, then replay"
OF_FILES, OF_SUBJECTS = files.SOURCE, applying.SOURCE  # the sources of their messages


@dataclass(frozen=True, slots=True)
class FileLane:
    loading: Loading
    tries: int = TRIES
    told: list[float] = field(default_factory=list)  # when the log was

    def turn(self) -> bool:
        """One file of one feed; whether there was one."""
        loading = self.loading
        now = clock.micros(loading.now())
        with loading.database.read() as connection:
            found = [file for file in files.next_of_feeds(connection, now) if file.feed in loading.feeds]
        return any(self._load(file) for file in found[:1])

    def _load(self, file: File) -> bool:
        if file.attempts >= self.tries:
            return self._dead(file)
        if not self.loading.arriving.is_there():
            return self._not_there()
        if not self.loading.arriving.content(file.digest).exists():
            self.loading.database.writing(lambda connection: self._park(connection, file, GONE))
            return True
        try:
            with tracing.span("file.load", own=traced.of_file(file.digest), number=file.seq, attempt=file.attempts):
                self.loading.run(file.seq, rests=True)
        except Busy:
            return False
        except Lost:
            log.warning("file %s of %s: its lease was over, and somebody else took it", file.seq, file.feed)
        except Problem as problem:
            log.error("file %s of %s: %s; it is begun again", file.seq, file.feed, problem.kind)
        except Exception as error:
            log.error("file %s of %s: %s; it is begun again", file.seq, file.feed, type(error).__name__)
        return True

    def _not_there(self) -> bool:
        """Other nodes read it; the log says so once a minute."""
        if time.monotonic() - max(self.told, default=-MINUTE) >= MINUTE:
            self.told[:] = [time.monotonic()]
            log.error("files wait: %s", NOT_THERE)
        return False

    def _dead(self, file: File) -> bool:
        def end(connection: Connection) -> bool:
            mine = taking.take(connection, file.seq, self._micros())
            if mine is not None:
                self._park(connection, file, f"begun {mine.attempts} times")
                files.end(connection, mine, files.REFUSED, Counts(), self._micros())
            return mine is not None

        return self.loading.database.writing(end)

    def _park(self, connection: Connection, file: File, why: str) -> None:
        row = connection.execute(MESSAGE.where(messages.c.seq == file.seq, messages.c.state == RECEIVED)).first()
        if row:
            inbox.parked(connection, Message(*row), DEAD, why, None, self._micros())

    def _micros(self) -> int:
        return clock.micros(self.loading.now())

    def aside(self, message: Message) -> None:
        """The handler of source `file`."""
        aside(self.loading.database, message)

    def subject(self, message: Message) -> None:
        """The handler of source `feed`: a subject that waited. Raises Park, Problem."""
        said = json.read(message.raw)
        feed = self.loading.feeds.get(str(said.get("feed")))
        if feed is None:
            raise Park("waiting", "the feed is not configured any more")
        now = clock.micros(self.loading.now())
        ended: Callable[[Connection], None] = lambda connection: inbox.processed(connection, message, now)  # noqa: E731
        self.loading.applying(feed, Counts(), lambda counts: None).one(str(said["subject"]), ended)


def look_ups(loading: Loading) -> Mapping[str, LookUp]:
    """By kind, for hub.inbox.waits."""
    return {
        people.PERSON: people.is_known,
        UNMAPPED: lambda _, awaited: _has_code(loading, awaited),
        referring.KIND: lambda connection, awaited: referring.is_there(connection, awaited, loading.own.base),
    }


def _has_code(loading: Loading, awaited: str) -> bool:
    name, table, code = awaited.split("|", 2)
    feed = loading.feeds.get(name)
    asked = loading.kinds[feed.kind].has_code if feed else None
    return bool(feed and asked and asked(feed, table, code))


def release(loading: Loading) -> None:
    """What a killed process of this node held is free again. Only where no other process can hold any: SQLite."""
    if loading.database.is_sqlite:
        with loading.database.write() as connection:
            taking.release(connection)
