"""What happened to a referral, from the versions of its Tasks: the events and pauses by which its clocks run. Pure.

The history of the store is the only memory: nothing is counted on the way, so that a clock can be read anew at any
time, and explained. An event's time is the moment at which the hub had it.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time

from hub.referrals.case import Case, Known, Past, Version
from hub.referrals.clocks import Calendar, Pause
from hub.referrals.configuration import Rules
from hub.referrals.terms import OVER, local, reason

AUTHORIZED = ("accepted", "in-progress", "completed")
DENIED = ("rejected", "failed", "cancelled", "entered-in-error")
NOT_ASSIGNED = ("rejected", "failed", "cancelled", "entered-in-error")


def events(case: Case, past: Past, rules: Rules, base: str, calendar: Calendar) -> dict[str, list[datetime]]:
    """By name of hub.referrals.clock_table.EVENTS, in order."""
    root, plan_task, providers = _parts(case, rules, base)
    request = case.request.resource if case.request else {}
    authorized, over = past.first(plan_task, *AUTHORIZED), past.first(root, *OVER)
    found = {
        "requested": past.first(root, "requested"),
        "plan-asked": past.first(plan_task, "requested"),
        "authorized": authorized,
        "to-assign": [at for at in authorized if not any(_has(past, one, at) for one in providers)],
        "denied": past.first(plan_task, *DENIED),
        "assigned": [at for one in providers for at in past.first(one, "requested", *AUTHORIZED)],
        "provider-accepted": [at for one in providers for at in past.first(one, *AUTHORIZED)],
        "declined": [at for one in providers for at in past.first(one, "rejected")],
        "begun": [at for one in providers for at in past.first(one, "in-progress", "completed")],
        "change-asked": past.first(root, "requested") if request.get("replaces") else [],
        "pcp-told": list(past.told.get("pcp", ())),
        "assessed": [at for one in past.assessed if (at := moment_of(one, calendar))],
        # where the provider began and ended before the plan decided, what starts then is closed already
        "closed": [*over, *(at for at in authorized if root.status in OVER and any(end <= at for end in over))],
    }
    return {name: sorted(moments) for name, moments in found.items()}


def _has(past: Past, provider: Known, at: datetime) -> bool:
    """Whether this provider had been asked at that moment, and had not ended it."""
    asked = past.first(provider, "requested", *AUTHORIZED)
    return any(one <= at for one in asked) and not any(one <= at for one in past.first(provider, *NOT_ASSIGNED))


def _parts(case: Case, rules: Rules, base: str) -> tuple[Known, Known | None, tuple[Known, ...]]:
    """The referral, the Task that the plan has, those that providers have: one Task may be two of them."""
    root, owner = case.task, local(case.task.resource.get("owner"), base, "Organization")
    if rules.organization and owner == rules.organization:
        return root, case.approval, case.deliveries
    if owner and owner in rules.plan_names:
        return root, root, ()
    return root, None, (root,)


def plan_of(case: Case, rules: Rules, base: str) -> str:
    """The plan that a referral is about; empty where nobody can tell."""
    _, task, _ = _parts(case, rules, base)
    return local(task.resource.get("owner"), base, "Organization") if task else ""


def pauses(case: Case, past: Past) -> list[Pause]:
    """When the referral, or what the plan was asked, was on hold."""
    parts = [case.task, *([case.approval] if case.approval else [])]
    found = [pause for part in parts for pause in _holds(past.versions.get(part.id, ()))]
    return _merged(sorted(found, key=lambda one: one.start))


def _holds(versions: Sequence[Version]) -> Iterator[Pause]:
    since: tuple[datetime, str] | None = None
    for at, said in versions:
        is_held = said.get("status") == "on-hold"
        if is_held and since is None:
            since = (at, reason(said))
        elif not is_held and since is not None:
            yield Pause(since[0], at, since[1])
            since = None
    if since is not None:
        yield Pause(since[0], None, since[1])


def _merged(found: Sequence[Pause]) -> list[Pause]:
    """No moment twice."""
    kept: list[Pause] = []
    for one in found:
        last = kept[-1] if kept else None
        if last is None or (last.end is not None and one.start > last.end):
            kept.append(one)
        elif last.end is not None and (one.end is None or one.end > last.end):
            kept[-1] = Pause(last.start, one.end, last.why or one.why)
    return kept


def moment_of(said: str, calendar: Calendar) -> datetime | None:
    """A FHIR dateTime; a day begins where the hub is. What says less than a day says nothing."""
    try:
        if "T" in said:
            return datetime.fromisoformat(said)
        return datetime.combine(date.fromisoformat(said), time(), calendar.zone)
    except ValueError:
        return None
