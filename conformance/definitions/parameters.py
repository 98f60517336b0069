"""SearchParameter -> rows: one for each base type and code, with the branch of the expression for that base.

Rules: https://hl7.org/fhir/R4/searchparameter.html
Leaves out: parameters without a base or with an example's URL (they are no part of the specification).
"""

import re
from collections.abc import Collection, Iterator, Mapping

from conformance.definitions.package import Definition, Package
from conformance.definitions.token_systems import are_never_there

COLUMNS = ("base", "code", "type", "expression", "targets", "url", "components", "required", "systems")
_PREFIX = "http://hl7.org/fhir/SearchParameter/"
_EVERY = 100  # an official list is either all types or at most 20
_EXAMPLES = ("example", "example-extension", "example-reference")


def rows(package: Package) -> list[tuple[str, ...]]:
    """The rows of the table under COLUMNS, sorted by base and code."""
    types = {p["url"]: p["type"] for p in package.all("SearchParameter")}
    required = _required_paths(package)
    return sorted(r for parameter in package.all("SearchParameter") for r in _rows(parameter, types, required))


def _rows(parameter: Definition, types: Mapping[str, str], required: Collection[str]) -> Iterator[tuple[str, ...]]:
    url = parameter["url"]
    if not url.startswith(_PREFIX) or url.removeprefix(_PREFIX) in _EXAMPLES:
        return
    for base in parameter.get("base", ()):
        expression = " | ".join(_branches(parameter.get("expression", ""), base))
        yield (
            base,
            parameter["code"],
            parameter["type"],
            expression,
            _targets(parameter),
            url,
            "; ".join(_component(c, types) for c in parameter.get("component", ())),
            "yes" if expression in required or "exists()" in expression else "",
            "never" if parameter["type"] == "token" and are_never_there(expression) else "",
        )


def _required_paths(package: Package) -> set[str]:
    """`Observation.status`: paths whose every step is required, so that a valid resource has a value there."""
    least = {
        element["path"]: element["min"]
        for definition in package.all("StructureDefinition")
        if definition.get("kind") == "resource" and definition.get("derivation") == "specialization"
        for element in definition["snapshot"]["element"]
    }
    return {path for path in least if "." in path and all(least[step] for step in _steps(path))}


def _steps(path: str) -> Iterator[str]:
    """The path and each path above it, the type's own left out."""
    while "." in path:
        yield path
        path = path.rpartition(".")[0]


def _targets(parameter: Definition) -> str:
    """The types a reference may point at; `Resource` where it is every type."""
    targets = parameter.get("target", ())
    return "Resource" if len(targets) > _EVERY else " ".join(sorted(targets))


def _component(component: Definition, types: Mapping[str, str]) -> str:
    """`token:code`: the type of the parameter that it is made of, and where its value stands in the pair."""
    return f"{types[component['definition']]}:{component['expression']}"


def _branches(expression: str, base: str) -> list[str]:
    """The parts of a union that start at `base`; a part that names no type starts at each base."""
    parts = [part if re.match(r"\(*[A-Z]", part) else f"{base}.{part}" for part in _split(expression)]
    return [part for part in parts if re.match(rf"\(*{base}\b", part)]


def _split(expression: str) -> list[str]:
    parts, depth = [""], 0
    for character in expression:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]
