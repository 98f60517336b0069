"""What oracle and product see differently and a person has to decide: counted and printed, and no failure.

A row leaves this table when one of the two is changed; an empty table is the aim. A row that is not met any more is
said at the end of a run, too.
"""

from collections.abc import Callable

from tests.matrix.charts import Chart
from tests.matrix.dimensions import Actor

MATURE = ("hiv", "mixed", "psy")

ROWS: tuple[tuple[str, Callable[[Actor, Chart, str], bool]], ...] = (
    (
        "a parent signed for a minor of 14: oracle asks for the minor's own signature for HIV and PSY, too",
        lambda actor, chart, short: chart.consent == "minor" and chart.labels in MATURE,
    ),
    (
        "custodian: oracle asks for a consent for HIV, and shows nothing of unknown sensitivity",
        lambda actor, chart, short: actor.name == "custodian" and chart.labels in ("hiv", "mixed", "unknown"),
    ),
    (
        "plan: oracle knows no Provenance and no Consent among its types",
        lambda actor, chart, short: actor.name == "plan" and (short == "prv" or short in ("cona", "conb")),
    ),
    (
        "LEAK a consent by the form of 42 CFR Part 2 tells of a substance use disorder, and is not labelled so",
        lambda actor, chart, short: short in ("cona", "conb") and chart.consent == "tpo",
    ),
    (
        "plan: oracle shows it PSY without a consent, and HIV with one",
        lambda actor, chart, short: actor.name == "plan" and chart.labels in ("psy", "hiv", "mixed"),
    ),
    (
        "community supports: oracle shows HIV to those whom a consent names",
        lambda actor, chart, short: actor.name == "ilos" and chart.labels in ("hiv", "mixed"),
    ),
)
GROUPS = "a Group whose members have all left, or are to come: oracle hides it from its holder"


def dispute(actor: Actor, chart: Chart | None, group: tuple[str, str] | None, short: str) -> str:
    """The row that a disagreement belongs to; empty where it is none of them."""
    if group:
        return GROUPS if group[0] == actor.name and group[1] in ("ended", "future") else ""
    return next((reason for reason, holds in ROWS if chart and holds(actor, chart, short)), "")
