"""A clock as a Task: found by a search, told by a notice, owned by whoever has to act.

Rules: https://hl7.org/fhir/R4/task.html: `restriction.period` says from when until when it is to be done,
`focus` is the referral's Task, `code` which clock it is; `meta.tag` how it stands (`due`, `late` and `escalated`
add up, so that nobody who waits for one of them misses it). A clock opens nobody's record: no relation comes of it
(hub.rights.relations). Pure.
"""

from collections.abc import Mapping
from datetime import datetime

from hub import clock
from hub.fhir.systems import CLOCK_STATE, REFERRAL_CLOCK
from hub.referrals.case import Case, Known
from hub.referrals.clock_table import PLAN, PROVIDER
from hub.referrals.clocks import DUE, ESCALATED, LATE, MET, MET_LATE, PAUSED, Run, Standing
from hub.referrals.terms import Resource, own_id

TAGS: Mapping[str, tuple[str, ...]] = {LATE: (DUE, LATE), ESCALATED: (DUE, LATE, ESCALATED)}
STATUS: Mapping[str, str] = {PAUSED: "on-hold", MET: "completed", MET_LATE: "completed"}
OF_SERVER = ("versionId", "lastUpdated", "security", "source")


def clock_id(case: Case, run: Run) -> str:
    return own_id(case.task.id, "clock", run.row.name, str(run.number))


def clock_task(case: Case, run: Run, now: Standing, actors: Mapping[str, str], hub: str) -> Resource:
    """`actors`: the references of plan and provider, as far as they are known."""
    task = case.task.resource
    about = {
        "basedOn": [task["focus"]],
        "priority": task.get("priority", ""),
        "focus": {"reference": f"Task/{case.task.id}"},
        "for": task.get("for", {}),
    }
    return task_of(clock_id(case, run), about, run, now, actors.get(run.row.acts) or hub)


def task_of(identity: str, about: Resource, run: Run, now: Standing, owner: str) -> Resource:
    """The Task of a clock. `about`: its elements that say of what; `owner` the reference of whose turn it is, or
    empty."""
    row = run.row
    period = {"start": _text(run.start), **({"end": _text(now.due)} if now.due else {})}
    made: Resource = {
        "resourceType": "Task",
        "id": identity,
        "meta": {"tag": [{"system": CLOCK_STATE, "code": code} for code in TAGS.get(now.state, (now.state,))]},
        **about,
        "status": STATUS.get(now.state, "in-progress"),
        "intent": "plan",
        "code": {"coding": [{"system": REFERRAL_CLOCK, "code": row.name}], "text": row.meaning},
        "executionPeriod": {"start": _text(run.start), "end": _text(run.stop)} if run.stop else {},
        "authoredOn": _text(run.start),
        "owner": {"reference": owner} if owner else {},
        "restriction": {"period": period},
    }
    if now.state == PAUSED:
        made["statusReason"] = {"text": run.pauses[-1].why or "It is on hold"}
    return {name: value for name, value in made.items() if value not in ({}, "", [])}


def actors(case: Case, plan: str) -> dict[str, str]:
    """Whose turn it may be."""
    delivery: Known = case.delivery or case.task
    provider = str(delivery.resource.get("owner", {}).get("reference", ""))
    return {name: who for name, who in ((PLAN, plan), (PROVIDER, provider)) if who}


def says_the_same(stored: Resource, made: Resource) -> bool:
    """Whether a clock stands as it is stored."""
    return _content(stored) == _content(made)


def _content(task: Resource) -> Resource:
    meta = {name: value for name, value in task.get("meta", {}).items() if name not in OF_SERVER}
    return {**task, "meta": meta}


def _text(moment: datetime) -> str:
    return clock.instant(clock.micros(moment))
