"""The clocks of a referral, as a table; contracts add rows in referrals.toml.

    [[clock]]
    name = "first-outreach"                 # a row of a name that is here replaces it
    meaning = "The provider begins"
    start = ["provider-accepted"]           # events, see EVENTS
    stop = ["begun", "closed"]
    length = 5
    unit = "business-days"                  # or "hours", "days", "months"
    acts = "provider"                       # whose turn it is: plan, provider, hub
    source = "Contract of 2026, section 4"  # what $explain-clock tells
    services = ["housing-deposits"]         # none: all
    plans = ["Organization/example-plan"]   # none: all
    priorities = ["routine"]                # of the Task; none: all
    pauses = true                           # stands still while the referral is on hold
    warn = 1                                # so many units before the end it is `due`
    escalate = 2                            # so many units after the end it is `escalated`

Rules: CalAIM ECM Policy Guide (2021), section IX "Authorizing ECM for MCP Members", "Assignment to an ECM
Provider"; CalOptima's re-authorization every six months. Pure.
Refuses (CannotStart): keys, events and units that are not known.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from hub.problems import CannotStart

BUSINESS_DAYS, HOURS, DAYS, MONTHS = UNITS = ("business-days", "hours", "days", "months")
PLAN, PROVIDER, HUB = ACTORS = ("plan", "provider", "hub")
ECM = "ecm"
URGENT = ("urgent", "asap", "stat")

# what starts and stops a clock
EVENTS: Mapping[str, str] = {
    "requested": "Somebody referred",
    "plan-asked": "The plan was asked to authorize",
    "authorized": "The plan authorized",
    "to-assign": "The plan authorized, and no provider has been asked, or all have ended it",
    "denied": "The plan denied, or is asked no more",
    "assigned": "A provider was asked",
    "provider-accepted": "The provider accepted",
    "declined": "The provider declined",
    "begun": "Outreach or delivery began",
    "change-asked": "Another provider was asked for: the request replaces one",
    "pcp-told": "The member's primary care provider was told who is assigned",
    "assessed": "The member was assessed",
    "closed": "The loop was closed",
    "enrolled": "The member was enrolled in ECM: its episode is active",
    "reassessed": "The enrolled member was assessed",
    "disenrolled": "The episode of ECM ended",
}


@dataclass(frozen=True, slots=True)
class ClockRow:
    """One clock, as [[clock]] above says it."""

    name: str
    meaning: str
    start: tuple[str, ...]
    stop: tuple[str, ...]
    length: int
    unit: str
    acts: str
    source: str
    services: tuple[str, ...] = ()
    plans: tuple[str, ...] = ()
    priorities: tuple[str, ...] = ()
    pauses: bool = True
    warn: int = 1
    escalate: int = 1

    def is_for(self, service: str, plan: str, priority: str) -> bool:
        asked = ((self.services, service), (self.plans, plan), (self.priorities, priority))
        return all(not wanted or said in wanted for wanted, said in asked)


GUIDE_2021 = "CalAIM ECM Policy Guide 2021"
GUIDE = f"{GUIDE_2021}, section IX"
CLOCKS: tuple[ClockRow, ...] = (
    ClockRow(
        "authorization",
        "The plan decides a routine request within five working days",
        ("plan-asked",),
        ("authorized", "denied"),
        5,
        BUSINESS_DAYS,
        PLAN,
        f"{GUIDE}, Authorizing ECM for MCP Members: within five working days for routine authorizations",
        priorities=("", "routine"),
    ),
    ClockRow(
        "authorization-expedited",
        "The plan decides an expedited request within 72 hours",
        ("plan-asked",),
        ("authorized", "denied"),
        72,
        HOURS,
        PLAN,
        f"{GUIDE}, Authorizing ECM for MCP Members: within 72 hours for expedited requests",
        priorities=URGENT,
        warn=24,
        escalate=24,
    ),
    ClockRow(
        "assignment",
        "A provider is assigned within ten business days of the authorization",
        ("to-assign",),
        ("assigned", "closed"),
        10,
        BUSINESS_DAYS,
        PLAN,
        f"{GUIDE}, Assignment to an ECM Provider: within ten business days of authorization",
        pauses=False,
        warn=2,
    ),
    ClockRow(
        "pcp-notice",
        "The member's primary care provider is told of the assignment within ten business days",
        ("assigned",),
        ("pcp-told", "closed"),
        10,
        BUSINESS_DAYS,
        PLAN,
        f"{GUIDE}, Member Primary Care Provider: within ten business days of the date of assignment",
        services=(ECM,),
        pauses=False,
        warn=2,
    ),
    ClockRow(
        "provider-change",
        "Another provider takes over within 30 days",
        ("change-asked",),
        ("provider-accepted", "denied", "closed"),
        30,
        DAYS,
        PLAN,
        f"{GUIDE}, Member Preference: a requested change of the ECM Provider within 30 days",
        pauses=False,
        warn=7,
        escalate=7,
    ),
    ClockRow(
        "reassessment",
        "The member is assessed anew, or authorized anew, within six months",
        ("authorized", "assessed"),
        ("assessed", "closed"),
        6,
        MONTHS,
        PROVIDER,
        "CalOptima: re-authorization every six months; Policy Guide: reassessed within six months",
        services=(ECM,),
        pauses=False,
    ),
    ClockRow(
        "ecm-reassessment",
        "An enrolled member is reassessed as the care plan says, within six months at the latest",
        ("enrolled", "reassessed"),
        ("reassessed", "disenrolled"),
        6,
        MONTHS,
        PROVIDER,
        f"{GUIDE_2021}, section V: reassessed as the Care Management Plan says; CalOptima: every six months",
        services=(ECM,),
    ),
)
_REQUIRED = ("name", "meaning", "start", "stop", "length", "unit", "acts", "source")
_LISTS = ("start", "stop", "services", "plans", "priorities")


def clock_rows(tables: Iterable[Mapping[str, Any]]) -> tuple[ClockRow, ...]:
    """The table with a deployment's rows: one of a name that is here replaces it. Raises CannotStart."""
    rows = {row.name: row for row in CLOCKS}
    for said in tables:
        row = _row(said)
        rows[row.name] = row
    return tuple(rows.values())


