"""When an enrolled member is to be reassessed: a clock like those of referrals, read from what is stored. Pure.

Rules: CalAIM ECM Policy Guide (2021), section V, Comprehensive Assessment and Care Management Plan (f): reassessed
at a frequency as identified in the Care Management Plan; the row `ecm-reassessment` of hub.referrals.clock_table
says the longest time. The care plan says the day by an activity whose `detail.code` is the assessment, in its
`scheduledPeriod`: of several, the first after the last assessment counts.
What starts, stops and pauses it stands in the episode's statusHistory and in completed Procedures of the
assessment.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from hub.ecm.terms import ACTIVE, ENROLLED, ONHOLD, OVER, Node, Resource, codes
from hub.fhir.systems import ASSESSMENT, OWN, REPORTED
from hub.referrals.case import performed
from hub.referrals.clock_table import DAYS, ClockRow
from hub.referrals.clock_tasks import task_of
from hub.referrals.clocks import Calendar, Pause, Run, Standing, ends, runs, standing
from hub.referrals.timeline import moment_of

CLOCK = "ecm-reassessment"
GONE = frozenset(("completed", "cancelled", "stopped", "entered-in-error"))


@dataclass(frozen=True, slots=True)
class Enrolment:
    """An episode with what its member's clock depends on: Procedures of the assessment, active CarePlans."""

    episode: Resource
    assessments: Sequence[Resource] = ()
    plans: Sequence[Resource] = ()


def clock_runs(one: Enrolment, row: ClockRow, calendar: Calendar) -> list[Run]:
    """The runs of the clock; the one that still runs is as short as the care plan says."""
    found = runs(row, _events(one, calendar), list(_pauses(one.episode, calendar)))
    return [_as_planned(run, one, calendar) if run.stop is None else run for run in found]


def clock_tasks(
    one: Enrolment, row: ClockRow, calendar: Calendar, now: datetime
) -> list[tuple[Run, Standing, Resource]]:
    """Each run, how it stands, and the Task that says so."""
    found = []
    for run in clock_runs(one, row, calendar):
        how = standing(run, now, calendar)
        owner = str((one.episode.get("managingOrganization") or {}).get("reference", ""))
        found.append((run, how, task_of(clock_id(one.episode, run), _about(one.episode), run, how, owner)))
    return found


def clock_id(episode: Node, run: Run) -> str:
    """The same one each time it is made."""
    return str(
        uuid5(NAMESPACE_URL, "/".join((OWN + "enrolment", str(episode["id"]), run.row.name, str(run.number))))
    )


def _about(episode: Node) -> Resource:
    return {"focus": {"reference": f"EpisodeOfCare/{episode['id']}"}, "for": episode.get("patient", {})}


def _events(one: Enrolment, calendar: Calendar) -> dict[str, list[datetime]]:
    found: dict[str, list[datetime]] = {"enrolled": [], "disenrolled": [], "reassessed": []}
    former = ""
    for status, start, _ in _past(one.episode, calendar):
        if status == ACTIVE and former not in ENROLLED:
            found["enrolled"].append(start)
        elif status in OVER:
            found["disenrolled"].append(start)
        former = status
    done = (said for each in one.assessments if each.get("status") == "completed" and (said := performed(each)))
    found["reassessed"] = [at for said in done if (at := moment_of(said, calendar))]
    # only who is enrolled is reassessed: an assessment from before starts nothing
    first = min(found["enrolled"], default=None)
    found["reassessed"] = [at for at in found["reassessed"] if first and at >= first]
    return {name: sorted(moments) for name, moments in found.items()}


def _pauses(episode: Node, calendar: Calendar) -> Iterator[Pause]:
    for status, start, end in _past(episode, calendar):
        if status == ONHOLD:
            yield Pause(start, end, "The enrolment is on hold")


def _past(episode: Node, calendar: Calendar) -> Iterator[tuple[str, datetime, datetime | None]]:
    for one in episode.get("statusHistory", ()):
        span = one.get("period", {})
        if start := moment_of(str(span.get("start", "")), calendar):
            yield str(one.get("status")), start, moment_of(str(span.get("end", "")), calendar)


def _as_planned(run: Run, one: Enrolment, calendar: Calendar) -> Run:
    first = calendar.day(run.start)
    day = min((each for each in planned_days(one.plans) if each > first), default=None)
    if day is None or calendar.end_of(day) >= ends(replace(run, pauses=()), run.row.length, calendar):
        return run
    source = "The care plan of the member says the day"
    return replace(
        run, row=replace(run.row, length=(day - first).days, unit=DAYS, source=source, pauses=False), pauses=()
    )


def planned_days(plans: Iterable[Node]) -> Iterator[date]:
    """On which care plans say that an assessment is to be done."""
    for plan in plans:
        for activity in plan.get("activity", ()) if plan.get("status") == "active" else ():
            detail = activity.get("detail", {})
            if ASSESSMENT in codes(detail.get("code"), REPORTED) and detail.get("status") not in GONE:
                span = detail.get("scheduledPeriod", {})
                yield from _day(str(span.get("end") or span.get("start") or ""))


def _day(said: str) -> Iterator[date]:
    try:
        yield date.fromisoformat(said[:10])
    except ValueError:
        return


def is_assessment(resource: Node) -> bool:
    return resource.get("resourceType") == "Procedure" and ASSESSMENT in codes(resource.get("code"), REPORTED)


def plans_assessment(resource: Node | None) -> bool:
    """A CarePlan that says when."""
    found: Node = resource or {}
    if found.get("resourceType") != "CarePlan":  # of a Provenance, activity is no list
        return False
    details: list[Any] = [one.get("detail", {}) for one in found.get("activity", ())]
    return any(ASSESSMENT in codes(one.get("code"), REPORTED) for one in details)
