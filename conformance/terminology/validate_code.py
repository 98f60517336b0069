"""$validate-code: whether a code is in a value set, or in a code system.

Rules: https://hl7.org/fhir/R4/valueset-operation-validate-code.html and
https://hl7.org/fhir/R4/codesystem-operation-validate-code.html
A code that cannot be judged (its system is not here) is not valid, and the message begins with `unknown`; a
display that is not the code's makes the answer false; an abstract code is valid only where `abstract` is true.
"""

from collections.abc import Sequence
from typing import Any

from conformance.terminology.answers import verdict
from conformance.terminology.codings import Asked, asked
from conformance.terminology.expand import chosen
from conformance.terminology.library import Library
from conformance.terminology.systems import Concept, System
from conformance.terminology.value_sets import Codes, not_here
from hub.problems import Problem

Resource = dict[str, Any]
Judged = tuple[bool, str, str]  # result, message, display


def validate_in_value_set(
    library: Library,
    *,
    url: str | None = None,
    value_set: Resource | None = None,
    value_set_version: str | None = None,
    code: str | None = None,
    system: str | None = None,
    system_version: str | None = None,
    display: str | None = None,
    coding: Resource | None = None,
    codeable_concept: Resource | None = None,
    abstract: bool = False,
) -> Resource:
    """Parameters: result, message, display."""
    codes = chosen(library, url, value_set, value_set_version)
    given = asked(
        code, system, coding, codeable_concept, display=display, version=system_version, needs_system=False
    )
    return _best([_in_value_set(library, codes, _placed(codes, one), abstract) for one in given])


def validate_in_code_system(
    library: Library,
    *,
    url: str | None = None,
    code_system: Resource | None = None,
    code: str | None = None,
    version: str | None = None,
    display: str | None = None,
    coding: Resource | None = None,
    codeable_concept: Resource | None = None,
    abstract: bool = False,
) -> Resource:
    """Parameters: result, message, display."""
    system = url if code_system is None else code_system.get("url", "")
    given = asked(code, system, coding, codeable_concept, display=display, version=version)
    return _best([_in_system(library, one, system, code_system, abstract) for one in given])


def _best(judged: Sequence[Judged]) -> Resource:
    """A CodeableConcept is valid where one of its codings is."""
    return verdict(*next((found for found in judged if found[0]), judged[0]))


def _placed(codes: Codes, one: Asked) -> Asked:
    """A bare code belongs to the value set's one code system."""
    if one.system:
        return one
    systems = codes.systems
    if len(systems) != 1:
        raise Problem("required", "The value set has several code systems: the code needs a system", "system")
    return Asked(next(iter(systems)), one.code, one.display, one.version)


def _in_value_set(library: Library, codes: Codes, one: Asked, abstract: bool) -> Judged:
    system = library.system(one.system)
    concept = system.find(one.code)
    held = codes.holds(one.system, concept.code if concept else one.code)
    if held is None:
        return False, f"unknown: {_why(system)}", ""
    if not held:
        return False, "The code is not in the value set", ""
    return _judged(one, concept, abstract, _display(codes, one, concept))


def _display(codes: Codes, one: Asked, concept: Concept | None) -> str:
    """The value set's own wording comes first."""
    for part in codes.includes:
        if part.system is not None and part.system.url == one.system and (part.codes or {}).get(one.code):
            return (part.codes or {})[one.code]
    return concept.display if concept else ""


def _in_system(
    library: Library, one: Asked, url: str | None, code_system: Resource | None, abstract: bool
) -> Judged:
    if url and one.system != url:
        return False, "The coding is of another code system", ""
    system = (
        library.system(one.system, one.version or None) if code_system is None else library.system_in(code_system)
    )
    concept = system.find(one.code)
    if concept is not None:
        return _judged(one, concept, abstract, concept.display)
    if system.complete:
        return False, "The code is not in the code system", ""
    return False, f"unknown: {_why(system)}", ""


def _why(system: System) -> str:
    return "the code system is here only in part" if system.here else not_here(system.url, system.version)


def _judged(one: Asked, concept: Concept | None, abstract: bool, display: str) -> Judged:
    if concept is not None and concept.abstract and not abstract:
        return False, "The code is abstract: it groups others and is not to be chosen", display
    words = [display, *((concept.display, *_words(concept)) if concept else ())]
    if one.display and any(words) and _plain(one.display) not in {_plain(word) for word in words}:
        return False, "The display is not the code's", display
    retired = concept is not None and concept.inactive
    return True, "The code is no longer active" if retired else "", display


def _words(concept: Concept) -> list[str]:
    return [word.get("value", "") for word in concept.designations]


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
