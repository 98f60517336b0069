"""Subjects of a feed become FHIR: whose they are, what they become, one transaction for many of them.

Rules: docs/feeds.md "Writing". Stage after stage, in order: what later ones refer to is there. Several subjects are
written together, while the next ones are made ready (hub.feeds.abreast); where one of them cannot be, each is
written by itself, and that one alone waits: it becomes a message of the inbox (source `feed`), which goes on when
what it waits for is there.
Written rows are marked in the transaction that writes what they say: whoever is killed in between begins anew, and
says nothing twice.
"""

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from hub import clock
from hub.access import Access
from hub.feeds import bundling, kept, lists, referring
from hub.feeds.abreast import Abreast, Made, Overtaken
from hub.feeds.files import Counts
from hub.feeds.kept import Held
from hub.feeds.kinds import FileKind
from hub.feeds.people import LONGEST, NOBODY, Member, People, Whom
from hub.feeds.records import ABOUT, DIRECTORY, PERSON, Feed, Resource, Unmapped, Waiting
from hub.feeds.waited import Waited
from hub.fhir import json
from hub.fhir.bundles import Entry
from hub.identity import facing, resolve
from hub.identity.resolve import Settled
from hub.inbox import arrivals
from hub.inbox.messages import Arrival, member_key
from hub.inbox.parking import Park
from hub.problems import Problem
from hub.rights.labels import mask_of
from hub.store import statistics
from hub.store.engine import Database
from hub.transactions import Transactions

SOURCE = "feed"
UNMAPPED = "feed-code"  # what a subject waits for that has a code which no table has
TOGETHER = 50  # subjects of one transaction
ABREAST = 3  # transactions; with SQLite there is one writer
GROWN = [250 * 4**times for times in range(12)]  # after so many subjects the tables are another size
MOST_ENTRIES = 1000
TRIES = 5
SPEAKABLE = re.compile(r"[A-Za-z0-9_.:;\-]{1,20}")  # what looks like a code; a cell may hold anything
CHANGED_MEANWHILE = ("precondition", "conflict", "multiple-matches")
TRANSIENT = ("busy", "no-space", "exception")
Step = Callable[[Counts], object]


