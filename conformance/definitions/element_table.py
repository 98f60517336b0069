"""StructureDefinition -> hub/fhir/r4_elements.csv: one row for each element of each type and backbone element.

Rules: https://hl7.org/fhir/R4/elementdefinition.html, /xml.html, /formats.html#choice
Columns: `holder` is a type or the path of a backbone element (`Patient.contact`); `name` keeps the `[x]` of a
choice; `types` are FHIR type codes, or the path of the holder which says what is inside (a contentReference is
resolved to the path it points at); `min` and `max` as defined; `flags` are `s` isSummary, `m` isModifier, `a` an
XML attribute.
The rows of a holder are in their official order; holders are sorted.
"""

from collections.abc import Iterator, Sequence

from conformance.definitions.package import Definition

COLUMNS = ("holder", "name", "types", "min", "max", "flags")
Row = tuple[str, str, str, str, str, str]

_FHIRPATH = "http://hl7.org/fhirpath/"
_INSIDE = ("BackboneElement", "Element")


def rows(definitions: Sequence[Definition]) -> list[Row]:
    """The rows of these types; primitives have none of their own (`Element` says what is beside their value)."""
    holders: dict[str, list[Row]] = {}
    for definition in definitions:
        if definition["kind"] != "primitive-type":
            for row in _elements(definition):
                holders.setdefault(row[0], []).append(row)
    return [row for holder in sorted(holders) for row in holders[holder]]


def _elements(definition: Definition) -> Iterator[Row]:
    for element in definition["snapshot"]["element"]:
        holder, _, name = element["path"].rpartition(".")
        if holder and element["max"] != "0":
            yield (holder, name, _types(element), str(element["min"]), element["max"], _flags(element))


def _types(element: Definition) -> str:
    if "contentReference" in element:
        return str(element["contentReference"]).lstrip("#")
    return " ".join(_type(element, found["code"]) for found in element["type"])


def _type(element: Definition, code: str) -> str:
    """The printed definitions call the types of `id` and of Extension.url after FHIRPath."""
    if not code.startswith(_FHIRPATH):
        return str(element["path"]) if code in _INSIDE else code
    if element["path"] == "Extension.url":
        return "uri"
    return "string" if _is_attribute(element) else "id"  # of a resource: an element, not an attribute


def _is_attribute(element: Definition) -> bool:
    return "xmlAttr" in element.get("representation", ())


def _flags(element: Definition) -> str:
    flags = {
        "s": element.get("isSummary"),
        "m": element.get("isModifier"),
        "a": _is_attribute(element),
    }
    return "".join(letter for letter, on in flags.items() if on)
