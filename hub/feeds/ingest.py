"""A file is read to its end before anything of it counts: what is new in it is kept then, or nothing is.

Rules: docs/feeds.md "Reading", "Said when". Rows that say what they said before are counted and forgotten. What is
new goes to files of its own beside the others until the end is seen (aside.py), so that memory holds some thousand
rows and one number for each key.
Refuses a row that was said before what is kept (STALE). Refuses the whole file: a reject that says so, any bad row
in atomic mode, more bad rows than the feed allows (TOO_MANY_BAD), more rows that a whole file leaves out than the
feed allows (TOO_MANY_GONE, unless a person agreed), and then keeps nothing of it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection

from hub.feeds import files, gone, kept, once
from hub.feeds.aside import Aside, aside_in
from hub.feeds.files import Counts
from hub.feeds.gone import Leaving
from hub.feeds.holding import Hold
from hub.feeds.kept import Before, Said
from hub.feeds.kinds import Read
from hub.feeds.moments import Moments
from hub.feeds.records import ERROR, WARNING, AsOf, Feed, Given, Once, Reject, Row, Whole
from hub.feeds.wholes import Wholes, was_whole, wholes
from hub.store.engine import Database

CHUNK = 2000
BAD_PERCENT = 20  # of all rows, that a feed may have bad unless it says otherwise
FEW = 20  # bad rows are never too many
Step = Callable[[Counts], object]


class Refused(Exception):
    """Nothing of the file is taken; its report says why."""


@dataclass(slots=True)
class Ingest:
    """One reading of one file, by who holds it; `at` is when it said what comes next. Where somebody else took it
    meanwhile it raises Lost, and writes nothing."""

    hold: Hold
    feed: Feed
    counts: Counts = field(default_factory=Counts)
    step: Step = lambda counts: None
    at: int = 0
    _moments: Moments = field(init=False)
    _named: Wholes = field(init=False)
    _seen: set[bytes] = field(default_factory=set)
    _lines: int = 0
    _whole: list[tuple[Whole, int]] = field(default_factory=list)
    _once: set[str] = field(default_factory=set)
    _left: set[str] = field(default_factory=set)  # subjects that lost a row to another one
    _stops: bool = False
    _is_agreed: bool = False

    def run(self, read: Read, path: Path, beside: Path) -> None:
        """`beside`: a folder for what is new. Raises Refused."""
        self._begin()
        with aside_in(beside) as aside:
            for some in _chunks(read(path, self._told())):
                self._take(some, aside)
                self.step(self.counts)
                if self._stops:
                    raise Refused
            self._judge()
            leaving = self._leaving()
            self._keep(aside)
        self._take_back(leaving)
        self.hold.writing(lambda connection: files.speaks_of(connection, self.hold.taking, self.at))

    @property
    def database(self) -> Database:
        return self.hold.database

    @property
    def seq(self) -> int:
        """The file's message in the inbox."""
        return self.hold.taking.seq

    def _told(self) -> Feed:
        with self.database.read() as connection:
            return once.with_before(connection, self.feed, self.seq)

    def _begin(self) -> None:
        with self.database.read() as connection:
            file = files.find(connection, self.seq)
            self._is_agreed = bool(file and file.agreed)
            self._named = wholes(connection, self.feed)
        self._moments = Moments(self.feed, file.name if file else "", file.arrived if file else 0)
        self.at = self._moments.otherwise()

    def _take(self, given: Sequence[Given], aside: Aside) -> None:
        rejects: list[Reject] = []
        rows: list[Said] = []
        for one in given:
            if isinstance(one, Row):
                self._first(kept.said(self.feed, one, self.at), rows, rejects)
            elif isinstance(one, Reject):
                rejects.append(one)
            elif isinstance(one, AsOf):
                self._turn_to(one, rejects)
            elif isinstance(one, Once):
                self._once.add(one.key)
            else:
                self._whole.append((one, self.at))
        with self.database.read() as connection:
            before = kept.before(connection, [one.name for one in rows])
        self._compare(rows, before, aside, rejects)
        self.counts.read += len(rows)
        self._report(rejects)

    def _turn_to(self, one: AsOf, rejects: list[Reject]) -> None:
        told = None if self.feed.by_arrival else self._moments.told(one.at)
        self.at = self._moments.arrived if told is None else told
        if told is None and not self.feed.by_arrival:
            rejects.append(Reject("TO_COME", severity=WARNING))

    def _compare(
        self, rows: Sequence[Said], before: Mapping[bytes, Before], aside: Aside, rejects: list[Reject]
    ) -> None:
        for one in rows:
            was = before.get(one.name)
            if was is not None and was.hash == one.hash:
                self.counts.unchanged += 1
                if was.at < one.at:
                    aside.again(one)
            elif one.at < max(was.at if was else 0, self._named.before(one.row)):
                self.counts.stale += 1
                rejects.append(Reject("STALE", one.row.line, part=one.row.part, severity=WARNING))
            else:
                aside.news(one)
                if was is not None and was.subject != one.row.subject:
                    self._left.add(was.subject)

    def _first(self, one: Said, rows: list[Said], rejects: list[Reject]) -> None:
        """Unless the file had its key before."""
        if one.name in self._seen:
            rejects.append(Reject("DUPLICATE_KEY", one.row.line, part=one.row.part))
        else:
            self._seen.add(one.name)
            rows.append(one)

    def _report(self, rejects: Sequence[Reject]) -> None:
        if not rejects:
            return
        errors = sum(one.severity == ERROR for one in rejects)
        self.hold.writing(lambda connection: files.reject(connection, self.seq, self._lines, rejects))
        self._lines += len(rejects)
        self.counts.rejected += errors
        self.counts.warned += len(rejects) - errors
        self._stops = any(one.whole for one in rejects) or (self.feed.atomic and errors > 0)

    def _judge(self) -> None:
        """Too many bad rows are no accident of some rows: a column moved, or it is another file."""
        bad, percent = self.counts.rejected, self.feed.options.get("bad_percent", BAD_PERCENT)
        if bad > FEW and bad * 100 > percent * (bad + self.counts.read):
            self._report([Reject("TOO_MANY_BAD", what=f"more than {percent} of 100 rows", whole=True)])
            raise Refused

    def _keep(self, aside: Aside) -> None:
        self.hold.writing(lambda connection: once.keep(connection, self.feed, self._once, self.seq))
        if (
            self._left
        ):  # before the rows say so themselves: whoever is killed behind that would not know it any more
            self.hold.writing(lambda connection: kept.touch(connection, self.feed, self._left))
        for some in aside.all_news():
            self.hold.writing(partial(self._put, some))
            self.counts.new += len(some)
            self.step(self.counts)
        for again in aside.all_again(self._covered()):
            self.hold.writing(partial(_say_again, again))
            self.step(self.counts)

    def _covered(self) -> Mapping[str, int]:
        """Kinds that this file names all of: their rows need not be told one by one that they were said again."""
        return {kind: at for whole, at in self._whole if not whole.within for kind in whole.kinds}

    def _put(self, some: Sequence[Said], connection: Connection) -> None:
        kept.put(connection, self.feed, some, self.seq)

    def _gone(self, names: Sequence[bytes], at: int, connection: Connection) -> int:
        return kept.take_back(connection, names, self.seq, at)

    def _leaving(self) -> list[Leaving]:
        """What the file takes away. Raises Refused where that is more than somebody should lose by an accident."""
        asked = [(whole, at, kind) for whole, at in self._whole for kind in sorted(whole.kinds)]
        with self.database.read() as connection:
            found = [gone.leaving(connection, self.feed, *one, self._named, self._seen) for one in asked]
        if not self._is_agreed:
            self._report([gone.reject(self.feed, one) for one in found if gone.are_too_many(self.feed, one)])
            if self._stops:
                raise Refused
        return found

    def _take_back(self, leaving: Iterable[Leaving]) -> None:
        for one in leaving:
            for some in _lists(one.names, CHUNK):
                self.counts.gone += self.hold.writing(partial(self._gone, some, one.at))
            self.hold.writing(partial(self._was_whole, one))

    def _was_whole(self, one: Leaving, connection: Connection) -> None:
        was_whole(connection, self.feed, one.kind, one.within, one.at)


def _say_again(said: Sequence[tuple[bytes, int]], connection: Connection) -> None:
    kept.say_again(connection, said)


def _chunks(given: Iterable[Given]) -> Iterator[list[Given]]:
    every = iter(given)
    while some := list(islice(every, CHUNK)):
        yield some


def _lists(names: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    return (names[start : start + size] for start in range(0, len(names), size))
