"""Codes for bindings, answered by the hub's terminology (conformance.terminology).

A `code` element has no system: any system of the value set will do.
"""

from conformance.terminology.library import Library
from hub.problems import Problem


class LibraryCodes:
    """See conformance.profiles.engine.Codes."""

    def __init__(self, library: Library):
        self._library = library

    def member(self, value_set: str, system: str, code: str) -> bool | None:
        try:
            codes = self._library.codes(value_set)
        except Problem:  # it includes itself
            return None
        if codes is None:
            return None
        if system:
            return codes.holds(system, code)
        answers = [codes.holds(each, code) for each in codes.systems]
        return True if True in answers else None if None in answers or not answers else False

    def exists(self, system: str, code: str) -> bool | None:
        """Whether a code system that is wholly here has a code; None where it is not."""
        found = self._library.system(system)
        return found.find(code) is not None if found.complete else None
