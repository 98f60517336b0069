"""Bindings of a profile.

Rules: https://hl7.org/fhir/R4/terminologies.html#strength
A required binding that is broken is an error, an extensible one a warning, a preferred or example one nothing.
"""

from typing import TYPE_CHECKING, Any

from conformance.profiles.items import Item

if TYPE_CHECKING:
    from conformance.profiles.engine import Codes, Engine

Node = Any
_SAID = {
    "required": "the profile requires a code from the value set",
    "extensible": "a code from the value set should be used unless none fits",
}
_SEVERITY = {"required": "error", "extensible": "warning"}


def check(engine: "Engine", binding: tuple[str, str], item: Item) -> None:
    """Reports what a binding says of a value."""
    strength, value_set = binding
    if strength not in _SEVERITY or item.value is None:
        return
    found = membership(engine.terms, value_set, item.value, item.type)
    if found is False:
        engine.report("code-invalid", f"{_SAID[strength]}: {value_set}", item.where, _SEVERITY[strength])
    elif found is None and strength == "required":
        engine.report(
            "code-invalid", f"The value set cannot be checked here: {value_set}", item.where, "information"
        )


def membership(terms: "Codes", value_set: str, node: Node, kind: str) -> bool | None:
    """Whether a code, Coding, CodeableConcept or Quantity is in a value set; None when it cannot be known."""
    if isinstance(node, str):
        return terms.member(value_set, "", node)
    if not isinstance(node, dict):
        return None
    if "coding" in node or kind == "CodeableConcept":
        return _concept(terms, value_set, node)
    if "code" in node:
        return _one(terms, value_set, node)
    return False if kind == "Coding" else None


def _concept(terms: "Codes", value_set: str, node: Node) -> bool | None:
    answers = [_one(terms, value_set, coding) for coding in node.get("coding", ()) if "code" in coding]
    if True in answers:
        return True
    return None if None in answers else False


def _one(terms: "Codes", value_set: str, coding: Node) -> bool | None:
    if "system" not in coding:
        return False
    return terms.member(value_set, coding["system"], coding["code"])


def check_systems(engine: "Engine", resource: Node, where: str) -> None:
    """Reports codes that a code system, which is wholly here, does not have; not of resources inside."""
    waiting = [(resource, where)]
    while waiting:
        node, at = waiting.pop()
        system, code = node.get("system"), node.get("code")
        if isinstance(system, str) and isinstance(code, str) and engine.terms.exists(system, code) is False:
            engine.report("code-invalid", f"The code system has no such code: {system}", f"{at}.code")
        for name, value in node.items():
            for place, child in enumerate(value if isinstance(value, list) else [value]):
                if isinstance(child, dict) and name not in ("contained", "resource"):
                    waiting.append((child, f"{at}.{name}[{place}]" if isinstance(value, list) else f"{at}.{name}"))
