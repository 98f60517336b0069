"""Where the shares of hub/identity/weights.csv come from: `python -m tests.bench.identity_weights [people]`.

u: how often a level occurs among random pairs of records of the synthetic county (two persons, practically
always).
m: by expectation maximisation (Dempster, Laird, Rubin 1977) over the pairs that share a blocking key; the pairs of
two persons among them agree in what they were blocked by, so they get shares of their own, which are not u.
Beside it, what the truth of the county says. Prints both with what the table has now; changes nothing.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from math import exp, log
from random import Random

from hub.identity.blocking import COMMON, keys
from hub.identity.compare import compare
from hub.identity.frequencies import Counted
from hub.identity.weights import LIMITS, WEIGHTS
from tests.bench.county_people import SEED, county
from tests.bench.county_sources import Record, records

Levels = tuple[tuple[str, str], ...]  # (field, level) of each field that both say
Shares = dict[tuple[str, str], float]
RANDOM_PAIRS, ROUNDS, START = 400_000, 25, 0.05
LEAST = 1e-6


def levels(one: Record, other: Record, known: Counted) -> Levels:
    return tuple((each.field, each.level) for each in compare(one[1], other[1], known, LIMITS))


def shares(weighted: Iterable[tuple[Levels, float]]) -> Shares:
    """The share of each level among the pairs that say something of its field."""
    found: Counter[tuple[str, str]] = Counter()
    said: Counter[str] = Counter()
    for each, weight in weighted:
        for field, level in each:
            found[field, level] += weight  # type: ignore[assignment]
            said[field] += weight  # type: ignore[assignment]
    return {key: max(LEAST, count / max(LEAST, said[key[0]])) for key, count in found.items()}


def maximised(pairs: Counter[Levels], u: Shares) -> tuple[Shares, float]:
    """m of each level, and the share of the pairs that are one person."""
    m, blocked, matching = {key: 2**weight.bits * weight.u for key, weight in WEIGHTS.items()}, u, START
    for _ in range(ROUNDS):
        known = [(each, count, _posterior(each, m, blocked, matching)) for each, count in pairs.items()]
        m = {**dict.fromkeys(WEIGHTS, LEAST), **shares((each, count * p) for each, count, p in known)}
        blocked = {**dict.fromkeys(WEIGHTS, LEAST), **shares((each, count * (1 - p)) for each, count, p in known)}
        matching = sum(count * p for _, count, p in known) / pairs.total()
    return m, matching


def _posterior(each: Levels, m: Shares, u: Shares, matching: float) -> float:
    odds = log(matching / (1 - matching)) + sum(log(m.get(key, LEAST) / u.get(key, LEAST)) for key in each)
    return 1 / (1 + exp(-max(-500.0, min(500.0, odds))))


def candidates(records_of: Sequence[Record]) -> set[tuple[int, int]]:
    blocks: dict[int, list[int]] = {}
    for number, (_, person) in enumerate(records_of):
        for key in keys(person):
            blocks.setdefault(key, []).append(number)
    chosen = (block for block in blocks.values() if len(block) <= COMMON)
    return {(one, other) for block in chosen for at, one in enumerate(block) for other in block[at + 1 :]}


def main() -> None:
    made, chance = county(), Random(SEED)
    every = records(made.humans(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000), made)
    known = Counted()
    known.add(person for _, person in every)
    drawn = (chance.sample(every, 2) for _ in range(RANDOM_PAIRS))
    u = shares((levels(one, other, known), 1) for one, other in drawn if one[0] != other[0])
    paired = [
        (levels(every[one], every[other], known), every[one][0] == every[other][0])
        for one, other in candidates(every)
    ]
    m, matching = maximised(Counter(each for each, _ in paired), u)
    truth = shares((each, 1) for each, same in paired if same)
    print(
        f"{len(paired):,} pairs; of one person: {matching:.3f} by EM, "
        f"{sum(same for _, same in paired) / len(paired):.3f} in truth"
    )
    print(f"{'field level':24} {'m EM':>9} {'m truth':>9} {'m table':>9} {'u random':>10} {'u table':>10}")
    for key, weight in WEIGHTS.items():
        row = (m.get(key, 0), truth.get(key, 0), 2**weight.bits * weight.u, u.get(key, 0), weight.u)
        print(f"{' '.join(key):24} " + " ".join(f"{value:9.5f}" for value in row))


if __name__ == "__main__":
    main()
