"""A search URL as a Query: every parameter is understood, or refused, or (lenient) named.

Rules: https://hl7.org/fhir/R4/search.html
Refuses: what hub.search.criterion, chains, filters and sorting refuse; a control parameter of one value that is
given twice; more than MAX_TESTS tests in all (`too-costly`). With `Prefer: handling=lenient` unknown parameters are
left out and listed in `Query.ignored`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hub.access import Access
from hub.fhir import summary
from hub.fhir.types import resource_types
from hub.problems import Problem
from hub.search import withheld
from hub.search.chains import Condition, Some, condition, granted, touched
from hub.search.criterion import NO_TERMS, Criterion
from hub.search.filters import filter_condition, leaves
from hub.search.inclusions import NAMES, Inclusion, inclusion
from hub.search.parameters import IN_COLUMNS
from hub.search.sorting import SortKey, sort_keys
from hub.search.terms import Terms
from hub.sight import NOTHING, Sight

MAX_PAIRS = 100
MAX_TYPED = 20  # types whose own parameters are looked at in one search
MAX_TESTS = 1000  # of all parameters and types, in all branches of chains and filters
EVERY = "Resource"  # the parameters that every type has
TOTALS = ("none", "estimate", "accurate")
SINGLE = {"_total": "none", "_summary": "false", "_cursor": ""}  # what holds where they are not given
CONTROLS = frozenset(("_count", "_sort", "_elements", *SINGLE))  # they say what is shown, not what is found

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Query:
    """What a search asks. `pairs` are the parts of the URL that count, in order, for the self link.

    `criteria` are asked of the resource itself, `conditions` look further and are answered by the index alone.
    A search over several types has no `type` but `types` (and perhaps a `path`); see `criteria_of`.
    """

    type: str
    criteria: tuple[Criterion, ...]
    sort: tuple[SortKey, ...]
    count: int
    total: str
    cursor: str
    pairs: tuple[Pair, ...]
    ignored: tuple[str, ...]
    inclusions: tuple[Inclusion, ...] = ()
    summary: str = "false"
    elements: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    types: tuple[str, ...] = ()
    path: str = ""
    sight: Sight = NOTHING  # of who asks: nothing, unless `granted`

    def criteria_of(self, resource_type: str) -> tuple[Criterion, ...]:
        """What a resource of the type itself must answer."""
        if self.type:
            return self.criteria
        return self.criteria + tuple(
            each
            for found in self.conditions
            if isinstance(found, Some)
            for each in found.conditions
            if isinstance(each, Criterion) and each.parameter.base == resource_type
        )

    @property
    def types_touched(self) -> frozenset[str]:
        """The other types that the search looks at."""
        return frozenset(name for found in self.conditions for name in touched(found))

    def granted(self, access: Access) -> "Query":
        """The query as this caller may ask it. Raises Problem `forbidden`, before anything is read."""
        for name in (self.type,) if self.type else self.types:
            access.require("search-type", name)
        if not access.sight.everything:
            sorts = (key.parameter for key in self.sort)
            withheld.check(iter((*self.criteria, *self.conditions)), sorts, access.sight)
        conditions = tuple(granted(found, access) for found in self.conditions)
        return replace(self, conditions=conditions, sight=access.sight)


@dataclass(frozen=True, slots=True)
class Limits:
    """Entries on a page by default and at most, and the hub's own FHIR base (references to it are local)."""

    page: int = 50
    most: int = 1000
    base: str = ""
    terms: Terms = NO_TERMS


def parse(resource_type: str, pairs: Sequence[Pair], limits: Limits, lenient: bool = False) -> Query:
    """The query in a URL's (name, value) pairs. Raises Problem."""
    return _Reading(resource_type, (), limits).query(pairs, lenient)


def parse_types(
    types: Sequence[str], pairs: Sequence[Pair], limits: Limits, lenient: bool = False, path: str = ""
) -> Query:
    """The query over several types: each parameter is one of every type. Raises Problem."""
    kept = [pair for pair in pairs if pair[0] != "_type"]
    found = _Reading("", tuple(types), limits).query(kept, lenient)
    named = [pair for pair in pairs if pair[0] == "_type"]
    return replace(found, types=tuple(types), path=path, pairs=(*named, *found.pairs))


