"""Terminology for searches and validators: `hub.search.terms.Terms`, answered by the library.

None means "not known here" (the value set or system is not here, only in part, or larger than MAX_MEMBERS).
"""

from collections.abc import Callable, Collection

from conformance.terminology.library import Library
from conformance.terminology.systems import System
from conformance.terminology.value_sets import Codes, Unknown
from hub.problems import Problem
from hub.search.terms import Code

MAX_MEMBERS = 2_000  # codes that one search is asked to compare with


class LibraryTerms:
    """See hub.search.terms.Terms."""

    def __init__(self, library: Callable[[], Library]):
        """The library is asked for when a search or a validator first needs it."""
        self._make = library

    @property
    def _library(self) -> Library:
        return self._make()

    def members(self, value_set: str) -> Collection[Code] | None:
        codes = self._codes(value_set)
        if codes is None or not codes.closed:
            return None
        found: set[Code] = set()
        try:
            for entry in codes.entries():
                found.add((entry.system, entry.code))
                if len(found) > MAX_MEMBERS:
                    return None
        except Unknown:
            return None
        return found

    def below(self, system: str, code: str) -> Collection[Code] | None:
        known = self._known(system, code)
        return _bounded(system, known.below(code)) if known else None

    def above(self, system: str, code: str) -> Collection[Code] | None:
        known = self._known(system, code)
        return _bounded(system, known.above(code)) if known else None

    def member(self, value_set: str, system: str, code: str) -> bool | None:
        codes = self._codes(value_set)
        if codes is None:
            return None
        held = codes.holds(system, code)
        if held is False:  # the case of a code matters only where its system says so
            found = self._library.system(system).find(code)
            held = codes.holds(system, found.code) if found and found.code != code else False
        return held

    def _codes(self, value_set: str) -> Codes | None:
        try:
            return self._library.codes(value_set)
        except Problem:  # it includes itself
            return None

    def _known(self, system: str, code: str) -> System | None:
        found = self._library.system(system)
        return found if code in found.concepts else None


def _bounded(system: str, codes: set[str]) -> Collection[Code] | None:
    return {(system, code) for code in codes} if len(codes) <= MAX_MEMBERS else None
