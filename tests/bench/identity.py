"""How well persons are matched: the FEBRL sets, and a county of 100,000 people in four sources.

No database has a part in it; it is measured once and shown for both. docs/identity.md says what the figures mean.
`python -m tests.bench.identity [people [set ...]]` also prints why records wait and what was linked wrongly.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from hub.identity.weights import LIMITS
from tests.bench import febrl
from tests.bench.county_people import county
from tests.bench.county_sources import records
from tests.bench.grounds import Ground
from tests.bench.linking import Linking
from tests.bench.measures import Figure

COUNTY = "county"


@cache
def linked(name: str, people: int) -> Linking:
    """One of febrl.SETS, or the county with so many people."""
    if name != COUNTY:
        loaded = febrl.load(name)
        return Linking(loaded, replace(LIMITS, least_population=len(loaded), twin_ssn4=1)).run()
    made = county()
    return Linking(records(made.humans(people), made)).run()


def identity(ground: Ground) -> Iterator[Figure]:
    for name in (*febrl.SETS, COUNTY):
        found = linked(name, ground.size.identity)
        more = {"records": len(found.records), "pairs": found.true_pairs(), "most candidates": found.most}
        yield Figure(f"identity.{name}.precision", round(100 * found.precision(), 4), ground.name, more=more)
        yield Figure(f"identity.{name}.recall", round(100 * found.recall(), 2), ground.name)
        yield Figure(f"identity.{name}.review", round(100 * found.review_share(), 2), ground.name)
        yield Figure(f"identity.{name}.blocking", round(100 * found.completeness(), 2), ground.name)
    yield Figure("identity.rate", round(found.compared / found.seconds), ground.name)


def explain(found: Linking) -> None:
    """For whoever tunes it: which guards and fields lie behind what waits and what went wrong."""
    truths = [truth for truth, _ in found.records]
    print(f"{len(found.records):,} records, {found.true_pairs():,} true pairs, {found.compared:,} comparisons")
    print(f"precision {found.precision():.5f}, recall {found.recall():.4f}, review {found.review_share():.4f}")
    rate = found.compared / found.seconds
    print(f"blocking {found.completeness():.4f}, most candidates {found.most}, {rate:,.0f} comparisons/s")
    right = Counter(truths[one] == truths[other] for one, other, _ in found.reviewed)
    print(f"reviewed pairs: {right[True]} of one person, {right[False]} of two")
    for same in (True, False):
        why = Counter(d.guards for one, other, d in found.reviewed if (truths[one] == truths[other]) is same)
        print(f"  {'one person' if same else 'two persons'}: {why.most_common(12)}")
    fields = Counter(tuple(f"{e.field} {e.level}" for e in d.evidence) for *_, d in found.reviewed if not d.guards)
    print(f"  without a guard: {fields.most_common(6)}")
    guards = Counter(d.guards for *_, d in found.missed)
    print(f"true pairs called distinct: {len(found.missed)} {guards.most_common(5)}")
    fields = Counter(tuple(f"{e.field} {e.level}" for e in d.evidence) for *_, d in found.missed)
    print(f"  {fields.most_common(8)}")
    print(f"linked wrongly: {len(found.wrong)}")
    for *_, decision in found.wrong[:15]:
        print(f"  {decision}")


def main() -> None:
    people = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    for name in sys.argv[2:] or (*febrl.SETS, COUNTY):
        print(f"-- {name}")
        explain(linked(name, people))


if __name__ == "__main__":
    main()
