"""ConceptMap/$translate: what a code is in another code system.

Rules: https://hl7.org/fhir/R4/conceptmap-operation-translate.html
A target that depends on something else (`dependsOn`, such as the modifier of a HCPCS code) is a match only where
the request brings that in `dependency`: HCPCS H0043 alone stands for three services. Backwards (`reverse`), the
products of a target must be brought likewise where any is given. Without `url` every map with this source and
target is asked.
Refuses: a ConceptMap that is not here (404), a request that names none, other-maps in a circle.
"""

from collections.abc import Iterator
from typing import Any

from conformance.terminology.answers import coding as coding_of
from conformance.terminology.answers import parameters
from conformance.terminology.codings import Asked, asked
from conformance.terminology.library import Library
from conformance.terminology.sources import map_ends
from hub.problems import Problem

Resource = dict[str, Any]

NONE_FOUND = "No match: the map has none, or it depends on more than was given"
MAX_MAPS = 5  # other-maps in a row
NO_MATCH = ("unmatched", "disjoint")
TURNED = {"wider": "narrower", "narrower": "wider", "subsumes": "specializes", "specializes": "subsumes"}


def translate(
    library: Library,
    *,
    url: str | None = None,
    concept_map: Resource | None = None,
    version: str | None = None,
    code: str | None = None,
    system: str | None = None,
    coding: Resource | None = None,
    codeable_concept: Resource | None = None,
    source: str | None = None,
    target: str | None = None,
    target_system: str | None = None,
    dependencies: tuple[tuple[str, Resource], ...] = (),
    reverse: bool = False,
) -> Resource:
    """Parameters: result, message, match (equivalence, concept, product, source).

    `dependencies` are (element, CodeableConcept) pairs. A system's version is not told apart.
    """
    given = asked(code, system, coding, codeable_concept)
    needs = {(element, code) for element, concept in dependencies for code in _codes(concept)}
    matches: list[Resource] = []
    for map_ in _maps(library, url, concept_map, version, (target, source) if reverse else (source, target)):
        for one in given:
            found = backwards(map_, one, needs) if reverse else forwards(library, map_, one, needs)
            matches += [m for m in found if target_system in (None, m["concept"]["system"])]
    result = any(match["equivalence"] not in NO_MATCH for match in matches)
    answer = parameters(
        ("result", "valueBoolean", result),
        (
            "message",
            "valueString",
            "" if result else NONE_FOUND,
        ),
    )
    answer["parameter"] += [{"name": "match", "part": _match(match)} for match in matches]
    return answer


def _maps(
    library: Library,
    url: str | None,
    concept_map: Resource | None,
    version: str | None,
    ends: tuple[str | None, str | None],
) -> list[Resource]:
    """The maps to ask: the one named, which must then have these ends, or all that have them."""
    if concept_map is not None:
        found = [concept_map]
    elif url is not None:
        found = [_map(library, f"{url}|{version}" if version and "|" not in url else url)]
    elif any(ends):
        urls = [name for name, *its in library.concept_maps() if _joins(ends, (its[0], its[1]))]
        found = [_map(library, name) for name in urls]
    else:
        raise Problem("required", "The ConceptMap is named by url, or by source and target", "url")
    if not all(_joins(ends, map_ends(one)) for one in found):
        raise Problem("contradiction", "The ConceptMap has another source or target", "source")
    return found


def _map(library: Library, canonical: str) -> Resource:
    found = library.concept_map(canonical)
    if found is None:
        raise Problem("not-found", f"The concept map is not here: {canonical[:200]}", "url")
    return found


def _joins(wanted: tuple[str | None, str | None], ends: tuple[str, str]) -> bool:
    return all(one in (None, end) for one, end in zip(wanted, ends, strict=True))


def forwards(
    library: Library, map_: Resource, one: Asked, needs: set[tuple[str, str]], deep: int = 1
) -> Iterator[Resource]:
    """The matches of a code in one map."""
    for group in map_.get("group", ()):
        if group.get("source") != one.system:
            continue
        elements = [e for e in group.get("element", ()) if e.get("code") == one.code]
        for node in (target for element in elements for target in element.get("target", ())):
            if _met(node.get("dependsOn", ()), needs):
                yield _found(map_, node.get("equivalence", ""), group.get("target", ""), node)
        if not elements:
            yield from _unmapped(library, map_, group, one, needs, deep)


def _unmapped(
    library: Library, map_: Resource, group: Resource, one: Asked, needs: set[tuple[str, str]], deep: int
) -> Iterator[Resource]:
    """https://hl7.org/fhir/R4/valueset-conceptmap-unmapped-mode.html"""
    unmapped = group.get("unmapped", {})
    target = group.get("target", "")
    match unmapped.get("mode"):
        case "provided":
            yield _found(map_, "equal", target, {"code": one.code})
        case "fixed":
            yield _found(map_, "inexact", target, unmapped)
        case "other-map":
            if deep == MAX_MAPS:
                raise Problem("processing", "The concept maps lead on to each other", "ConceptMap.group.unmapped")
            yield from forwards(library, _map(library, unmapped.get("url", "")), one, needs, deep + 1)


def backwards(map_: Resource, one: Asked, needs: set[tuple[str, str]]) -> Iterator[Resource]:
    """The codes which one map translates to this one."""
    for group in map_.get("group", ()):
        if group.get("target") != one.system:
            continue
        for element in group.get("element", ()):
            for node in element.get("target", ()):
                if node.get("code") == one.code and _met(node.get("product", ()), needs):
                    equivalence = node.get("equivalence", "")
                    yield _found(map_, TURNED.get(equivalence, equivalence), group.get("source", ""), element)


def _met(conditions: Any, needs: set[tuple[str, str]]) -> bool:
    return all((node.get("property"), node.get("value")) in needs for node in conditions)


def _codes(concept: Resource) -> list[str]:
    return [node["code"] for node in concept.get("coding", ()) if "code" in node]


def _found(map_: Resource, equivalence: str, system: str, node: Resource) -> Resource:
    return {
        "equivalence": equivalence,
        "concept": coding_of(system, node.get("code", ""), node.get("display", "")) | {"system": system},
        "product": node.get("product", []),
        "source": map_.get("url", ""),
    }


def _match(match: Resource) -> list[Resource]:
    rows: list[Resource] = [{"name": "equivalence", "valueCode": match["equivalence"]}]
    if match["concept"].get("code"):
        rows.append({"name": "concept", "valueCoding": {k: v for k, v in match["concept"].items() if v}})
    rows += [{"name": "product", "part": _product(node)} for node in match["product"]]
    return [*rows, *([{"name": "source", "valueUri": match["source"]}] if match["source"] else [])]


def _product(node: Resource) -> list[Resource]:
    return [
        {"name": "element", "valueUri": node["property"]},
        {
            "name": "concept",
            "valueCoding": coding_of(node.get("system", ""), node["value"], node.get("display", "")),
        },
    ]