def _row(said: Mapping[str, Any]) -> ClockRow:
    names = {one.name for one in fields(ClockRow)}
    name = str(said.get("name", ""))[:64]
    if unknown := sorted(said.keys() - names):
        raise CannotStart(f"Referrals: clock {name!r} has no {', '.join(unknown)[:200]}")
    if missing := [one for one in _REQUIRED if one not in said]:
        raise CannotStart(f"Referrals: clock {name!r} needs {', '.join(missing)}")
    lists = {one: tuple(map(str, said[one])) for one in _LISTS if isinstance(said.get(one), list)}
    row = replace(CLOCKS[0], services=(), plans=(), priorities=(), pauses=True, warn=1, escalate=1)
    row = replace(row, **{**said, **lists})
    _check(row, name)
    return row


def _check(row: ClockRow, name: str) -> None:
    lists = (getattr(row, one) for one in _LISTS)
    numbers = (row.length, row.warn, row.escalate)
    fine = (
        all(isinstance(one, tuple) for one in lists)
        and {*row.start, *row.stop} <= EVENTS.keys()
        and row.unit in UNITS
        and row.acts in ACTORS
        and all(type(one) is int and 0 <= one <= 10_000 for one in numbers)
        and row.length > 0
        and type(row.pauses) is bool
    )
    if not fine:
        told = f"events of {', '.join(EVENTS)}; a unit of {', '.join(UNITS)}; acts of {', '.join(ACTORS)}"
        raise CannotStart(f"Referrals: clock {name!r} wants lists, whole numbers, {told}")
