"""What codes an operation is asked about, however the client wrote them: code and system, Coding, CodeableConcept.

Rules: https://hl7.org/fhir/R4/codesystem-operations.html and /valueset-operations.html: exactly one of the three
Refuses: none or several of them, a Coding without code.
"""

from dataclasses import dataclass
from typing import Any

from hub.problems import Problem

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """One coded value; what was not given is empty."""

    system: str
    code: str
    display: str = ""
    version: str = ""


def asked(
    code: str | None,
    system: str | None,
    coding: Resource | None,
    concept: Resource | None = None,
    *,
    display: str | None = None,
    version: str | None = None,
    needs_system: bool = True,
) -> tuple[Asked, ...]:
    """The codes asked about; several for a CodeableConcept. Raises Problem."""
    if sum(found is not None for found in (code, coding, concept)) != 1:
        raise Problem("required", "Exactly one of code, coding and codeableConcept is to be given", "code")
    if code is not None:
        found: tuple[Asked, ...] = (Asked(system or "", code, display or "", version or ""),)
    else:
        nodes = [coding] if coding is not None else (concept or {}).get("coding", [])
        found = tuple(_of(node, system or "") for node in nodes)
    if not found or any(not one.code for one in found):
        raise Problem("required", "A coding needs a code", "coding")
    if needs_system and any(not one.system for one in found):
        raise Problem("required", "The code needs a system", "system")
    return found


def _of(node: Any, system: str) -> Asked:
    if not isinstance(node, dict):
        raise Problem("structure", "A coding is an object", "coding")
    values = [node.get("system", system), node.get("code", ""), node.get("display", ""), node.get("version", "")]
    if not all(isinstance(value, str) for value in values):
        raise Problem("structure", "A coding's system, version, code and display are strings", "coding")
    return Asked(*values)
