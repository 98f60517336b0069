"""Where the references of a resource stand: JSON pointers, so that each can be changed, and changed back.

Rules: https://www.rfc-editor.org/rfc/rfc6901 (pointers), hub.fhir.references (what is a reference: by the type of
each element). References of a stored Bundle lead to its own entries and are none of these; nor are those to what is
contained (`#x`).
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from hub.fhir.elements import RESOURCE, elements_of

Resource = dict[str, Any]


class Place(NamedTuple):
    """A Reference.reference: where it stands and what it says."""

    pointer: str
    text: str


def places(resource: Resource) -> Iterator[Place]:
    """Every literal reference of a resource, those of contained resources among them."""
    yield from _node(resource, RESOURCE, "")


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
        return {}
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
    step, *rest = steps
    if isinstance(node, list):
        place = int(step)
        return [*node[:place], _put(node[place], rest, text), *node[place + 1 :]]
    return {name: _put(value, rest, text) if name == step else value for name, value in node.items()}


def form(pointer: str) -> str:
    """A pointer without its numbers: the place in a list may change, what kind of place it is does not."""
    return "/".join("*" if step.isdigit() else step for step in pointer.split("/"))
