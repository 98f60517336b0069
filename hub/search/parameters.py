"""The search parameters served, from the official R4 definitions as a table (r4_parameters.csv), and the hub's own
(own_parameters.csv): when a Task is due, by which clocks are found (docs/clocks.md).

Rules: https://hl7.org/fhir/R4/searchparameter-registry.html
Every parameter with an expression is indexed. Those of NOT_SERVED have none; asking for them is a clear 400.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from hub.search import custom
from hub.search.custom import Known
from hub.search.paths import Walk, compile_path

INDEXED_TYPES = frozenset(
    ("token", "reference", "date", "string", "uri", "number", "quantity", "composite", "special")
)
TABLES = ("r4_parameters.csv", "own_parameters.csv")
IN_COLUMNS = frozenset(("_id", "_lastUpdated"))  # answered from the resource table itself
EVERY_TYPE = ("Resource", "DomainResource")

# R4 defines these without an expression: code -> why the hub does not answer them
NOT_SERVED = {
    "_text": "the hub keeps no full-text index of narratives",
    "_content": "the hub keeps no full-text index of resources",
    "_query": "the hub has no named queries",
    "age": "R4 does not say how it is computed; search by birthdate",
    "birthOrderBoolean": "R4 does not say what it looks at",
}

# a parameter that finds what these parameters find: it has no rows of its own
UNIONS = {
    **{
        ("Observation", f"combo-{name}"): (name, f"component-{name}")
        for name in ("code-value-concept", "code-value-quantity", "value-quantity")
    },
    # R4 leaves open how names sound alike: they are found as written
    **{(name, "phonetic"): ("name",) for name in ("Patient", "Person", "Practitioner", "RelatedPerson")},
}

# what most resources have: index rows tell of those that lack it (hub.search.index.marks)
USUAL = {
    "Patient": "active address address-city address-postalcode address-state address-use birthdate family gender "
    "general-practitioner given identifier name organization phone phonetic telecom",
    "Observation": "category combo-code date patient subject",
    "Condition": "category clinical-status code onset-date patient recorded-date verification-status",
    "Encounter": "date identifier patient subject type",
    "ServiceRequest": "authored code patient requester",
    "Task": "authored-on code focus owner patient requester subject",
    "CarePlan": "category date patient",
    "Coverage": "identifier type",
    "Practitioner": "family given identifier name phonetic",
    "Organization": "identifier name phonetic type",
}

# components as they must be meant. Group: of the choice `value`, its parameter takes these types only.
# DocumentReference: R4 names the two parameters the wrong way round
_COMPONENTS = {
    ("Group", "characteristic-value", "token:value"): "token:value.as(CodeableConcept) | value.as(boolean)",
    ("DocumentReference", "relationship", "reference:code"): "token:code",
    ("DocumentReference", "relationship", "token:target"): "reference:target",
}
_OF_RESOURCE = "%resource."


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a composite: its type, and where its value stands in the pair (or in the whole resource)."""

    type: str
    walk: Walk
    of_resource: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Parameter:
    """One parameter of one resource type. `walk` gives the nodes of a resource that it looks at; `usual` where
    resources without a value are the rare ones; `systemless` where its tokens never have a system."""

    base: str
    code: str
    type: str
    targets: tuple[str, ...]
    url: str
    walk: Walk
    components: tuple[Component, ...] = ()
    usual: bool = False
    systemless: bool = False

    @property
    def shown(self) -> str:
        """The code as clients write it; one of this deployment's own is indexed under another."""
        return self.code.partition("~")[0]

    @property
    def names(self) -> tuple[tuple[str, str], ...]:
        """The (type, code) pairs under which its rows are indexed."""
        return tuple((self.base, code) for code in UNIONS.get((self.base, self.code), (self.code,)))


@cache
def _rows() -> Mapping[str, tuple[dict[str, str], ...]]:
    by_base: dict[str, list[dict[str, str]]] = {}
    for table in TABLES:
        with files("hub.search").joinpath(table).open(encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["type"] in INDEXED_TYPES and row["expression"]:
                    by_base.setdefault(row["base"], []).append(row)
    return {base: tuple(rows) for base, rows in by_base.items()}


@custom.renewed
@cache
def parameters_of(resource_type: str) -> Mapping[str, Parameter]:
    """The parameters of a type by code, those of every resource and this deployment's own included."""
    mine = custom.current().searched(resource_type)
    if not mine:
        return _official(resource_type)
    return {**_official(resource_type), **{one.definition.code: own(one) for one in mine}}


def indexed_of(resource_type: str) -> Mapping[str, Parameter]:
    """The parameters that writers index, by the code their rows stand under: also those not searched by yet."""
    mine = custom.current().indexed(resource_type)
    if not mine:
        return _official(resource_type)
    return {**_official(resource_type), **{one.key_code: own(one) for one in mine}}


@cache
def _official(resource_type: str) -> Mapping[str, Parameter]:
    return {code: _parameter(resource_type, row) for code, row in official_rows(resource_type).items()}


def own(known: Known) -> Parameter:
    """A parameter of this deployment; its rows stand under the key of its definition."""
    return replace(_parameter(known.definition.base, known.row), code=known.key_code)


def rows_of(resource_type: str) -> dict[str, dict[str, str]]:
    """The same as rows of the table, for who wants to list them: a compiled path is large, and there are 2,500."""
    mine = custom.current().searched(resource_type)
    return official_rows(resource_type) | {one.definition.code: one.row for one in mine}


def official_rows(resource_type: str) -> dict[str, dict[str, str]]:
    """Those that R4 itself defines for a type, and the hub."""
    return {row["code"]: row for base in (*EVERY_TYPE, resource_type) for row in _rows().get(base, ())}


def _parameter(base: str, row: dict[str, str]) -> Parameter:
    code = row["code"]
    return Parameter(
        base,
        code,
        row["type"],
        tuple(row["targets"].split()),
        row["url"],
        compile_path(row["expression"]),
        tuple(_component(base, code, text) for text in row["components"].split("; ") if text),
        bool(row["required"]) or code in USUAL.get(base, "").split(),
        bool(row["systems"]),
    )


def _component(base: str, code: str, text: str) -> Component:
    of, _, expression = _COMPONENTS.get((base, code, text), text).partition(":")
    parts = (part.removeprefix(_OF_RESOURCE) for part in expression.split(" | "))
    walk = compile_path(" | ".join(f"{base}.{part}" for part in parts))
    return Component(of, walk, expression.startswith(_OF_RESOURCE))
