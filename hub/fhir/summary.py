"""A part of a resource, where a client asks for no more: `_summary` and `_elements`.

Rules: https://hl7.org/fhir/R4/search.html#summary, #elements
What is mandatory stays, extensions that change the meaning stay, and the tag SUBSETTED says that this is not the
whole. An element of choice is named with or without its type: `value`, `valueQuantity`.
Refuses: names that are no elements at the root of the resource (`not-supported`).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from hub.fhir.elements import NOTHING, RESOURCE, Element, elements_of
from hub.problems import Problem

SUMMARIES = ("false", "true", "text", "data", "count")
OBSERVATION_VALUE = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
SUBSETTED = {"system": OBSERVATION_VALUE, "code": "SUBSETTED"}

ALWAYS = frozenset(("resourceType", "id", "meta", "modifierExtension", "implicitRules"))
INSIDE = frozenset(("id", "extension", "modifierExtension"))  # extensions may be all that a data type has

Keep = Callable[[Element], bool]


def names(text: str, types: Collection[str]) -> list[str]:
    """The names in the value of `_elements`, each known to one of the types. Raises Problem."""
    found = [name.strip() for name in text.split(",")]
    for name in found:
        if not any(_known(name, elements_of(holder)) for holder in types):
            raise Problem("not-supported", f"_elements: '{name[:64]}' is no element at the root", "_elements")
    return found


def go_together(summary: str, elements: Sequence[str], inclusions: Sequence[object] = ()) -> None:
    """Raise Problem (`contradiction`) where two of these say different things."""
    if elements and summary != "false":
        raise Problem("contradiction", "_summary and _elements do not go together", "_elements")
    if inclusions and summary == "text":
        raise Problem("contradiction", "_summary=text does not go with _include and _revinclude", "_summary")


def shape(resource: dict[str, Any], summary: str, elements: Sequence[str]) -> dict[str, Any]:
    """A new resource with what was asked for; the same one where nothing was. Other summaries are `false`."""
    if elements:
        wanted = frozenset(elements)
        return _root(resource, lambda element: element.name in wanted or element.choice in wanted)
    match summary:
        case "true":
            return _root(resource, lambda element: element.summary, inside=True)
        case "text":
            return _root(resource, lambda element: element.name == "text")
        case "data":
            return _root(resource, lambda element: element.name != "text")
    return resource


def _known(name: str, known: Mapping[str, Element]) -> bool:
    return name in known or (bool(name) and any(element.choice == name for element in known.values()))


def _root(resource: dict[str, Any], keep: Keep, inside: bool = False) -> dict[str, Any]:
    known = elements_of(resource["resourceType"])
    found: dict[str, Any] = {}
    for name, value in resource.items():
        element = known.get(name.removeprefix("_"))
        if name in ALWAYS:
            found[name] = value
        elif element is not None and _kept(element, keep):
            found[name] = _summary_inside(value, element) if inside else value
    return _tagged(found)


def _kept(element: Element, keep: Keep) -> bool:
    return keep(element) or element.required


def _tagged(resource: dict[str, Any]) -> dict[str, Any]:
    meta = resource.get("meta", {})
    tags = [tag for tag in meta.get("tag", ()) if tag.get("code") != "SUBSETTED"]
    whole = {"resourceType": resource["resourceType"]}
    if "id" in resource:
        whole["id"] = resource["id"]
    return whole | {"meta": meta | {"tag": [*tags, SUBSETTED]}} | {n: v for n, v in resource.items() if n != "meta"}


def _summary_inside(value: Any, element: Element) -> Any:
    """What of an element's content belongs to a summary; all of it where that would leave nothing."""
    known = NOTHING if element.primitive or element.type == RESOURCE else elements_of(element.type)
    if not known:
        return value
    if isinstance(value, list):
        return [_summary_inside(item, element) for item in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for name, child in value.items():
        inner = known.get(name.removeprefix("_"))
        if name in INSIDE:
            found[name] = child
        elif inner is not None and _kept(inner, lambda e: e.summary):
            found[name] = _summary_inside(child, inner)
    return found or value
