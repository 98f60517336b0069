"""A StructureDefinition's snapshot -> a tree of elements, each with its rules and its slices.

Rules: https://hl7.org/fhir/R4/elementdefinition.html and /profiling.html#slicing
Refuses (NoSnapshot): a definition that has a differential only.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Definition = dict[str, Any]
SYSTEM_TYPE = "http://hl7.org/fhirpath/System."


class NoSnapshot(Exception):
    """The profile has no snapshot, so nothing can be validated by it."""


@dataclass(slots=True)
class Type:
    """One type of an element, with the profiles for it or for what it refers to."""

    code: str
    profiles: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()


@dataclass(slots=True)
class Constraint:
    key: str
    severity: str
    human: str
    expression: str
    test: Callable[..., bool] | None = None
    is_unknown: bool = False


@dataclass(slots=True)
class Slicing:
    """What tells the slices of an element apart: (how, path) each."""

    discriminators: tuple[tuple[str, str], ...]
    rules: str
    is_ordered: bool


@dataclass(slots=True)
class Element:
    """One element of a profile: its own rules, and the elements below by name."""

    name: str
    slice_name: str
    min: int
    max: int | None
    types: tuple[Type, ...]
    fixed: Any = None
    pattern: Any = None
    max_length: int | None = None
    least: Any = None
    most: Any = None
    binding: tuple[str, str] | None = None
    constraints: list[Constraint] = field(default_factory=list)
    slicing: Slicing | None = None
    slices: list["Element"] = field(default_factory=list)
    children: dict[str, "Element"] = field(default_factory=dict)

    def type_of(self, code: str) -> Type | None:
        return next((each for each in self.types if each.code == code), None)


@dataclass(slots=True)
class Profile:
    """A compiled profile; `root` is the element of the resource, datatype or extension itself."""

    url: str
    version: str
    type: str
    root: Element
    contexts: tuple[tuple[str, str], ...] = ()
    extension_url: str = ""
    size: int = 1


def compile_profile(definition: Definition, is_base_constraint: Callable[[Definition], bool]) -> Profile:
    """The tree of a StructureDefinition. Raises NoSnapshot."""
    found = definition.get("snapshot", {}).get("element")
    if not found:
        raise NoSnapshot(definition["url"])
    elements: dict[str, Element] = {}
    for raw in found:
        key = raw.get("id") or raw["path"]
        made = _element(raw, is_base_constraint)
        elements[key] = made
        _hang(elements, key, made)
    root = elements[found[0].get("id") or found[0]["path"]]
    url = root.children.get("url")
    return Profile(
        definition["url"],
        definition.get("version", ""),
        definition["type"],
        root,
        tuple((each["type"], each["expression"]) for each in definition.get("context", ())),
        str(url.fixed) if definition["type"] == "Extension" and url is not None and url.fixed else "",
        len(found),
    )


def _hang(elements: dict[str, Element], key: str, made: Element) -> None:
    """Puts an element under its parent, or beside the element that it is a slice of."""
    parent, _, last = key.rpartition(".")
    if not parent:
        return
    name, _, slice_name = last.partition(":")
    if slice_name:
        sliced = elements.get(f"{parent}.{name}")
        holder = elements.get(f"{parent}.{name}:{slice_name.rpartition('/')[0]}") if "/" in slice_name else None
        if holder is not None or sliced is not None:
            (holder or sliced).slices.append(made)  # type: ignore[union-attr]
    elif parent in elements:
        elements[parent].children[name] = made


def _element(raw: Definition, is_base_constraint: Callable[[Definition], bool]) -> Element:
    binding = raw.get("binding")
    return Element(
        raw["path"].rpartition(".")[2],
        raw.get("sliceName", ""),
        raw.get("min", 0),
        None if raw.get("max", "*") == "*" else int(raw["max"]),
        tuple(_type(each) for each in raw.get("type", ())),
        _prefixed(raw, "fixed"),
        _prefixed(raw, "pattern"),
        raw.get("maxLength"),
        _prefixed(raw, "minValue"),
        _prefixed(raw, "maxValue"),
        (binding["strength"], binding["valueSet"]) if binding and "valueSet" in binding else None,
        [_constraint(each) for each in raw.get("constraint", ()) if not is_base_constraint(each)],
        _slicing(raw.get("slicing")),
    )


def _type(raw: Definition) -> Type:
    code = raw["code"]
    for extension in raw.get("extension", ()):
        if extension["url"].endswith("structuredefinition-fhir-type"):
            code = extension.get("valueUrl") or extension.get("valueUri") or code
    if code.startswith(SYSTEM_TYPE):
        code = code.removeprefix(SYSTEM_TYPE).lower()
    return Type(code, tuple(raw.get("profile", ())), tuple(raw.get("targetProfile", ())))


def _prefixed(raw: Definition, prefix: str) -> Any:
    size = len(prefix)
    return next(
        (value for key, value in raw.items() if key.startswith(prefix) and key[size : size + 1].isupper()), None
    )


def _constraint(raw: Definition) -> Constraint:
    return Constraint(raw["key"], raw.get("severity", "error"), raw.get("human", ""), raw.get("expression", ""))


def _slicing(raw: Definition | None) -> Slicing | None:
    if raw is None:
        return None
    discriminators = tuple((each["type"], each["path"]) for each in raw.get("discriminator", ()))
    return Slicing(discriminators, raw.get("rules", "open"), bool(raw.get("ordered")))


def below(element: Element) -> Iterator[Element]:
    """An element and all under it."""
    yield element
    for each in (*element.children.values(), *element.slices):
        yield from below(each)
