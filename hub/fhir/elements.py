"""What is inside each FHIR R4 type, in its official order (r4_elements.csv, read lazily).

Rules: https://hl7.org/fhir/R4/elementdefinition.html, /formats.html#choice, /xml.html
A holder is a resource type, a data type, or the path of a backbone element, such as `Patient.contact`. A choice
is expanded: `value[x]` of Observation is `valueQuantity`, `valueCodeableConcept` ..., each with `choice="value"`.
Siblings such as `_birthDate` are no elements: their content is that of the holder `Element`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import chain
from sys import intern
from types import MappingProxyType

RESOURCE = "Resource"  # the type of an element that holds a resource of any type
_Traits = tuple[str, str, bool, bool, bool, bool, bool, str]
NOTHING: Mapping[str, "Element"] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Element:
    """One JSON property. `type` is a FHIR type code, `Resource`, or the holder that says what is inside."""

    name: str
    type: str
    many: bool
    required: bool  # of a choice: one of its types is
    summary: bool
    modifier: bool
    attribute: bool  # in XML
    choice: str  # `value` of valueQuantity; empty where there is no choice
    order: int  # its place in the holder

    @property
    def primitive(self) -> bool:
        """It has a value of its own (and perhaps a `_name` sibling), nothing inside. Narrative.div too."""
        return self.type[0].islower()


@cache
def elements_of(holder: str) -> Mapping[str, Element]:
    """The elements inside, by JSON property name, in official order; nothing for an unknown name or a primitive."""
    found = _places().get(holder)
    if found is None:
        return NOTHING
    rows = _table()[found[0] : found[1]].splitlines()
    expanded = chain.from_iterable(_expanded(*row.split(",")[1:]) for row in rows)
    return MappingProxyType({traits[0]: Element(*traits, order) for order, traits in enumerate(expanded)})


def _expanded(name: str, types: str, least: str, most: str, flags: str) -> Iterator[_Traits]:
    choice = intern(name[:-3]) if name.endswith("[x]") else ""
    traits = (most != "1", least != "0", "s" in flags, "m" in flags, "a" in flags, choice)
    for code in types.split(" "):
        full = choice + code[0].upper() + code[1:] if choice else name
        yield (intern(full), intern(code), *traits)


@cache
def _table() -> str:
    return files("hub.fhir").joinpath("r4_elements.csv").read_text("ascii")


@cache
def _places() -> dict[str, tuple[int, int]]:
    """Where in the table the rows of each holder begin and end; they stand together."""
    places: dict[str, tuple[int, int]] = {}
    header, *lines = _table().splitlines(keepends=True)
    start = len(header)
    for line in lines:
        end = start + len(line)
        holder = line.partition(",")[0]
        places[holder] = (places.get(holder, (start, 0))[0], end)
        start = end
    return places


@cache
def choice_names() -> frozenset[str]:
    """The names of all choice elements, such as `value` of `value[x]`."""
    return frozenset(name[:-3] for line in _table().splitlines() if (name := line.split(",")[1]).endswith("[x]"))
