"""How much a client may ask for, and how often a stranger may guess.

Rules: RFC 6585 section 4 (429), RFC 9110 section 10.2.3 (Retry-After) and the fields RateLimit-Policy and
RateLimit of https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/11/ (work in progress).
A client has a bucket of HUB_RATE_BURST requests, filled by HUB_RATE_PER_SECOND, and HUB_DAILY_QUOTA requests a
day (UTC); an address HUB_FAILURES_PER_MINUTE tokens, assertions and passwords that are wrong.
The processes of a node count together and exactly (hub.rest.slots). Nodes over one PostgreSQL tell each other what
was taken, once a second (hub.rest.shared_limits): for that second each gives what it has. Ceiling: a node
forgets at most what its system had not yet written when it lost power.
Refuses: a client past its limits and an address past its failures, both 429 `throttled`. Whoever has a good
token is not refused for the failures of others at the same address; at the token endpoint and the sign-in all
are.
"""

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub import clock
from hub.problems import Problem
from hub.rest.peers import Peers
from hub.rest.slots import Slots

HEADERS = "hub.limits"  # in the environ: the fields of the answer
DAY = 86_400
NANO = 1_000_000_000
COUNTED = 40  # bits of a day's number that hold the count
Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Pace:
    """A bucket of `burst`, filled by `per_second`."""

    per_second: float
    burst: int

    @property
    def step(self) -> int:
        """Nanoseconds for one."""
        return int(NANO / self.per_second)

    @property
    def window(self) -> int:
        """Nanoseconds until an empty bucket is full."""
        return self.step * self.burst


@dataclass(frozen=True, slots=True)
class Rates:
    """What is allowed; 0 is no limit."""

    per_second: int = 0
    burst: int = 0
    a_day: int = 0
    failures_a_minute: int = 0


@dataclass(slots=True)
class Found:
    """What a bucket said: how many it still holds, when it is full, and how long to wait for the next one."""

    left: int = 0
    full: int = 0
    wait: int = 0


def taken(full_at: int, now: int, pace: Pace, count: int, found: Found) -> int:
    """The moment at which the bucket is full when `count` were taken from it (the generic cell rate algorithm),
    and what was `found`. A moment that no bucket can have (the clock or the limit was changed) counts as full."""
    step, window = pace.step, pace.window
    start = full_at if now <= full_at <= now + window else now
    after = start + step * count
    found.wait = max(0, start + step - now - window)
    if found.wait:
        after = start
    found.left = (now + window - after) // step
    found.full = after - now
    return after


def counted(held: int, day: int, most: int, found: Found) -> int:
    """The day's number with one more in it."""
    before = held & ((1 << COUNTED) - 1) if held >> COUNTED == day else 0
    found.left, found.wait = max(0, most - before - 1), int(before >= most)
    return day << COUNTED | (before if found.wait else before + 1)


@dataclass(frozen=True, slots=True)
class Book:
    """The numbers of one kind of limit, and what this node took since it told the other nodes: nanoseconds of the
    pace, or requests of a day where there is none."""

    name: str
    numbers: Slots
    fresh: Slots | None
    pace: Pace | None = None


