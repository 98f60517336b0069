"""A code system as it is looked things up in: concepts by code, what stands above and below each.

Rules: https://hl7.org/fhir/R4/codesystem.html#hierarchy and #properties
`complete` is False for a fragment or an example: a code that is not in it may still exist. A system whose
content is not here at all (SNOMED CT, LOINC, a supplement) has `here` False: nothing is said of its codes.
A hierarchy of parts or groups (hierarchyMeaning other than is-a) says nothing of meaning: it subsumes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

Resource = dict[str, Any]
Property = tuple[str, str, Any]  # code, value[x], value
Touched = tuple[tuple[str, str, Any], ...]  # clients' resources that an answer rests on: kind, URL, mark

ABSTRACT = ("notSelectable", "abstract")
RETIRED = ("retired", "inactive", "deprecated")
PARENTS = ("parent", "subsumedBy")


@dataclass(frozen=True, slots=True)
class Concept:
    """One code. `properties` are all that the CodeSystem gives except hierarchy."""

    code: str
    display: str = ""
    definition: str = ""
    properties: tuple[Property, ...] = ()
    designations: tuple[Resource, ...] = ()

    @property
    def abstract(self) -> bool:
        return any(code in ABSTRACT and value is True for code, _, value in self.properties)

    @property
    def inactive(self) -> bool:
        return any(_retires(code, value) for code, _, value in self.properties)


def _retires(code: str, value: Any) -> bool:
    return (code == "inactive" and value is True) or (code == "status" and value in RETIRED)


@dataclass(frozen=True)
class System:
    """A compiled CodeSystem. `parents` and `children` are by code, without those that have none."""

    url: str
    version: str = ""
    name: str = ""
    title: str = ""
    content: str = "not-present"
    case_sensitive: bool = True
    subsumes: bool = True
    concepts: dict[str, Concept] = field(default_factory=dict)
    parents: dict[str, list[str]] = field(default_factory=dict)
    children: dict[str, list[str]] = field(default_factory=dict)
    declared: frozenset[str] = frozenset()
    touched: Touched = ()

    @property
    def here(self) -> bool:
        return self.content in ("complete", "fragment", "example")

    @property
    def complete(self) -> bool:
        return self.content == "complete"

    def find(self, code: str) -> Concept | None:
        """The concept, its code written in any case where the system says case does not matter."""
        found = self.concepts.get(code)
        if found is None and not self.case_sensitive:
            return self._folded.get(code.casefold())
        return found

    @cached_property
    def _folded(self) -> dict[str, Concept]:
        return {code.casefold(): concept for code, concept in self.concepts.items()}

    def below(self, code: str) -> set[str]:
        """The code and all that it subsumes."""
        return _reach(self.children, code) if self.subsumes else {code}

    def above(self, code: str) -> set[str]:
        """The code and all that subsume it."""
        return _reach(self.parents, code) if self.subsumes else {code}


def _reach(steps: dict[str, list[str]], code: str) -> set[str]:
    reached, waiting = {code}, [code]
    while waiting:
        new = [next_ for next_ in steps.get(waiting.pop(), ()) if next_ not in reached]
        reached.update(new)
        waiting += new
    return reached


def compiled(resource: Resource, touched: Touched = ()) -> System:
    """The System of a CodeSystem resource."""
    concepts: dict[str, Concept] = {}
    pairs: list[tuple[str, str]] = []
    for parent, node in _walk(resource.get("concept", ())):
        concept = _concept(node)
        concepts.setdefault(concept.code, concept)
        if parent:
            pairs.append((parent, concept.code))
        pairs += _stated(node)
    return System(
        url=resource.get("url", ""),
        version=resource.get("version", ""),
        name=resource.get("name", ""),
        title=resource.get("title", ""),
        content=resource.get("content", "not-present"),
        case_sensitive=resource.get("caseSensitive", True),
        subsumes=resource.get("hierarchyMeaning", "is-a") == "is-a",
        concepts=concepts,
        parents=_grouped((child, parent) for parent, child in pairs),
        children=_grouped(iter(pairs)),
        declared=frozenset(p["code"] for p in resource.get("property", ())),
        touched=touched,
    )


def _walk(nodes: Any, parent: str = "") -> Iterator[tuple[str, Resource]]:
    """Concepts with their parents' codes, as they are written; without recursion, as clients nest deep."""
    waiting = [(parent, node) for node in reversed(nodes)]
    while waiting:
        parent, node = waiting.pop()
        yield parent, node
        waiting += [(node["code"], child) for child in reversed(node.get("concept", ()))]


def _concept(node: Resource) -> Concept:
    given = [(p["code"], *_value(p)) for p in node.get("property", ())]
    return Concept(
        node["code"],
        node.get("display", ""),
        node.get("definition", ""),
        tuple(p for p in given if p[0] not in (*PARENTS, "child")),
        tuple(node.get("designation", ())),
    )


def _value(node: Resource) -> tuple[str, Any]:
    return next((item for item in node.items() if item[0].startswith("value")), ("valueString", ""))


def _stated(node: Resource) -> Iterator[tuple[str, str]]:
    """(parent, child) pairs which properties state."""
    for found in node.get("property", ()):
        if found["code"] in PARENTS:
            yield _value(found)[1], node["code"]
        elif found["code"] == "child":
            yield node["code"], _value(found)[1]


def _grouped(pairs: Iterator[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for key, value in pairs:
        if value not in grouped.setdefault(key, []):
            grouped[key].append(value)
    return grouped
