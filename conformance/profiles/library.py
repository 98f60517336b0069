"""Compiled profiles by canonical URL, a bounded number of elements of them in memory.

A compiled element takes about 0.5 kB; US Core Patient has 130.
"""

import csv
import threading
from collections import OrderedDict
from functools import cache
from importlib.resources import files
from typing import Any

from conformance.definitions.invariants import ELSEWHERE
from conformance.packages.catalog import Catalog
from conformance.profiles.compiled import NoSnapshot, Profile, compile_profile

KEPT_ELEMENTS = 12_000
BASE = "http://hl7.org/fhir/StructureDefinition/"
_BEST_PRACTICE = frozenset(("dom-6",))  # "should have a narrative" is told of no resource


class Profiles:
    """Profiles compiled when first asked for. Safe for threads."""

    def __init__(self, catalog: Catalog, kept: int = KEPT_ELEMENTS):
        self.catalog = catalog
        self._kept: OrderedDict[str, Profile] = OrderedDict()
        self._most = kept
        self._size = 0
        self._lock = threading.Lock()

    def get(self, canonical: str) -> Profile | None:
        """The profile, or None when no package has it or it has no snapshot."""
        entry = self.catalog.find("StructureDefinition", canonical)
        if entry is None or not entry.is_complete:
            return None
        key = f"{entry.url}|{entry.version}"
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        return self._compile(key, self.catalog.read(entry))

    def is_known(self, canonical: str) -> bool:
        return self.catalog.find("StructureDefinition", canonical) is not None

    def type_of(self, canonical: str) -> str:
        """The type that a profile is about; for a base type the last part of its URL."""
        entry = self.catalog.find("StructureDefinition", canonical)
        if entry is not None:
            return entry.type
        url = canonical.split("|")[0]
        name = url.removeprefix(BASE)
        return name if name != url and name[:1].isupper() else ""

    def _compile(self, key: str, definition: dict[str, Any]) -> Profile | None:
        try:
            made = compile_profile(definition, _is_base)
        except NoSnapshot:
            return None
        with self._lock:
            if key not in self._kept:
                self._size += made.size
            self._kept[key] = made
            while self._size > self._most and len(self._kept) > 1:
                self._size -= self._kept.popitem(last=False)[1].size
        return made


@cache
def _base_keys() -> frozenset[str]:
    text = files("conformance.definitions").joinpath("r4_invariants.csv").read_text("utf-8")
    return frozenset(row["key"] for row in csv.DictReader(text.splitlines())) | ELSEWHERE.keys() | _BEST_PRACTICE


@cache
def _base_types() -> frozenset[str]:
    text = files("conformance.definitions").joinpath("r4_invariants.csv").read_text("utf-8")
    owners = {row["path"].split(".")[0] for row in csv.DictReader(text.splitlines())}
    return frozenset(owners | {"Element", "Extension", "Resource", "DomainResource", "BackboneElement", "Period"})


def _is_base(constraint: dict[str, Any]) -> bool:
    """Whether conformance.validation.structure holds a constraint already."""
    source = constraint.get("source", "").removeprefix(BASE)
    return constraint["key"] in _base_keys() and (
        not source or source in _base_types() | {"Reference", "Narrative"}
    )