@dataclass(slots=True)
class Applying:
    """Writes what a feed's rows say. `own` writes for the hub itself. `fence` is asked in each transaction, and
    raises where somebody else does this now."""

    database: Database
    own: Transactions
    kind: FileKind
    feed: Feed
    fence: Callable[[Connection], object]
    now: clock.Clock = clock.now
    counts: Counts = field(default_factory=Counts)
    step: Step = lambda counts: None
    seen: int = 0  # subjects
    counting: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        """All that changed. Raises Problem where the database cannot be written: the rest is written next time."""
        most = 1 if self.database.is_sqlite else ABREAST
        for stage in (DIRECTORY, PERSON, ABOUT):
            with Abreast(self._commit, most) as abreast:
                self._stage(stage, abreast)

    def _stage(self, stage: int, abreast: Abreast) -> None:
        after = ""
        while keys := self._next(stage, after):
            with self.database.read() as connection:
                held = kept.subjects(connection, self.feed, keys)
            self._put(held, abreast)
            if abreast.is_stuck(TOGETHER):
                self._catch_up(abreast)
            self._told(keys)
            after = keys[-1]
        self._catch_up(abreast)
        self.step(self.counts)

    def _told(self, keys: Sequence[str]) -> None:
        before, self.seen = self.seen, self.seen + len(keys)
        if any(before < grown <= self.seen for grown in GROWN):
            statistics.count_anew(self.database)
        self.step(self.counts)

    def one(self, key: str, inside: Callable[[Connection], object]) -> None:
        """One subject by itself; `inside` ends its message in the same transaction. Raises Park, Problem."""
        self._alone(key, inside)

    def _next(self, stage: int, after: str) -> list[str]:
        with self.database.read() as connection:
            return kept.changed(connection, self.feed, stage, after, TOGETHER)

    def _put(self, held: Sequence[Held], abreast: Abreast) -> None:
        """What can be written together is; who must wait until that is, is left for later."""
        found = self.people.members([self._whom(one) for one in held], self._micros(), abreast.waited)
        made: list[Made] = []
        for one, member in zip(held, found, strict=True):
            if member is None:
                abreast.later.append(one)
                continue
            try:
                made.append(self._made(one, member))
            except Park as park:
                self._park(one, park)
                if isinstance(member, Member):
                    abreast.waited.ended(member.person)
        for some in _fitting(made):
            abreast.put(some)

    def _catch_up(self, abreast: Abreast) -> None:
        """Those who waited are written as if they had come now; the first of them waits for nobody any more."""
        failed, later = abreast.left()
        while failed or later:
            for one in failed:
                self._by_itself(one)
            self._put(later, abreast)
            failed, later = abreast.left()

    def _by_itself(self, held: Held) -> None:
        try:
            self._alone(held.subject.key)
        except Park as park:
            self._park(held, park)

    def _alone(self, key: str, inside: Callable[[Connection], object] = lambda connection: None) -> None:
        """As its rows are now, each time."""
        for attempt in range(1, TRIES + 1):
            with self.database.read() as connection:
                found = kept.subjects(connection, self.feed, [key])
            if not found:  # its rows are another subject's now
                self.database.writing(inside)
                return
            (held,) = found
            (member,) = self.people.members([self._whom(held)], self._micros(), Waited())
            made = self._made(held, member or NOBODY)
            try:
                self._commit([made], inside)
            except Overtaken:
                if attempt == TRIES:
                    raise Problem("busy", "Others kept changing who this is, or what is said of them") from None
            except Problem as problem:
                if problem.kind in TRANSIENT or (problem.kind in CHANGED_MEANWHILE and attempt == TRIES):
                    raise
                if problem.kind not in CHANGED_MEANWHILE:
                    raise self._parked(problem, made) from None
            else:
                return

    def _whom(self, held: Held) -> Whom:
        try:
            return self.kind.said(held.subject) or self.kind.about(held.subject)
        except (Unmapped, Waiting) as gap:
            return self._gap(gap)

    def _made(self, held: Held, member: Member | Park) -> Made:
        """Raises Park."""
        if isinstance(member, Park):
            raise member
        try:
            resources = self.kind.resources(held.subject, member.reference)
        except (Unmapped, Waiting) as gap:
            raise self._gap(gap) from None
        return Made(held, member, self._entries(held, member, resources))

    def _gap(self, gap: Unmapped | Waiting) -> Park:
        if isinstance(gap, Waiting):
            return Park("waiting", gap.why, gap.where)
        awaits = f"{self.feed.name}|{gap.table}|{gap.code}"
        named = f": {gap.code}" if SPEAKABLE.fullmatch(gap.code) else ""
        why = f"no row for this code in {gap.table}{named}"
        return Park("unmapped", why, gap.where, (UNMAPPED, awaits) if len(awaits) <= LONGEST else None)

    def _entries(self, held: Held, member: Member, resources: Sequence[Resource]) -> list[Entry]:
        told = bundling.entries(self.feed, resources, member.person)
        made = [self._among_others(entry, held) if entry.type == lists.GROUP else entry for entry in told]
        if (patient := member.write) is not None:
            version = patient.get("meta", {}).get("versionId")
            whole = patient if version else bundling.told(self.feed, patient)
            if_match = int(version) if version else None
            made.append(
                Entry("PUT", "Patient", member.patient, resource=whole, if_match=if_match, person=member.person)
            )
        if made and held.news:
            made.append(self._provenance(held, member, made))
        return made

    def _among_others(self, entry: Entry, held: Held) -> Entry:
        with self.database.read() as connection:
            return lists.with_others(connection, self.access, self.own.base, entry, held.news)

    def _provenance(self, held: Held, member: Member, made: Sequence[Entry]) -> Entry:
        """Of what this subject wrote, and only of that: an open Patient that it left alone must not tell of it."""
        news = [row for place, row in enumerate(held.subject.rows) if place in held.news]
        key = f"{held.subject.key}|{'|'.join(str(held.versions[place][1]) for place in sorted(held.news))}"
        said = [member.said.patient] if member.said else []
        labels = bundling.labels_of([*(entry.resource or {} for entry in made), *said])
        recorded = clock.instant(self._micros())
        targets = [*bundling.references(made)]
        return bundling.provenance(self.feed, news, targets, key, recorded, self._organization(), labels)

    def _organization(self) -> Resource:
        if self.feed.organization:
            return {"reference": self.feed.organization}
        return {"display": self.feed.name}

    def _micros(self) -> int:
        return clock.micros(self.now())

    @property
    def access(self) -> Access:
        return Access.system(f"feed {self.feed.name}", self.feed.organization, brings=mask_of(self.feed.security))

    @property
    def people(self) -> People:
        return People(self.database, self.access, self.feed)

    def _commit(self, made: Sequence[Made], inside: Callable[[Connection], object] = lambda c: None) -> None:
        """Raises Overtaken, Problem."""
        members = [one.member for one in made]
        who = [Settled(m.resolution, m.patient, m.said.patient) for m in members if m.resolution and m.said]

        def settle(connection: Connection) -> None:
            self.fence(connection)
            if not kept.are_current(connection, [one.held for one in made]):
                raise Overtaken
            if who and not resolve.settle_all(connection, who, self._micros()):
                raise Overtaken
            for member in members:
                if member.guarded:
                    facing.ask(connection, member.patient, member.guarded, self._micros())
            kept.written(connection, [one.held for one in made])
            inside(connection)

        entries = [entry for one in made for entry in one.entries]
        if entries:
            results = self.own.commit(_placed(entries), self.access, inside=settle, many=True)
            self._count(len(made), sum(result.status in (200, 201) for result in results))
        else:
            self.database.writing(settle)
            self._count(len(made), 0)

    def _count(self, subjects: int, resources: int) -> None:
        with self.counting:  # transactions end in several threads
            self.counts.subjects += subjects
            self.counts.resources += resources

    def _parked(self, problem: Problem, made: Made) -> Park:
        """What is refused, a person looks at; who refers to what is not there waits for it."""
        if problem.kind == "no-match":
            with self.database.read() as connection:
                missing = referring.first_missing(connection, self.access, made.entries, self.own.base)
            if missing is not None:
                awaits = (referring.KIND, missing) if len(missing) <= LONGEST else None
                return Park("waiting", "refers to what is not there yet", missing.partition("?")[0], awaits)
        return Park("refused", str(problem), problem.issues[0].where if problem.issues else "")

    def _park(self, held: Held, park: Park) -> None:
        """The subject goes on by itself, as a message: the inbox says why it waits, and wakes it."""
        body = json.write({"feed": self.feed.name, "subject": held.subject.key})
        line = member_key(SOURCE.encode(), self.feed.name.encode(), held.subject.key.encode())
        received = self._micros()
        # each time is a message of its own: the one of the last time may be processed. A subject may be named by a
        # person's number, which no list shows
        control_id = f"{line & (1 << 64) - 1:016x}-{received}"
        arrival = Arrival(SOURCE, self.feed.name, control_id, body, received, member=line)

        def keep(connection: Connection) -> None:
            self.fence(connection)
            arrivals.accept(connection, [arrival])
            kept.waiting(connection, [held])

        self.database.writing(keep)
        self.counts.waiting += 1


def _placed(entries: Sequence[Entry]) -> list[Entry]:
    return [replace(entry, place=place) for place, entry in enumerate(entries)]


def _fitting(made: Sequence[Made]) -> Iterator[list[Made]]:
    """So many that a transaction has not too many entries."""
    some: list[Made] = []
    for one in made:
        if some and sum(len(each.entries) for each in (*some, one)) > MOST_ENTRIES:
            yield some
            some = []
        some.append(one)
    if some:
        yield some
