"""docs/clocks.md, printed from the tables that decide.

python -m hub.referrals.clocks_page > docs/clocks.md
"""

from collections.abc import Iterator

from hub.fhir.systems import CLOCK_STATE, OWN, REFERRAL_CLOCK
from hub.referrals.business_days import holidays
from hub.referrals.clock_table import CLOCKS, EVENTS, ClockRow
from hub.referrals.explaining import HOW

YEAR = 2026  # as an example
STATES = {
    "running": "it runs",
    "due": "its last units (`warn`) have begun; so is what is late",
    "late": "its time is over; so is what is escalated",
    "escalated": "it is over since `escalate` units: somebody above has to act",
    "paused": "it stands still while the referral, or what the plan was asked, is on hold: it is due at no time",
    "met": "it was stopped in time",
    "met-late": "it was stopped too late",
}
HEAD = f"""# Clocks of referrals

Each clock of a referral ([referrals.md](referrals.md)) is a Task of its own: `code` of the system
`{REFERRAL_CLOCK}` says which one, `focus` the referral's Task, `owner` whose turn it is, `restriction.period` from
when until when. How it stands is a tag of the system `{CLOCK_STATE}`:

    GET /fhir/Task?code={REFERRAL_CLOCK}|authorization&_tag={CLOCK_STATE}|late
    GET /fhir/Task?owner=Organization/example-plan&_tag={CLOCK_STATE}|due
    GET /fhir/Task?code={REFERRAL_CLOCK}|&due=lt2026-12-01&_sort=due
    GET /fhir/Task/[id]/$explain-clock

`due` is the hub's own search parameter of Task (`{OWN}SearchParameter/Task-due`): the end of
`restriction.period`. Roles that are shown a part of a Task ([access.md](access.md)) are shown these tags, too, and
search by them.

The hub alone writes these Tasks and tags. A clock opens no record and carries all labels of its referral. It is
read from the history of the Tasks each time: nothing is counted on the way. What changes by itself is work of
the outbox that is due then, so a hub that was down says what became late as soon as it runs. Subscriptions to the
topics `clock-due` and `clock-late` are told when a tag `due` or `late` comes. `hub clocks list | counts | explain`
tells operators, and names nobody; the metric `hub_clocks` counts them by clock and state.

The tables are in `hub/referrals`; this page is printed from them (`python -m hub.referrals.clocks_page`).
"""
TAIL = """## Your own

A row of `[[clock]]` in `referrals.toml` adds a clock, or replaces the one of its name; `holidays` adds days on
which nobody works:

```toml
holidays = ["2026-12-24"]

[[clock]]
name = "first-outreach"
meaning = "The provider begins"
start = ["provider-accepted"]
stop = ["begun", "closed"]
length = 5
unit = "business-days"                  # or hours, days, months
acts = "provider"                       # or plan, hub
source = "Contract of 2026, section 4"
services = ["housing-deposits"]         # these four: none means all
plans = ["Organization/example-plan"]
priorities = ["routine"]
pauses = true
warn = 1
escalate = 2
```

## Not known

The numbers above are those of the policy guide of 2021 and of one plan. Contracts, and what DHCS and CMS ask today
(42 CFR 438.210: seven days from 2026 on for standard decisions), may be shorter: write a row. Whether a plan counts
June 19, September 9 or the days of its own calendar is not known either: without `holidays` they are days of work.
"""


def page() -> str:
    return "\n".join((HEAD, *_clocks(), *_events(), *_states(), *_counting(), TAIL))


def _clocks() -> Iterator[str]:
    yield from ("## The table", "")
    yield "| clock | time | starts | stops | for | whose turn | pauses | rule |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    yield from map(_row, CLOCKS)
    yield ""


def _row(row: ClockRow) -> str:
    named = [*row.services, *(one or "no priority" for one in row.priorities)]
    cells = (
        f"`{row.name}`: {row.meaning}",
        f"{row.length} {row.unit}; due {row.warn} before, escalated {row.escalate} after",
        ", ".join(row.start),
        ", ".join(row.stop),
        ", ".join(named) or "all",
        row.acts,
        "yes" if row.pauses else "no",
        row.source,
    )
    return f"| {' | '.join(cells)} |"


def _events() -> Iterator[str]:
    yield from ("## Events", "", "| event | when |", "| --- | --- |")
    yield from (f"| {name} | {when} |" for name, when in EVENTS.items())
    yield ""


def _states() -> Iterator[str]:
    yield from ("## States", "", "| tag | says |", "| --- | --- |")
    yield from (f"| `{name}` | {says} |" for name, says in STATES.items())
    yield ""


def _counting() -> Iterator[str]:
    yield from ("## Counting", "")
    yield from (f"- {name}: {how}" for name, how in HOW.items())
    yield ""
    days = ", ".join(day.isoformat() for day in sorted(holidays(YEAR)))
    yield "Holidays are those of the state's offices (Government Code 19853): one on a Sunday is kept on Monday,"
    yield f"Veterans Day on a Saturday on Friday, any other on a Saturday not at all. Of {YEAR}: {days}."
    yield ""


if __name__ == "__main__":
    import sys

    sys.stdout.write(page())
