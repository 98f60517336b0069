"""How many clocks there are in each state: for metrics, and for who asks. No content, nobody's name."""

from collections import Counter
from collections.abc import Mapping

from hub.fhir.systems import CLOCK_STATE, REFERRAL_CLOCK
from hub.referrals.case import access
from hub.referrals.clock_table import CLOCKS, ClockRow
from hub.referrals.clocks import STATES
from hub.search.query import Limits, parse
from hub.store import read
from hub.store.engine import Database


def counts(database: Database, rows: tuple[ClockRow, ...] = CLOCKS) -> Mapping[tuple[str, str], int]:
    """By clock and state, of those that there are. What is escalated is late, too, and what is late was due."""
    found: Counter[tuple[str, str]] = Counter()
    with database.read() as connection:
        for row in rows:
            for state in STATES:
                asked = [("code", f"{REFERRAL_CLOCK}|{row.name}"), ("_tag", f"{CLOCK_STATE}|{state}")]
                if number := read.total(connection, access(), parse("Task", asked, Limits())):
                    found[row.name, state] = number
    return dict(found)
