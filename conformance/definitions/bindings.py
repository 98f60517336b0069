"""The codes of the value sets that a required binding names.

Rules: https://hl7.org/fhir/R4/terminologies.html#required and /valueset.html#compositions
Leaves open (None): a value set over a code system whose codes the package does not hold (MIME types, UCUM,
currencies, one LOINC answer list) - a validator of structure must not refuse what it cannot know.
"""

from collections.abc import Iterator
from typing import Any

from conformance.definitions.package import Definition, Package

Codes = dict[str, list[str]]  # system -> codes


class Bindings:
    """Looks up value sets by canonical URL."""

    def __init__(self, package: Package):
        self._value_sets = package.by_url("ValueSet")
        self._code_systems = package.by_url("CodeSystem")

    def codes(self, value_set: str) -> Codes | None:
        """All codes of a value set by system, or None when they cannot be enumerated."""
        found = self._value_sets.get(value_set.split("|")[0])
        if found is None or "compose" not in found or found["compose"].get("exclude"):
            return None
        codes: Codes = {}
        for include in found["compose"]["include"]:
            for system, listed in self._included(include).items():
                if listed is None:
                    return None
                codes.setdefault(system, []).extend(listed)
        return codes or None

    def _included(self, include: dict[str, Any]) -> dict[str, list[str] | None]:
        if "filter" in include or "valueSet" in include:
            return {include.get("system", ""): None}
        if "concept" in include:
            return {include["system"]: [concept["code"] for concept in include["concept"]]}
        return {include["system"]: self._complete(include["system"])}

    def _complete(self, system: str) -> list[str] | None:
        found = self._code_systems.get(system)
        if found is None or found["content"] != "complete":
            return None
        return list(_concepts(found.get("concept", ())))


def _concepts(concepts: list[Definition]) -> Iterator[str]:
    for concept in concepts:
        yield concept["code"]
        yield from _concepts(concept.get("concept", []))
