"""What a search and a validator ask of terminology: which codes a value set has, and which stand below a code.

Rules: https://hl7.org/fhir/R4/search.html#token (:in, :not-in, :above, :below)
The hub knows no terminology itself: conformance.terminology answers, and the front door brings it.
None is always "not known here", never "no": the value set or the code system is not here, or is too large.
"""

from collections.abc import Collection
from typing import Protocol

Code = tuple[str, str]  # system, code


class Terms(Protocol):
    """Terminology as the core sees it."""

    def members(self, value_set: str) -> Collection[Code] | None:
        """All codes of a value set."""

    def below(self, system: str, code: str) -> Collection[Code] | None:
        """The code itself and all that it subsumes."""

    def above(self, system: str, code: str) -> Collection[Code] | None:
        """The code itself and all that subsume it."""

    def member(self, value_set: str, system: str, code: str) -> bool | None:
        """Whether the value set has the code."""


class NoTerms:
    """A hub without terminology: it knows nothing."""

    def members(self, value_set: str) -> Collection[Code] | None:
        return None

    def below(self, system: str, code: str) -> Collection[Code] | None:
        return None

    def above(self, system: str, code: str) -> Collection[Code] | None:
        return None

    def member(self, value_set: str, system: str, code: str) -> bool | None:
        return None
