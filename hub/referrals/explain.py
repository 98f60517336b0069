"""Finds the run of a clock's Task again, from what happened, and lets it explain itself."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

from sqlalchemy import Connection

from hub.problems import Problem
from hub.referrals.case import case_of, past_of
from hub.referrals.clock_tasks import clock_id
from hub.referrals.clockwork import Clockwork
from hub.referrals.explaining import explained
from hub.referrals.terms import Resource, is_clock, local

Explain: TypeAlias = Callable[[Connection, Resource, datetime], Resource]


def explainer(clocks: Clockwork) -> Explain:
    """What a clock's Task, which the caller sees, is about. Raises Problem."""

    def explain(connection: Connection, task: Resource, now: datetime) -> Resource:
        root = local(task.get("focus"), clocks.base, "Task").partition("/")[2]
        case = case_of(connection, root, clocks.base) if root and is_clock(task) else None
        if case is None:
            raise Problem("processing", "This Task is no clock of a referral", "Task.code")
        for run, how in clocks.standings(case, past_of(connection, case, clocks.base), now):
            if clock_id(case, run) == task["id"]:
                return explained(run, how, clocks.calendar)
        raise Problem("processing", "The table has no such clock any more", "Task.code")

    return explain
