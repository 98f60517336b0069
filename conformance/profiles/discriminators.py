"""Which slice a value is in.

Rules: https://hl7.org/fhir/R4/profiling.html#discriminator
A slice that nothing tells apart (no fixed value, pattern or binding where the discriminator points) holds no value.
"""

import re
from typing import TYPE_CHECKING, Any

from conformance.profiles import codes
from conformance.profiles.compiled import Element, Profile, Slicing
from conformance.profiles.items import Item, is_fixed, items, matches_pattern

if TYPE_CHECKING:
    from conformance.profiles.engine import Engine

Node = Any
_STEP = re.compile(r"(resolve\(\)|extension\('([^']+)'\)|ofType\((\w+)\)|\$this|[A-Za-z]\w*(?:\[x\])?)(?:\.|$)")


def by_type(element: Element) -> Slicing | None:
    """The slicing that a choice has of itself."""
    return Slicing((("type", "$this"),), "open", False) if element.name.endswith("[x]") else None


def slice_of(engine: "Engine", element: Element, slicing: Slicing, item: Item) -> int | None:
    """The place of the slice that a value is in, or None."""
    for place, each in enumerate(element.slices):
        if slicing.discriminators and all(
            _fits(engine, each, how, path, item) for how, path in slicing.discriminators
        ):
            return place
    return None


def _fits(engine: "Engine", sliced: Element, how: str, path: str, item: Item) -> bool:
    steps = [(found[1], found[2], found[3]) for found in _STEP.finditer(path)]
    wanted = _elements(engine, sliced, steps)
    found = _values(engine, item, steps)
    if how == "exists":
        return _exists(wanted, bool(found))
    if how == "type":
        return _is_type(engine, wanted, found)
    if how == "profile":
        return _has_profile(engine, wanted, found)
    return any(_has_value(engine, each, found) for each in wanted)


def _exists(wanted: list[Element], is_there: bool) -> bool:
    if any(each.max == 0 for each in wanted):
        return not is_there
    return is_there and bool(wanted)


def _is_type(engine: "Engine", wanted: list[Element], found: list[Item]) -> bool:
    types = {name for each in wanted for kind in each.types for name in (kind.code,)}
    return any(_type_of(engine, item) in types for item in found)


def _type_of(engine: "Engine", item: Item) -> str:
    if isinstance(item.value, dict) and "resourceType" in item.value:
        return str(item.value["resourceType"])
    return item.type


def _has_profile(engine: "Engine", wanted: list[Element], found: list[Item]) -> bool:
    canonicals = [url for each in wanted for kind in each.types for url in kind.profiles]
    known = [profile for url in canonicals if (profile := engine.profiles.get(url)) is not None]
    return any(engine.conforms(profile, item) for profile in known for item in found)


def _has_value(engine: "Engine", wanted: Element, found: list[Item]) -> bool:
    if wanted.fixed is not None:
        return any(is_fixed(wanted.fixed, item.value) for item in found)
    if wanted.pattern is not None:
        return any(matches_pattern(wanted.pattern, item.value) for item in found)
    if wanted.binding is not None and wanted.binding[0] == "required":
        url = wanted.binding[1]
        return any(codes.membership(engine.terms, url, item.value, item.type) for item in found)
    return _by_children(engine, wanted, found)


def _by_children(engine: "Engine", wanted: Element, found: list[Item]) -> bool:
    """A slice that fixes what lies below the discriminator's element (coding.system, coding.code)."""
    fixing = [child for child in wanted.children.values() if _is_fixing(child) and child.min > 0]
    return bool(fixing) and any(
        all(_child_fits(engine, child, item) for child in fixing) for item in found if isinstance(item.value, dict)
    )


def _is_fixing(element: Element) -> bool:
    if element.fixed is not None or element.pattern is not None:
        return True
    return any(_is_fixing(child) for child in element.children.values())


def _child_fits(engine: "Engine", child: Element, item: Item) -> bool:
    return _has_value(engine, child, items(item.value, child.name, item.where))


Step = tuple[str, str, str]


def _elements(engine: "Engine", sliced: Element, steps: list[Step]) -> list[Element]:
    """The elements of the profile that a discriminator's path points at."""
    found = [sliced]
    for step, url, kind in steps:
        found = [inner for each in found for inner in _step(engine, each, step, url, kind)]
    return found


def _step(engine: "Engine", element: Element, step: str, url: str, kind: str) -> list[Element]:
    if step == "$this":
        return [element]
    if step == "resolve()":
        targets = [target for each in element.types for target in each.targets]
        return [profile.root for each in targets if (profile := engine.profiles.get(each))] or [
            _of_type(engine, each) for each in targets
        ]
    if url:
        return _extensions(engine, element, url)
    if kind:
        named = [each for each in element.slices if each.type_of(kind)]
        return named or [element]
    return _named(element, step) or [
        inner for profile in _profiles(engine, element) for inner in _named(profile.root, step)
    ]


def _of_type(engine: "Engine", canonical: str) -> Element:
    from conformance.profiles.compiled import Type

    return Element("", "", 0, None, (Type(engine.profiles.type_of(canonical)),))


def _named(element: Element, name: str) -> list[Element]:
    child = element.children.get(name) or element.children.get(f"{name}[x]")
    if child is None:
        return []
    return [each for each in child.slices if each.min > 0] or [child] if child.slices and child.slicing else [child]


def _profiles(engine: "Engine", element: Element) -> list[Profile]:
    urls = [url for kind in element.types for url in kind.profiles]
    return [profile for url in urls if (profile := engine.profiles.get(url)) is not None]


def _extensions(engine: "Engine", element: Element, url: str) -> list[Element]:
    holder = element.children.get("extension")
    found = []
    for each in holder.slices if holder is not None else ():
        for profile in _profiles(engine, each):
            if profile.url == url:
                found.append(profile.root)
    return found


def _values(engine: "Engine", item: Item, steps: list[Step]) -> list[Item]:
    """The values in the instance that a discriminator's path points at."""
    found = [item]
    for step, url, kind in steps:
        found = [inner for each in found for inner in _value_step(engine, each, step, url, kind)]
    return found


def _value_step(engine: "Engine", item: Item, step: str, url: str, kind: str) -> list[Item]:
    if step == "$this":
        return [item]
    if step == "resolve()":
        return _resolved(engine, item)
    node = item.value if isinstance(item.value, dict) else item.beside
    if url:
        return [each for each in items(node, "extension", item.where) if each.value.get("url") == url]
    if kind:
        return [item] if item.type == kind else []
    return items(node, step, item.where) or items(node, f"{step}[x]", item.where)


def _resolved(engine: "Engine", item: Item) -> list[Item]:
    if not isinstance(item.value, dict):
        return []
    target = engine.targets.resolve(item.value.get("reference", ""))
    if target is not None:
        return [Item(target, None, item.where)]
    name = engine.targets.type_in(item.value)
    return [Item(None, None, item.where, name)] if name else []
