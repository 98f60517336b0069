"""CodeSystem/$lookup: what a code means.

Rules: https://hl7.org/fhir/R4/codesystem-operation-lookup.html
Refuses: a code system that is not here and a code that is not in it (both 404, told apart).
"""

from typing import Any

from conformance.terminology.answers import parts
from conformance.terminology.codings import asked
from conformance.terminology.library import Library
from conformance.terminology.systems import Concept, Property, System
from conformance.terminology.value_sets import not_here
from hub.problems import Problem

Resource = dict[str, Any]


def lookup(
    library: Library,
    *,
    code: str | None = None,
    system: str | None = None,
    version: str | None = None,
    coding: Resource | None = None,
    properties: tuple[str, ...] = (),
    code_system: Resource | None = None,
) -> Resource:
    """Parameters: name, version, display, designations and properties of one code.

    `properties` limits what is told, as the operation's `property`; `code_system` is that of an instance.
    """
    if code_system is not None:
        system = code_system.get("url", "")
    one = asked(code, system, coding)[0]
    found = known(library, one.system, one.version or version, code_system)
    concept = found.find(one.code)
    if concept is None:
        raise Problem("not-found", f"The code is not in {_named(found)}", "code")
    wanted = set(properties)
    rows = parts(
        ("name", "valueString", found.name or found.title or found.url),
        ("version", "valueString", found.version),
        ("display", "valueString", concept.display or concept.code),
    )
    if not wanted or "designation" in wanted:
        rows += [{"name": "designation", "part": _designation(word)} for word in concept.designations]
    rows += [
        {"name": "property", "part": parts(("code", "valueCode", name), ("value", kind, value))}
        for name, kind, value in _properties(found, concept)
        if not wanted or name in wanted
    ]
    return {"resourceType": "Parameters", "parameter": rows}


def known(library: Library, url: str, version: str | None = None, code_system: Resource | None = None) -> System:
    """The code system an operation is asked about. Raises Problem where its content is not here."""
    found = library.system(url, version or None) if code_system is None else library.system_in(code_system)
    if not found.here:
        raise Problem("not-found", not_here(found.url, found.version), "system")
    return found


def _named(system: System) -> str:
    part = "" if system.complete else " as far as it is here"
    return f"{system.url[:200]}{part}"


def _properties(system: System, concept: Concept) -> list[Property]:
    return [
        *([("definition", "valueString", concept.definition)] if concept.definition else []),
        *concept.properties,
        ("inactive", "valueBoolean", concept.inactive),
        *(("parent", "valueCode", code) for code in system.parents.get(concept.code, ())),
        *(("child", "valueCode", code) for code in system.children.get(concept.code, ())),
    ]


def _designation(word: Resource) -> list[Resource]:
    return parts(
        ("language", "valueCode", word.get("language")),
        ("use", "valueCoding", word.get("use")),
        ("value", "valueString", word.get("value")),
    )
