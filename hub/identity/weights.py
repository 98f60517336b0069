"""What an agreement weighs: log2(m/u) of weights.csv (Fellegi and Sunter 1969), by frequency and by data quality.

m is the share of pairs of one person that agree so, u the share of pairs of two persons. They were set by hand and
then held against what `python -m tests.bench.identity_weights` prints for the synthetic county: u of random pairs,
m by expectation maximisation, m in truth (which EM meets within a hundredth). Where the county errs less than real
sources are feared to (wrong dates, middle names, other surnames), the table keeps the more careful share. Nothing
comes from real members: a deployment with labelled pairs should estimate its own.
`frequency` says how far the shared value's own share takes the place of u (1 wholly, 0.5 its root).
limits.csv holds what else is decided by number; a deployment changes one by name (`Limits.configured`).
Refuses: a limit that is not in the table or no number (`value`).
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from importlib.resources import files
from math import isfinite, log2
from typing import Final, NamedTuple

from hub.identity.frequencies import Frequencies, share
from hub.identity.person import FULL, PARTIAL
from hub.problems import Problem

BY_QUALITY: Final = {FULL: 1.0, PARTIAL: 0.5}  # others count nothing
HOUSEHOLD: Final = frozenset(("phone", "address"))


class Agreement(NamedTuple):
    """How one field of two persons agrees. `term` is what they share, for its frequency; it never leaves."""

    field: str
    level: str
    term: tuple[str, str] | None = None
    quality: int = FULL


@dataclass(frozen=True, slots=True)
class Weight:
    """A row of weights.csv."""

    bits: float
    u: float
    frequency: float


def _rows(name: str) -> list[dict[str, str]]:
    text = files("hub.identity").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _weight(row: Mapping[str, str]) -> Weight:
    m, u = float(row["m"]), float(row["u"])
    return Weight(log2(m / u), u, float(row["frequency"]))


WEIGHTS: Final = {(row["field"], row["level"]): _weight(row) for row in _rows("weights.csv")}


@dataclass(frozen=True, slots=True)
class Limits:
    """limits.csv says what each means."""

    link_margin: float
    bare_margin: float
    review_margin: float
    clear_margin: float
    least_population: float
    shared_address: float
    shared_phone: float
    household: float
    own_evidence: float
    twin_ssn4: float

    def configured(self, text: str) -> "Limits":
        """With `shared_address=12,link_margin=11` changed."""
        known, found = {each.name for each in fields(self)}, {}
        for row in filter(None, (each.strip() for each in text.split(","))):
            name, _, value = row.partition("=")
            if name not in known or not _is_number(value):
                raise Problem("value", "A limit of matching is written as shared_address=12", "identity limits")
            found[name] = float(value)
        return replace(self, **found)


LIMITS: Final = Limits(**{row["name"]: float(row["value"]) for row in _rows("limits.csv")})


def bits(agreement: Agreement, frequencies: Frequencies) -> float:
    """What this agreement says for one person (above 0) or for two (below)."""
    row = WEIGHTS[agreement.field, agreement.level]
    found = row.bits
    if agreement.term and row.frequency:
        found += row.frequency * log2(row.u / share(frequencies, *agreement.term))
    return found * BY_QUALITY.get(agreement.quality, 0.0)


def total(weighed: Iterable[tuple[Agreement, float]], limits: Limits) -> float:
    """All bits; what phone and address say for one person counts `limits.household` at most."""
    household = own = 0.0
    for agreement, each in weighed:
        if agreement.field in HOUSEHOLD:
            household += each
        else:
            own += each
    return own + min(household, limits.household)


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False
