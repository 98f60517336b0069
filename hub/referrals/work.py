"""The worker's handler for referrals: what stands is looked at, what is missing is written, in one commit.

Rules: hub.outbox (at least once). Nothing here remembers what happened: a commit that was lost is made again, one
that was made leaves nothing to do, so that a worker may die anywhere. What is new has an id of its referral and its
part; what changes names the version that it was made from.
Each thing that is made carries all the labels of the referral and of its request (docs/labels.md): nothing open
tells of a guarded source.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from hub import clock, outbox
from hub.fhir.bundles import Entry
from hub.outbox import Done, Later, Settled, Work
from hub.problems import Problem
from hub.referrals.case import Case, Known, Past, access, case_of, found, past_of, people_of
from hub.referrals.clockwork import Clockwork
from hub.referrals.configuration import Rules
from hub.referrals.contacts import Contacts
from hub.referrals.coordination import Coordination, Write
from hub.referrals.effects import CLOCKS, REFERRAL, alarm, root_of
from hub.referrals.link_letters import letters
from hub.referrals.notice_texts import Texts
from hub.referrals.notices import Notices, People
from hub.referrals.steps import AWAITING_PLAN, AWAITING_REQUEST, step_of
from hub.referrals.terms import is_referral
from hub.rights.labels import with_labels
from hub.store import merges
from hub.store.engine import Database
from hub.transactions import Transactions, single

LOOK_AGAIN = timedelta(hours=1) // clock.MICROSECOND  # for what comes by another way: a coverage, a request
LOOKED_FOR = (AWAITING_PLAN, AWAITING_REQUEST)
CHANGED_SECONDS = 1


@dataclass(frozen=True, slots=True)
class ReferralWork:
    """`own` writes for the hub itself."""

    database: Database
    own: Transactions
    rules: Rules
    clocks: Clockwork
    texts: Texts
    base: str
    now: clock.Clock = clock.now
    contacts: Contacts = field(default_factory=Contacts)

    def handlers(self) -> dict[str, outbox.Handler]:
        return {REFERRAL: self, CLOCKS: self}

    def __call__(self, work: Work) -> Settled:
        """Bring one referral to where it has to be. A hub that starts anew makes all work due: a clock waits on."""
        if work.payload.get("at", 0) > self._micros():
            return Later(work.payload["at"], "The clock has not come so far")
        try:
            if "task" in work.payload:
                return self._settled(work.payload["task"])
            return self._each(self._about(work.payload["about"]))
        except Problem as problem:
            if problem.kind not in ("precondition", "busy"):
                raise
            return Later(self._micros() + CHANGED_SECONDS * outbox.SECOND, "The referral changed meanwhile")

    def _settled(self, identity: str) -> Settled:
        read = self._read(identity)
        if read is None:
            return Done("There is no such referral (any more)")
        case, past, people = read
        coordination = Coordination(case, self.rules, self.base, clock.instant(self._micros()))
        moved = list(coordination.writes())
        ticked, following = self.clocks.writes(case, past, self.now())
        told = Notices(case, people, self.rules, self.texts, self.base).writes()
        asked = letters(case, self.contacts, self.rules.organization, self.base, self.now())
        self._commit(case, [*moved, *ticked, *told, *asked], following)
        step = next((step_of(one.resource) for one in moved if one.resource["id"] == identity), "")
        if (step or step_of(case.task.resource)) in LOOKED_FOR and not case.is_over:
            return Later(self._micros() + LOOK_AGAIN, "It waits for what comes by another way")
        return Done()

    def _each(self, identities: Iterable[str]) -> Settled:
        """Each of several. One that fails keeps no other from its turn; the work is done again for its sake."""
        failed: Exception | None = None
        for identity in identities:
            try:
                self._settled(identity)
            except Exception as error:
                failed = error if failed is None or isinstance(failed, Problem) else failed
        if failed is not None:
            raise failed
        return Done()

    def _about(self, reference: str) -> list[str]:
        """The referrals of a request, or those of a member that are open."""
        kind, _, identity = reference.removeprefix(f"{self.base}/").partition("/")
        asked = ("patient", identity) if kind == "Patient" else ("focus", f"{kind}/{identity}")
        with self.database.read() as connection:
            rows = found(connection, "Task", asked)
        return list(dict.fromkeys(root_of(one.resource) or one.id for one in rows if is_referral(one.resource)))

    def _read(self, identity: str) -> tuple[Case, Past, People] | None:
        merges.look(self.database)
        with self.database.read() as connection:
            case = case_of(connection, identity, self.base)
            if case is None:
                return None
            return case, past_of(connection, case, self.base), People(*people_of(connection, case, self.base))

    def _commit(self, case: Case, writes: Iterable[Write], following: datetime | None) -> None:
        """With the moment at which a clock says something else by itself."""
        entries = _once([_entry(one, case.labels_of(one.resource)) for one in (*writes, *_raised(case))])

        def wake(connection: Connection) -> None:
            if following is not None:
                at = clock.micros(following)
                outbox.add_once(connection, alarm(case.task.id, at))

        if entries:
            self.own.commit(entries, access(), wake, many=True)
        else:
            self.database.writing(wake)

    def _micros(self) -> int:
        return clock.micros(self.now())


def _entry(write: Write, labels: int) -> Entry:
    guarded = with_labels(write.resource, labels)
    kind, identity = str(guarded["resourceType"]), str(guarded["id"])
    return single("PUT", kind, id=identity, resource=guarded, if_match=write.version)


def _raised(case: Case) -> Iterator[Write]:
    """What was made before the referral, or its request, was guarded as it is now."""
    made: Iterable[Known] = (*case.deliveries, *case.fillers.values(), *case.clocks, *case.notices)
    for one in (*made, *([case.approval] if case.approval else [])):
        if with_labels(one.resource, case.labels_of(one.resource)) != one.resource:
            yield Write(one.resource, one.version)


def _once(entries: Iterable[Entry]) -> list[Entry]:
    """Of one resource the first: it says more than that its labels rose."""
    found: dict[tuple[str, str], Entry] = {}
    for one in entries:
        found.setdefault((one.type, one.id), one)
    return list(found.values())
