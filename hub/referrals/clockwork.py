"""The clocks of one referral, read from what happened: which Tasks say how they stand, and when that changes.
Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from hub.referrals.business_days import Workdays
from hub.referrals.case import Case, Past
from hub.referrals.clock_table import ClockRow
from hub.referrals.clock_tasks import actors, clock_id, clock_task, says_the_same
from hub.referrals.clocks import Calendar, Run, Standing, runs, standing
from hub.referrals.configuration import Rules
from hub.referrals.coordination import Write
from hub.referrals.timeline import events, pauses, plan_of


@dataclass(frozen=True, slots=True)
class Clockwork:
    """`rows` are the table with the deployment's own."""

    rules: Rules
    rows: tuple[ClockRow, ...]
    base: str

    @property
    def calendar(self) -> Calendar:
        return Calendar(self.rules.zone, Workdays(self.rules.holidays))

    def runs(self, case: Case, past: Past) -> Iterator[Run]:
        """All runs of all clocks of a referral."""
        happened = events(case, past, self.rules, self.base, self.calendar)
        stood = pauses(case, past)
        asked = case.service, plan_of(case, self.rules, self.base), case.priority
        for row in self.rows:
            if row.is_for(*asked):
                yield from runs(row, happened, stood)

    def standings(self, case: Case, past: Past, now: datetime) -> Iterator[tuple[Run, Standing]]:
        calendar = self.calendar
        for run in self.runs(case, past):
            yield run, standing(run, now, calendar)

    def writes(self, case: Case, past: Past, now: datetime) -> tuple[list[Write], datetime | None]:
        """The Tasks that have to say something else now, and when the next one will."""
        stored = {one.id: one for one in case.clocks}
        who = actors(case, plan_of(case, self.rules, self.base))
        found: list[Write] = []
        moments: list[datetime] = []
        for run, how in self.standings(case, past, now):
            made = clock_task(case, run, how, who, self.rules.organization)
            old = stored.get(clock_id(case, run))
            if old is None or not says_the_same(old.resource, made):
                found.append(Write(made, old.version if old else None))
            moments += [how.next] if how.next else []
        return found, min(moments, default=None)
