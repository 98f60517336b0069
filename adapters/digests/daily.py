"""The worker's chore: each digest that a feed wants, when its time has come.

Rules: docs/digests.md. A file for each stretch of so many hours, counted from a midnight of the feed's time zone: a
daily one begins when the day does, and never later by what the one before took. What was begun and not sent is due.
A place that does not answer holds up the digests behind it only, and no other chore: they are sent in a thread of
their own.
Refuses: a client that there is not, or that is none of the feed's (hub.feeds.partners): the log says so.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from adapters.digests.configured import Wanted, wanted
from adapters.digests.sending import Sent, send_digest
from hub import clock
from hub.access import Access
from hub.feeds.loading import Loading
from hub.feeds.partners import goes_to
from hub.feeds.records import Feed
from hub.notifications.digests import Digests
from hub.problems import Problem
from hub.store.read import Stored

log = logging.getLogger("adapters.digests")
NOT_THEIRS = "the client is not there, or none of the feed's (sends_to, clients, organization)"


@dataclass(frozen=True, slots=True)
class Daily:
    """`access_of` a client's id; `tell` records what leaves."""

    loading: Loading
    digests: Digests
    access_of: Callable[[str], Access | None]
    tell: Callable[[Feed, Access, Sequence[Stored]], None]
    busy: threading.Lock = field(default_factory=threading.Lock)

    def check(self) -> int:
        """How many are wanted. Raises CannotStart."""
        return len(list(self._wanted()))

    def turn(self, now: int) -> int:
        """Send what is due, in a thread; how many are due."""
        due = [(feed, one) for feed, one in self._wanted() if self._is_due(feed, one, now)]
        if due:
            threading.Thread(target=self.send, args=(due,), name="digests", daemon=True).start()
        return len(due)

    def _wanted(self) -> Iterator[tuple[Feed, Wanted]]:
        for feed in self.loading.feeds.values():
            yield from ((feed, one) for one in wanted(feed))

    def _is_due(self, feed: Feed, one: Wanted, now: int) -> bool:
        opened, is_open = self.digests.last_opened(one.digest)
        return is_open or _stretch(feed, one, opened) < _stretch(feed, one, now)

    def send(self, due: Sequence[tuple[Feed, Wanted]]) -> list[Sent]:
        """One after the other; what goes wrong is logged, and tried at the next turn."""
        if not self.busy.acquire(blocking=False):
            return []
        try:
            return [sent for feed, one in due if (sent := self._sent(feed, one)) is not None]
        finally:
            self.busy.release()

    def _sent(self, feed: Feed, one: Wanted) -> Sent | None:
        access = self.access_of(one.digest.client)
        if access is None or not goes_to(access, feed):
            log.error("digest for %s, feed %s: %s", one.digest.client, feed.name, NOT_THEIRS)
            return None
        try:
            sent = send_digest(self.digests, one.digest, access, feed, lambda rows: self.tell(feed, access, rows))
        except Exception as error:  # whatever it is, the others are sent
            why = error.issues[0].message if isinstance(error, Problem) else type(error).__name__
            log.error("digest for %s, feed %s: %s", one.digest.client, feed.name, why)
            return None
        log.info("%s: %s rows, %s forgotten", sent.name, sent.rows, sent.forgotten)
        return sent


def _stretch(feed: Feed, one: Wanted, at: int) -> int:
    """The number of the stretch of time in which this moment (microseconds) is."""
    local = clock.moment(at).astimezone(ZoneInfo(feed.time_zone)).replace(tzinfo=None)
    return (local - datetime(1970, 1, 1)) // one.every
