"""Compartments: which resources belong to a patient (an index row), an encounter, a practitioner, … (parameters).

Rules: https://hl7.org/fhir/R4/compartmentdefinition.html, tables compartment_*.csv of the official definitions
A resource in a Patient compartment has index rows of its own, whichever parameter put it there; the rows are there
per type and for all types. The others are asked by their parameters, one OR the other.
Refuses: a compartment that R4 does not define (KeyError; `names()` tells them).
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from hub.search.hashes import key
from hub.search.parameters import parameters_of
from hub.search.values import references

# R4 left Task out of the Patient compartment; R5 has it in, and a referral without its Task is no record
BEYOND_R4 = {("Patient", "Task"): ("patient",)}

COMPARTMENTS = ("Device", "Encounter", "Patient", "Practitioner", "RelatedPerson")
ITSELF = "{def}"  # in a table: the resource that the compartment is named for


@cache
def _members(compartment: str) -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    with files("hub.fhir").joinpath(f"compartment_{compartment.lower()}.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["type"], set()).add(row["parameter"])
    for (of, name), parameters in BEYOND_R4.items():
        if of == compartment:
            found.setdefault(name, set()).update(parameters)
    return {name: frozenset(codes) for name, codes in found.items()}


def membership(compartment: str, resource_type: str) -> frozenset[str]:
    """The parameters by which a resource of this type is in such a compartment (and ITSELF); none: it never is."""
    return _members(compartment).get(resource_type, frozenset())


def member_types(compartment: str) -> tuple[str, ...]:
    """Every type that can be in such a compartment, the compartment's own included."""
    return tuple(sorted({*_members(compartment), compartment}))


def compartment_key(compartment: str, identity: str, resource_type: str) -> int:
    """The index_token hash of what is of this type in this compartment. Patient compartments only: of all types at
    once, `resource.patient` tells (hub.store.compartments)."""
    return key(resource_type, "_compartment", compartment, identity)


def keys_of(compartment: str, resource_type: str, identities: Iterable[str]) -> Iterator[int]:
    for identity in identities:
        yield compartment_key(compartment, identity, resource_type)


def patients_of(
    resource: dict[str, Any], base: str = "", walked: Mapping[str, list[Any]] | None = None
) -> set[str]:
    """The ids of the patients in whose compartment a resource is. `walked`: what its parameters found, if known."""
    kind = resource["resourceType"]
    found = {str(resource["id"])} if kind == "Patient" and "id" in resource else set()
    parameters = parameters_of(kind)
    for code in membership("Patient", kind):
        for node in parameters[code].walk(resource) if walked is None else walked.get(code, ()):
            found.update(identity for target, identity in references(node, base) if target == "Patient")
    return found


def compartment_keys(
    resource: dict[str, Any], base: str = "", walked: Mapping[str, list[Any]] | None = None
) -> set[int]:
    """The rows of index_token that tell a resource's patients."""
    return set(keys_of("Patient", resource["resourceType"], patients_of(resource, base, walked)))
