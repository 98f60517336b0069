"""Every CodeSystem, ValueSet and ConceptMap that the hub can use, compiled at first use and kept within bounds.

Fixed sources (packages, R4's own, the hub's own) are asked first and never change. What clients have stored is
asked next, each time: an answer that rests on it is kept only as long as that resource stays the same.
Refuses: a value set that includes itself, nesting deeper than MAX_DEPTH, more than MAX_PARTS parts (Problem).
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

from conformance.terminology import systems, value_sets
from conformance.terminology.sources import MapEnds, Resource, Sources
from conformance.terminology.systems import System, Touched
from conformance.terminology.value_sets import Codes
from hub.problems import Problem

MAX_DEPTH = 20
MAX_PARTS = 300  # includes and excludes, with those of all nested value sets
LONGEST_KEY = 500  # a client may ask for any URL: very long ones are not remembered
KEPT_CONCEPTS = 5_000  # about 3 MB
KEPT_CODES = 8_000  # about 5 MB at most, less where value sets share a code system

Clients = Callable[[str, str], Resource | None]  # kind, URL -> what a client stored


class _Kept(Protocol):
    @property
    def touched(self) -> Touched: ...


K = TypeVar("K", bound=_Kept)


class _Shelf(Generic[K]):
    """Compiled things by key, the oldest thrown away when their weight passes a bound."""

    def __init__(self, most: int):
        self._most = most
        self._weight = 0
        self._kept: dict[Any, tuple[K, int]] = {}
        self._lock = threading.Lock()

    def get(self, key: Any) -> K | None:
        found = self._kept.get(key)
        return found[0] if found else None

    def put(self, key: Any, value: K, weight: int) -> None:
        with self._lock:
            self._weight += weight - self._kept.pop(key, (None, 0))[1]
            self._kept[key] = (value, weight)
            while self._weight > self._most and len(self._kept) > 1:
                self._weight -= self._kept.pop(next(iter(self._kept)))[1]


class Library:
    """Look-ups by canonical URL (`url` or `url|version`)."""

    def __init__(self, fixed: Sequence[Sources], clients: Clients | None = None):
        self._fixed = tuple(fixed)
        self._clients = clients
        self._systems: _Shelf[System] = _Shelf(KEPT_CONCEPTS)
        self._codes: _Shelf[Codes] = _Shelf(KEPT_CODES)

    def system(self, url: str, version: str | None = None) -> System:
        """The code system; one that is not here comes with no content."""
        kept = self._systems.get((url, version))
        if kept is not None and self._current(kept.touched):
            return kept
        resource, touched = self._find("CodeSystem", url, version)
        if resource is None:
            made = System(url, version or "", touched=touched)
        else:
            made = systems.compiled(resource, touched)
        if len(url) <= LONGEST_KEY:
            self._systems.put((url, version), made, 1 + len(made.concepts))
        return made

    def codes(self, canonical: str) -> Codes | None:
        """The value set, or None where it is not here."""
        found = self._codes_of(canonical, ())
        return found if found.here else None

    def codes_in(self, resource: Resource) -> Codes:
        """The codes of a ValueSet that came with a request."""
        return self._compile(resource, (resource.get("url", ""),), ())

    def system_in(self, resource: Resource) -> System:
        """The code system of a CodeSystem that came with a request."""
        return systems.compiled(resource)

    def value_set(self, canonical: str) -> Resource | None:
        """The ValueSet resource itself."""
        return self._find("ValueSet", *_split(canonical))[0]

    def concept_map(self, canonical: str) -> Resource | None:
        url, version = _split(canonical)
        return self._find("ConceptMap", url, version)[0]

    def concept_maps(self) -> Iterator[MapEnds]:
        """The ConceptMaps of the fixed sources."""
        for source in self._fixed:
            yield from source.concept_maps()

    def _codes_of(self, canonical: str, within: tuple[str, ...]) -> Codes:
        kept = self._codes.get(canonical)
        if kept is not None and self._current(kept.touched):
            return kept
        url, version = _split(canonical)
        if url in within or len(within) > MAX_DEPTH:
            raise Problem("processing", "The value set includes itself, or is nested too deep", "ValueSet.compose")
        resource, touched = self._find("ValueSet", url, version)
        if resource is None:
            return Codes({}, touched=touched, here=False)
        made = self._compile(resource, (*within, url), touched)
        if len(canonical) <= LONGEST_KEY:
            self._codes.put(canonical, made, made.weight)
        return made

    def _compile(self, resource: Resource, within: tuple[str, ...], touched: Touched) -> Codes:
        made = value_sets.compiled(resource, self.system, lambda url: self._codes_of(url, within), touched)
        if made.parts > MAX_PARTS:
            raise Problem("too-costly", f"The value set has more than {MAX_PARTS} parts", "ValueSet.compose")
        return made

    def _find(self, kind: str, url: str, version: str | None) -> tuple[Resource | None, Touched]:
        for source in self._fixed:
            found = source.get(kind, url, version)
            if found is not None:
                return found, ()
        if self._clients is None:
            return None, ()
        stored = self._clients(kind, url)
        touched = ((kind, url, _mark(stored)),)
        fits = stored is not None and version in (None, stored.get("version"))
        return (stored if fits else None), touched

    def _current(self, touched: Touched) -> bool:
        return not touched or all(_mark(self._ask(kind, url)) == mark for kind, url, mark in touched)

    def _ask(self, kind: str, url: str) -> Resource | None:
        return self._clients(kind, url) if self._clients else None


def _mark(stored: Resource | None) -> Any:
    """What changes when a stored resource does: the hub gives each version a number."""
    if stored is None:
        return None
    meta = stored.get("meta", {})
    return stored.get("id"), meta.get("versionId"), meta.get("lastUpdated")


def _split(canonical: str) -> tuple[str, str | None]:
    url, _, version = canonical.partition("|")
    return url, version or None