class Throttle:
    """One for a process. `folder` is the node's data directory; `key` hides which place is whose, the same on all
    nodes. `tells`: other nodes are to know what was taken."""

    def __init__(
        self,
        rates: Rates,
        folder: Path | None,
        key: bytes,
        peers: Peers,
        clock: Callable[[], int] = clock.nanos,
        tells: bool = False,
    ):
        self._rates, self._peers, self._clock = rates, peers, clock
        pace = Pace(rates.per_second, max(rates.burst, 1)) if rates.per_second else None
        failures = rates.failures_a_minute

        def book(name: str, pace: Pace | None, wanted: object) -> Book | None:
            places = (folder / f"limits-{name}", folder / f"taken-{name}") if folder else (None, None)
            fresh = Slots(places[1], key) if tells and wanted else None
            return Book(name, Slots(places[0], key), fresh, pace) if wanted else None

        self._clients, self._open = book("clients", pace, pace), book("open", pace, pace)
        self._failures = book("failures", Pace(failures / 60, failures) if failures else None, failures)
        self._days = book("days", None, rates.a_day)
        self._policy = _policy(pace, rates.a_day)

    @property
    def books(self) -> list[Book]:
        """What other nodes may be told of."""
        return [book for book in (self._clients, self._open, self._failures, self._days) if book]

    def take(self, who: str, environ: dict[str, Any]) -> None:
        """One request of a client. Raises Problem `throttled`."""
        if not self._policy:
            return
        told, wait = [], 0
        if self._clients:
            burst = self._taken(self._clients, who)
            told.append(f'"burst";r={burst.left};t={_seconds(burst.full)}')
            wait = _seconds(burst.wait)
        if self._days and not wait:
            day = self._counted(self._days, who)
            left = DAY - self._clock() // NANO % DAY
            told.append(f'"day";r={day.left};t={left}')
            wait = left if day.wait else 0
        environ[HEADERS] = (("RateLimit-Policy", self._policy), ("RateLimit", ", ".join(told)))
        if wait:
            raise _throttled("The client asked for more than it may", wait)

    def open(self, environ: dict[str, Any]) -> None:
        """One request of anybody for what is open, by the address. Raises Problem `throttled`."""
        if self._open:
            found = self._taken(self._open, self._peers.of(environ))
            if found.wait:
                raise _throttled("This address asked for more than it may", _seconds(found.wait))

    def network(self, environ: Mapping[str, Any]) -> str:
        """The address that the audit names: the whole one, unless a proxy stands before the hub."""
        return self._peers.of(environ) if self._peers.is_proxy(environ) else str(environ.get("REMOTE_ADDR", ""))

    def count(self, environ: Mapping[str, Any]) -> None:
        """As `failed`, where the answer is made already."""
        with suppress(Problem):
            self.failed(environ)

    def failed(self, environ: Mapping[str, Any]) -> None:
        """A wrong token, assertion or password came from this address. Raises Problem where they were too many."""
        self._weigh(environ, 1)

    def check(self, environ: Mapping[str, Any]) -> None:
        """Raises Problem where too many wrong ones came from this address, before another one is looked at."""
        self._weigh(environ, 0)

    def _weigh(self, environ: Mapping[str, Any], count: int) -> None:
        if self._failures is None:
            return
        found = self._taken(self._failures, self._peers.of(environ), count)
        if found.wait:
            raise _throttled("Too many wrong credentials came from this address", _seconds(found.wait))

    def _taken(self, book: Book, name: str, count: int = 1) -> Found:
        now, found, pace = self._clock(), Found(), book.pace
        assert pace
        mark = book.numbers.change(name, lambda held: taken(held, now, pace, count, found))
        if book.fresh and count and not found.wait:
            book.fresh.change_at(mark, lambda held: held + pace.step * count)
        return found

    def _counted(self, book: Book, who: str) -> Found:
        day, most, found = self._clock() // NANO // DAY, self._rates.a_day, Found()
        mark = book.numbers.change(who, lambda held: counted(held, day, most, found))
        if book.fresh and not found.wait:
            book.fresh.change_at(mark, lambda held: held + 1)
        return found


def _policy(pace: Pace | None, a_day: int) -> str:
    told = [f'"burst";q={pace.burst};w={_seconds(pace.window)}'] if pace else []
    return ", ".join([*told, *([f'"day";q={a_day};w={DAY}'] if a_day else [])])


def _seconds(nanoseconds: int) -> int:
    return math.ceil(nanoseconds / NANO)


def _throttled(message: str, wait: int) -> Problem:
    return Problem("throttled", message, headers={"Retry-After": str(max(1, wait))})


NO_LIMITS = Throttle(Rates(), None, b"", Peers())