class _Reading:
    """One URL, parameter by parameter."""

    def __init__(self, resource_type: str, types: tuple[str, ...], limits: Limits):
        self._type = resource_type
        self._types = types
        self._limits = limits
        self._criteria: list[Criterion] = []
        self._conditions: list[Condition] = []
        self._inclusions: list[Inclusion] = []
        self._elements: list[str] = []
        self._sort: tuple[SortKey, ...] = ()
        self._control = {"_count": str(limits.page), **SINGLE}
        self._given: set[str] = set()

    def query(self, pairs: Sequence[Pair], lenient: bool) -> Query:
        if len(pairs) > MAX_PAIRS:
            raise Problem("search-too-long", f"A search has at most {MAX_PAIRS} parameters")
        kept, ignored = [], []
        for name, value in pairs:
            try:
                self._take(name, value)
                kept.append((name, value))
            except Problem as problem:
                if not lenient or problem.kind != "not-supported":
                    raise
                ignored.append(f"{name}={value}" if name.startswith(NAMES) else name)
        return self._made(kept, ignored)

    def _take(self, name: str, value: str) -> None:
        if name in self._control:
            self._once(name)
            self._control[name] = value
        elif name.startswith(NAMES):
            self._inclusions.append(inclusion(self._type, name, value))
        elif name == "_elements":
            self._elements += summary.names(value, (self._type,) if self._type else resource_types())
        elif name == "_sort":
            if self._sort:
                raise Problem("value", "_sort stands once, with commas between its keys", "_sort")
            self._sort = sort_keys(self._type or EVERY, value)
        else:
            found = self._condition(name, value)
            (self._criteria if isinstance(found, Criterion) else self._conditions).append(found)  # type: ignore[arg-type]

    def _once(self, name: str) -> None:
        """The self link would claim both of two."""
        if name in self._given:
            raise Problem("value", f"{name} stands once", name)
        self._given.add(name)

    def _condition(self, name: str, value: str) -> Condition:
        limits = self._limits
        ask = filter_condition if name == "_filter" else condition
        if self._type:
            return ask(self._type, name, value, limits.base, limits.terms)
        if name.partition(":")[0] in IN_COLUMNS:
            return condition(EVERY, name, value, limits.base, limits.terms)
        if len(self._types) <= MAX_TYPED or name == "_list":
            return Some(tuple(ask(each, name, value, limits.base, limits.terms) for each in self._types))
        found = condition(EVERY, name, value, limits.base, limits.terms)
        if not isinstance(found, Criterion):
            raise Problem("not-supported", f"'{name[:64]}' needs _type with at most {MAX_TYPED} types", name[:64])
        return Some(tuple(_of_type(found, each) for each in self._types))

    def _made(self, kept: Sequence[Pair], ignored: Sequence[str]) -> Query:
        control = self._control
        if sum(map(leaves, (*self._criteria, *self._conditions))) > MAX_TESTS:
            raise Problem(
                "too-costly", f"A search takes at most {MAX_TESTS} tests of all types; name fewer of them"
            )
        count = _count(control["_count"], self._limits.most)
        if _choice("_summary", control["_summary"], summary.SUMMARIES) == "count":
            count = 0
        summary.go_together(control["_summary"], self._elements, self._inclusions)
        return Query(
            self._type,
            tuple(self._criteria),
            self._sort,
            count,
            "accurate" if count == 0 else _choice("_total", control["_total"], TOTALS),
            control["_cursor"],
            tuple(pair for pair in kept if pair[0] not in ("_cursor", "_count")),
            tuple(ignored),
            tuple(self._inclusions),
            control["_summary"],
            tuple(self._elements),
            tuple(self._conditions),
        )


def _of_type(found: Criterion, resource_type: str) -> Criterion:
    """A criterion that every resource has, of one type."""
    return replace(found, parameter=replace(found.parameter, base=resource_type))


def _choice(name: str, value: str, choices: Sequence[str]) -> str:
    if value not in choices:
        raise Problem("not-supported", f"{name} takes {', '.join(filter(str.strip, choices))}", name)
    return value


def _count(text: str, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise Problem("value", "_count is a whole number from 0", "_count")
    return min(int(text), most)
