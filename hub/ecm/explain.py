"""Lets the clock of an enrolment explain itself; those of referrals do so by hub.referrals.explain."""

from datetime import datetime

from sqlalchemy import Connection

from hub.ecm.reassessment import clock_id, clock_runs
from hub.ecm.terms import Resource, is_enrolment
from hub.ecm.work import assessments_of, clock_row, enrolment, plans_of
from hub.problems import Problem
from hub.referrals.case import known
from hub.referrals.clocks import standing
from hub.referrals.clockwork import Clockwork
from hub.referrals.explain import Explain, explainer
from hub.referrals.explaining import explained
from hub.referrals.terms import is_clock, local


def explainer_of_all(clocks: Clockwork) -> Explain:
    """What a clock's Task, which the caller sees, is about. Raises Problem."""
    of_referrals = explainer(clocks)

    def explain(connection: Connection, task: Resource, now: datetime) -> Resource:
        focus = local(task.get("focus"), clocks.base, "EpisodeOfCare").partition("/")[2]
        if not focus or not is_clock(task):
            return of_referrals(connection, task, now)
        episode, row = known(connection, "EpisodeOfCare", focus), clock_row(clocks.rows)
        if episode is not None and row is not None and is_enrolment(episode.resource):
            found = [*assessments_of(connection, episode, clocks.base), *plans_of(connection, episode, clocks.base)]
            for run in clock_runs(enrolment([episode, *found]), row, clocks.calendar):
                if clock_id(episode.resource, run) == task["id"]:
                    return explained(run, standing(run, now, clocks.calendar), clocks.calendar)
        raise Problem("processing", "The table has no such clock any more", "Task.code")

    return explain
