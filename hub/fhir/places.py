"""Places in a resource: found by the steps of hub.fhir.paths, and changed there.

Rules: https://hl7.org/fhir/R4/json.html (a primitive `birthDate` has its extensions in `_birthDate`; in a list the
two lists run side by side, with nulls), #choice (`value` is valueQuantity or another of its kind).
Refuses: steps that name no element of their type (`processing`), searches through too much (`too-costly`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.fhir.elements import RESOURCE, Element, elements_of
from hub.fhir.paths import Child, Condition, Nth, OfType, Step, Where
from hub.problems import Problem

MOST_VISITED = 200_000  # by one patch


@dataclass(slots=True)
class Visits:
    """How many places a patch may still look at."""

    left: int = MOST_VISITED

    def count(self, places: int) -> None:
        self.left -= places
        if self.left < 0:
            raise Problem("too-costly", "The patch looks at too many elements")


@dataclass(frozen=True, slots=True)
class Place:
    """An element: `holder[name]`, or the one at `index` of that list. `type` is a FHIR type or a backbone's path,
    `among` the element itself, or all of the choice that a step named."""

    holder: dict[str, Any]
    name: str
    index: int | None
    type: str
    among: Sequence[Element] = ()
    visits: Visits = field(default_factory=Visits, compare=False)

    @property
    def value(self) -> Any:
        return self._at(self.holder.get(self.name))

    def _at(self, found: Any) -> Any:
        if self.index is None:
            return found
        return found[self.index] if isinstance(found, list) and self.index < len(found) else None

    def inside(self) -> tuple[dict[str, Any], str]:
        """The object with the children, and its type; of a primitive that is its `_name` sibling."""
        value = self.value
        if isinstance(value, dict):
            return value, value.get("resourceType", "") if self.type == RESOURCE else self.type
        sibling = self._at(self.holder.get(f"_{self.name}"))
        return (sibling if isinstance(sibling, dict) else {}), "Element"

    def put(self, value: Any, sibling: Any = None) -> None:
        """Another value here, and another `_name` sibling."""
        if self.index is None:
            _keep(self.holder, self.name, value)
            _keep(self.holder, f"_{self.name}", sibling)
            return
        items = List(self.holder, self.name)
        items.pairs[self.index] = (value, sibling)
        items.write()

    def remove(self) -> None:
        if self.index is None:
            self.put(None)
            return
        items = List(self.holder, self.name)
        del items.pairs[self.index]
        items.write()


class List:
    """The elements of a list with their siblings, side by side."""

    def __init__(self, holder: dict[str, Any], name: str):
        self._holder, self._name = holder, name
        values, siblings = holder.get(name) or [], holder.get(f"_{name}") or []
        longest = max(len(values), len(siblings))
        padded = (list(found) + [None] * (longest - len(found)) for found in (values, siblings))
        self.pairs: list[tuple[Any, Any]] = list(zip(*padded, strict=True))

    def write(self) -> None:
        for name, side in ((self._name, 0), (f"_{self._name}", 1)):
            found = [pair[side] for pair in self.pairs]
            _keep(self._holder, name, found if any(item is not None for item in found) else None)


def _keep(holder: dict[str, Any], name: str, value: Any) -> None:
    if value is None:
        holder.pop(name, None)
    else:
        holder[name] = value


def root(resource: dict[str, Any]) -> Place:
    return Place({"": resource}, "", None, RESOURCE)


def follow(start: Place, steps: tuple[Step, ...]) -> list[Place]:
    """The places that the steps lead to."""
    found = [start]
    for step in steps:
        found = _step(found, step)
        start.visits.count(len(found))
    return found


def _step(found: list[Place], step: Step) -> list[Place]:
    match step:
        case Child(name):
            return [child for place in found for child in _children(place, name)]
        case Nth(number):
            return found[number:][:1]
        case OfType(kind):
            return [place for place in found if place.type == kind]
        case Where(conditions):
            return [place for place in found if all(_holds(place, c) for c in conditions)]


def _children(place: Place, name: str) -> Iterator[Place]:
    holder, kind = place.inside()
    among = named(kind, name)
    for element in among:
        here, beside = holder.get(element.name), holder.get(f"_{element.name}")
        if not element.many:
            if here is not None or beside is not None:
                yield Place(holder, element.name, None, element.type, among, place.visits)
            continue
        place.visits.count(longest := max(len(here or ()), len(beside or ())))
        for index in range(longest):
            yield Place(holder, element.name, index, element.type, among, place.visits)


def named(kind: str, name: str) -> list[Element]:
    """The elements of a type that a step names: one, or all of a choice. Raises Problem where there is none."""
    found = [element for element in elements_of(kind).values() if name in (element.name, element.choice)]
    if not found:
        raise Problem("processing", "The path names an element that is not there")
    return found


def _holds(place: Place, condition: Condition) -> bool:
    found = follow(place, condition.path)
    if condition.sign == "exists":
        return bool(found)
    if len(found) != 1:  # FHIRPath: nothing, and several, equal no single value
        return False
    value = found[0].value
    same = value == condition.value and isinstance(value, bool) == isinstance(condition.value, bool)
    return same == (condition.sign == "=")
