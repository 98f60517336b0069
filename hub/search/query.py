"""A search URL as a Query: every parameter is understood, or refused, or (lenient) named.

Rules: https://hl7.org/fhir/R4/search.html
Refuses: what hub.search.criterion refuses. With `Prefer: handling=lenient` unknown parameters are left out
and listed in `Query.ignored`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hub.problems import Problem
from hub.search.criterion import Criterion, criterion

MAX_PAIRS = 100
UNSORTED = " "  # an empty `_sort=` is an error, not asking for none
SORTS = ("_lastUpdated", "-_lastUpdated")
TOTALS = ("none", "estimate", "accurate")

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Query:
    """What a search asks. `pairs` are the parts of the URL that count, in order, for the self link."""

    type: str
    criteria: tuple[Criterion, ...]
    sort: str
    count: int
    total: str
    cursor: str
    pairs: tuple[Pair, ...]
    ignored: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """Entries on a page by default and at most, and the hub's own FHIR base (references to it are local)."""

    page: int = 50
    most: int = 1000
    base: str = ""


def parse(resource_type: str, pairs: Sequence[Pair], limits: Limits, lenient: bool = False) -> Query:
    """The query in a URL's (name, value) pairs. Raises Problem."""
    if len(pairs) > MAX_PAIRS:
        raise Problem("search-too-long", f"A search has at most {MAX_PAIRS} parameters")
    criteria, kept, ignored = [], [], []
    control = {"_sort": UNSORTED, "_count": str(limits.page), "_total": "none", "_summary": "false", "_cursor": ""}
    for name, value in pairs:
        try:
            if name in control:
                control[name] = value
            elif name != "_format":
                criteria.append(criterion(resource_type, name, value, limits.base))
            kept.append((name, value))
        except Problem as problem:
            if not lenient or problem.kind != "not-supported":
                raise
            ignored.append(name)
    count = _count(control["_count"], limits.most)
    if _choice("_summary", control["_summary"], ("false", "count")) == "count":
        count = 0
    return Query(
        resource_type,
        tuple(criteria),
        _choice("_sort", control["_sort"], (UNSORTED, *SORTS)).strip(),
        count,
        "accurate" if count == 0 else _choice("_total", control["_total"], TOTALS),
        control["_cursor"],
        tuple(pair for pair in kept if pair[0] not in ("_cursor", "_count")),
        tuple(ignored),
    )


def _choice(name: str, value: str, choices: Sequence[str]) -> str:
    if value not in choices:
        raise Problem("not-supported", f"{name} takes {', '.join(filter(str.strip, choices))}", name)
    return value


def _count(text: str, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise Problem("value", "_count is a whole number from 0", "_count")
    return min(int(text), most)
