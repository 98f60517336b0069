"""Where the references of a resource stand: JSON pointers, so that each can be changed, and changed back.

Rules: https://www.rfc-editor.org/rfc/rfc6901 (pointers), hub.fhir.references (what is a reference: by the type of
each element). Those to what is contained (`#x`) are none; in a Bundle, nor are those to its own entries.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from hub.fhir.criteria_places import with_word
from hub.fhir.elements import RESOURCE, elements_of

Resource = dict[str, Any]


class Place(NamedTuple):
    """A Reference.reference: where it stands and what it says."""

    pointer: str
    text: str


def places(resource: Resource) -> Iterator[Place]:
    """Every literal reference of a resource, those of contained resources and of a Bundle's entries among them."""
    found = _node(resource, RESOURCE, "")
    if resource.get("resourceType") != "Bundle":
        yield from found
        return
    own = set(_own(resource))
    yield from (place for place in found if place.text not in own)


def _own(bundle: Resource) -> Iterator[str]:
    """What refers to an entry (https://hl7.org/fhir/R4/bundle.html#references): it leads there, whoever else has
    the same address."""
    for entry in bundle.get("entry", ()):
        inner = entry.get("resource", {})
        yield from filter(None, (entry.get("fullUrl"),))
        if "id" in inner:
            yield f"{inner.get('resourceType')}/{inner['id']}"


def _node(node: Any, holder: str, at: str) -> Iterator[Place]:
    if isinstance(node, list):
        for number, child in enumerate(node):
            yield from _node(child, holder, f"{at}/{number}")
    elif isinstance(node, dict):
        kind = node.get("resourceType", "") if holder == RESOURCE else holder
        text = node.get("reference")
        if kind == "Reference" and isinstance(text, str) and text and text[0] != "#":
            yield Place(f"{at}/reference", text)
        steps = _steps(kind)
        for name, value in node.items():
            if name in steps:
                yield from _node(value, steps[name], f"{at}/{name}")


@cache
def _steps(holder: str) -> Mapping[str, str]:
    """The members to look into, with what they hold."""
    if holder == "Bundle.entry":
        return {"resource": RESOURCE}
    found = elements_of(holder).values()
    return {one.name if not one.primitive else f"_{one.name}": _held(one) for one in found}


def _held(element: Any) -> str:
    return "Element" if element.primitive else str(element.type)


def with_texts(resource: Resource, texts: Mapping[str, str]) -> Resource:
    """A copy with these texts at these pointers. What no pointer leads through is not copied."""
    made: Any = resource
    for pointer, text in texts.items():
        made = _put(made, pointer.split("/")[1:], text)
    return made  # type: ignore[no-any-return]


def _put(node: Any, steps: list[str], text: str) -> Any:
    if not steps:
        return text
    if isinstance(node, str):  # criteria: which parameter, which of its values
        return with_word(node, int(steps[0]), int(steps[1]), text)
    step, *rest = steps
    if isinstance(node, list):
        place = int(step)
        return [*node[:place], _put(node[place], rest, text), *node[place + 1 :]]
    return {name: _put(value, rest, text) if name == step else value for name, value in node.items()}


def form(pointer: str) -> str:
    """A pointer without its numbers: the place in a list may change, what kind of place it is does not."""
    return "/".join("*" if step.isdigit() else step for step in pointer.split("/"))
