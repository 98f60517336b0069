"""The worker's handler for enrolments: the Tasks of their clocks say how they stand, in one commit.

Rules: hub.outbox (at least once). Nothing here remembers what happened: a commit that was lost is made again, one
that was made leaves nothing to do. What changes names the version that it was made from.
A clock carries all labels of the episode, and of the assessments and care plans that it is read from: nothing open
tells of a guarded source (docs/labels.md). It opens nobody's record (hub.rights.relations).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from hub import clock, outbox
from hub.ecm.effects import ALARM, ENROLMENT, alarm
from hub.ecm.reassessment import CLOCK, Enrolment, clock_tasks, plans_assessment
from hub.ecm.terms import ECM, Resource, is_enrolment
from hub.fhir.bundles import Entry
from hub.fhir.systems import ASSESSMENT, PROGRAM, REPORTED
from hub.outbox import Done, Later, Settled, Work
from hub.problems import Problem
from hub.referrals.case import Known, access, found, known
from hub.referrals.clock_table import ClockRow
from hub.referrals.clock_tasks import says_the_same
from hub.referrals.clockwork import Clockwork
from hub.referrals.terms import local
from hub.rights.labels import raised, with_labels
from hub.store import merges
from hub.store.engine import Database
from hub.transactions import Transactions, single

CHANGED_SECONDS = 1
Written = tuple[list[Entry], datetime | None]


@dataclass(frozen=True, slots=True)
class EnrolmentWork:
    """`own` writes for the hub itself."""

    database: Database
    own: Transactions
    clocks: Clockwork
    base: str
    now: clock.Clock = clock.now

    def handlers(self) -> dict[str, outbox.Handler]:
        return {ENROLMENT: self, ALARM: self}

    def __call__(self, work: Work) -> Settled:
        """Bring the clock of one enrolment, or those of a member's, to where they have to be."""
        if work.payload.get("at", 0) > self._micros():
            return Later(work.payload["at"], "The clock has not come so far")
        row = clock_row(self.clocks.rows)
        if row is None:
            return Done("The table has no such clock")
        try:
            merges.look(self.database)
            for identity in self._about(work):
                self._settle(identity, row)
        except Problem as problem:
            if problem.kind not in ("precondition", "busy"):
                raise
            return Later(self._micros() + CHANGED_SECONDS * outbox.SECOND, "The enrolment changed meanwhile")
        return Done()

    def _about(self, work: Work) -> list[str]:
        if "episode" in work.payload:
            return [str(work.payload["episode"])]
        patient = local({"reference": work.payload["about"]}, self.base, "Patient")
        if not patient:
            return []
        with self.database.read() as connection:
            episodes = found(connection, "EpisodeOfCare", ("patient", patient), ("type", f"{PROGRAM}|{ECM}"))
        return [one.id for one in episodes]

    def _settle(self, identity: str, row: ClockRow) -> None:
        with self.database.read() as connection:
            entries, following = self._written(connection, identity, row)

        def wake(connection: Connection) -> None:
            if following is not None:
                outbox.add_once(connection, alarm(identity, clock.micros(following)))

        if entries:
            self.own.commit(entries, access(), wake, many=True)
        elif following is not None:
            self.database.writing(wake)

    def _written(self, connection: Connection, identity: str, row: ClockRow) -> Written:
        episode = known(connection, "EpisodeOfCare", identity)
        if episode is None or not is_enrolment(episode.resource):
            return [], None
        sources = [
            episode,
            *assessments_of(connection, episode, self.base),
            *plans_of(connection, episode, self.base),
        ]
        labels = 0
        for one in sources:
            labels = raised(labels, one.labels)
        tasks = clock_tasks(enrolment(sources), row, self.clocks.calendar, self.now())
        entries = [entry for _, _, task in tasks for entry in self._entry(connection, task, labels)]
        return entries, min((how.next for _, how, _ in tasks if how.next), default=None)

    def _entry(self, connection: Connection, task: Resource, labels: int) -> list[Entry]:
        old = known(connection, "Task", task["id"])
        made = with_labels(task, labels)
        if old and says_the_same(old.resource, task) and with_labels(old.resource, labels) == old.resource:
            return []
        return [single("PUT", "Task", id=task["id"], resource=made, if_match=old.version if old else None)]

    def _micros(self) -> int:
        return clock.micros(self.now())


def clock_row(rows: Iterable[ClockRow]) -> ClockRow | None:
    return next((row for row in rows if row.name == CLOCK), None)


def enrolment(sources: list[Known]) -> Enrolment:
    """The episode, and behind it what was found of its member."""
    episode, *others = (one.resource for one in sources)
    kinds = {kind: [one for one in others if one["resourceType"] == kind] for kind in ("Procedure", "CarePlan")}
    return Enrolment(episode, kinds["Procedure"], kinds["CarePlan"])


def assessments_of(connection: Connection, episode: Known, base: str) -> list[Known]:
    patient = local(episode.resource.get("patient"), base, "Patient")
    asked = ("subject", patient), ("code", f"{REPORTED}|{ASSESSMENT}")
    return found(connection, "Procedure", *asked) if patient else []


def plans_of(connection: Connection, episode: Known, base: str) -> list[Known]:
    """Active care plans of the member that say when the next assessment is."""
    patient = local(episode.resource.get("patient"), base, "Patient")
    plans = found(connection, "CarePlan", ("subject", patient), ("status", "active")) if patient else []
    return [one for one in plans if plans_assessment(one.resource)]
