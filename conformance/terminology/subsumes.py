"""CodeSystem/$subsumes: whether one code means another, or a kind of it.

Rules: https://hl7.org/fhir/R4/codesystem-operation-subsumes.html
Refuses: codes of different systems, a system that is not here, codes that are not in it.
"""

from typing import Any

from conformance.terminology.answers import parameters
from conformance.terminology.codings import Asked, asked
from conformance.terminology.library import Library
from conformance.terminology.lookup import known
from conformance.terminology.systems import System
from hub.problems import Problem

Resource = dict[str, Any]


def subsumes(
    library: Library,
    *,
    code_a: str | None = None,
    code_b: str | None = None,
    system: str | None = None,
    version: str | None = None,
    coding_a: Resource | None = None,
    coding_b: Resource | None = None,
    code_system: Resource | None = None,
) -> Resource:
    """Parameters: outcome (equivalent, subsumes, subsumed-by, not-subsumed)."""
    if code_system is not None:
        system = code_system.get("url", "")
    a = asked(code_a, system, coding_a)[0]
    b = asked(code_b, system, coding_b)[0]
    if a.system != b.system:
        raise Problem("contradiction", "The codes are of different code systems", "system")
    found = known(library, a.system, a.version or version, code_system)
    return parameters(("outcome", "valueCode", _outcome(found, _code(found, a), _code(found, b))))


def _code(system: System, one: Asked) -> str:
    concept = system.find(one.code)
    if concept is None:
        raise Problem("not-found", f"A code is not in {system.url[:200]}", "code")
    return concept.code


def _outcome(system: System, a: str, b: str) -> str:
    if a == b:
        return "equivalent"
    if b in system.below(a):
        return "subsumes"
    return "subsumed-by" if a in system.below(b) else "not-subsumed"
