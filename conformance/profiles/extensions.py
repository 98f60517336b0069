"""Every extension of a resource by the definition that its URL names, wherever it stands.

Rules: https://hl7.org/fhir/R4/extensibility.html, /defining-extensions.html#context
An extension that no package defines is told as information (FHIR lets anyone add extensions).
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from conformance.profiles.compiled import Profile
from conformance.profiles.items import Item
from conformance.validation.schema import resource_types

if TYPE_CHECKING:
    from conformance.profiles.engine import Engine

Node = Any
_PLACE = re.compile(r"\[\d+\]")
_AGAIN = re.compile(r"(\.[a-z]\w*)\1+(?![A-Za-z])")  # Questionnaire.item.item is an item, too
_ANYWHERE = frozenset(("Element", "*"))
_RESOURCES = frozenset(("Resource", "DomainResource"))


def check(engine: "Engine", resource: Node, where: str) -> None:
    """The extensions of one resource, not those of resources inside it."""
    for extension, place, holder, name in _extensions(resource, where):
        url = extension.get("url", "")
        if ":" not in url:
            continue  # part of another extension, which describes it
        profile = engine.profiles.get(url)
        if profile is not None and profile.type == "Extension":
            engine.profile(profile, Item(extension, None, place, "Extension"))
            if not _is_allowed(profile, resource["resourceType"], holder[len(where) :]):
                engine.report("extension", f"{name}: the extension may not stand here", place)
        elif not engine.profiles.is_known(url):
            engine.report("extension", "No loaded package defines the extension", place, "information")


def _extensions(resource: Node, where: str) -> Iterator[tuple[Node, str, str, str]]:
    """Each extension, its place, the place of its holder, and the name of the property it is in."""
    waiting = [(resource, where)]
    while waiting:
        node, at = waiting.pop()
        for name, value in node.items():
            inside = f"{at}.{name.removeprefix('_')}"
            for place, child in enumerate(value if isinstance(value, list) else [value]):
                if not isinstance(child, dict) or ("resourceType" in child and name in ("contained", "resource")):
                    continue
                here = f"{inside}[{place}]" if isinstance(value, list) else inside
                if name in ("extension", "modifierExtension"):
                    yield child, here, at, name
                waiting.append((child, here))


def _is_allowed(profile: Profile, resource_type: str, below: str) -> bool:
    """Whether a context of the extension fits. Contexts inside datatypes and FHIRPath ones are taken as fitting."""
    path = _AGAIN.sub(r"\1", resource_type + _PLACE.sub("", below))
    return not profile.contexts or any(_fits(kind, expression, path) for kind, expression in profile.contexts)


def _fits(kind: str, expression: str, path: str) -> bool:
    if kind != "element" or expression in _ANYWHERE or expression == path:
        return True
    if "." not in path:
        return expression in _RESOURCES
    head = expression.split(".")[0]
    if head == "Extension":
        return ".extension" in path
    return expression not in _RESOURCES and head not in resource_types()
