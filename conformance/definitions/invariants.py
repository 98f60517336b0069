"""The invariants of severity error of R4, and the steps that lead from a resource to what they are about.

Rules: https://hl7.org/fhir/R4/conformance-rules.html#constraints
Leaves out: those that another rule here already holds (ELSEWHERE), and those that a base type hands on.
"""

from collections.abc import Iterable, Iterator, Mapping

from conformance.definitions.package import Definition
from conformance.definitions.primitives import Schema

COLUMNS = ("path", "key", "expression")
STEP_COLUMNS = ("path", "property", "target")

# key -> the module that holds the rule
ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys(("ele-1", "ext-1", "per-1"), "conformance.validation.walk"),
    **dict.fromkeys(("dom-2", "dom-3", "dom-4", "dom-5", "ref-1"), "conformance.validation.contained"),
    **dict.fromkeys(("txt-1", "txt-2"), "conformance.validation.narrative"),
}

Row = tuple[str, str, str]


def rows(definitions: Iterable[Definition]) -> list[Row]:
    """One row for each invariant where it is defined, under COLUMNS, sorted."""
    return sorted({row for definition in definitions for row in _rows(definition)})


def _rows(definition: Definition) -> Iterator[Row]:
    for element in definition["snapshot"]["element"]:
        path = element["path"]
        if path != definition["type"] and not _is_backbone(element):
            continue  # a datatype's own invariants stand with the datatype ...
        for constraint in element.get("constraint", ()):
            if constraint["severity"] == "error" and constraint["key"] not in ELSEWHERE:
                yield path, constraint["key"], " ".join(constraint["expression"].split())
    yield from _on_leaves(definition)


def _is_backbone(element: Definition) -> bool:
    return any(found["code"] in ("BackboneElement", "Element") for found in element.get("type", ()))


def _on_leaves(definition: Definition) -> Iterator[Row]:
    """... but some elements of a datatype carry one of their own: it is moved to the parent."""
    for element in definition["snapshot"]["element"]:
        parent, _, name = element["path"].rpartition(".")
        if not parent or _is_backbone(element):
            continue
        for constraint in element.get("constraint", ()):
            home = constraint.get("source", definition["type"]).rpartition("/")[2]
            if (
                constraint["severity"] == "error"
                and constraint["key"] not in ELSEWHERE
                and home == definition["type"]
            ):
                plain = name.removesuffix("[x]")
                yield parent, constraint["key"], f"{plain}.all({' '.join(constraint['expression'].split())})"


def steps(schema: Mapping[str, Schema], found: Iterable[Row]) -> list[Row]:
    """The properties that lead to an element with invariants, however far below, under STEP_COLUMNS.

    Not through extensions, which stand everywhere: the walk of a resource hands those over.
    """
    every = [
        (path, name, target)
        for path, definition in schema.items()
        for name, target in _targets(definition)
        if name[0] != "_" and target != "Extension"
    ]
    wanted = {path for path, _, _ in found}
    while True:
        more = {path for path, _, target in every if target in wanted} - wanted
        if not more:
            return sorted({step for step in every if step[2] in wanted and step[0] in wanted})
        wanted |= more


def _targets(definition: Schema) -> Iterator[tuple[str, str]]:
    for name, found in definition.get("properties", {}).items():
        reference = found.get("$ref") or found.get("items", {}).get("$ref")
        if reference:
            yield name, _plain(reference.removeprefix("#/$defs/"))


def _plain(name: str) -> str:
    """Reference.Patient, CodeableConcept.some-value-set and Extension.part are the types before the dot."""
    first = name.split(".")[0]
    return first if first in ("Reference", "CodeableConcept", "Extension", "code", "uri") else name
