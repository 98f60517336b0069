"""The compiled JSON Schemas of the R4 types: loaded from the shipped table at first use.

The types that this hub mostly sees are compiled together, because they share their datatypes (30 types: about
30 ms and 15 MB; each alone would take 1.4 MB). A type outside the list is compiled alone when it is first seen.
One document validates several types by wrapping: {"Patient": resource} against properties/Patient.
"""

import csv
import lzma
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs

Resource = dict[str, Any]

MANY_NODES = 5000
_COMMON = (
    "AllergyIntolerance AuditEvent Bundle CarePlan CareTeam Communication Condition Consent Coverage "
    "DocumentReference Encounter Endpoint Goal Group Location Medication MedicationRequest Observation "
    "OperationOutcome Organization Parameters Patient Practitioner PractitionerRole Procedure Provenance "
    "Questionnaire QuestionnaireResponse RelatedPerson ServiceRequest Subscription Task"
)
TOGETHER = tuple(_COMMON.split())

_REFERENCED = re.compile(r'"#/\$defs/([^"]+)"')


class _IntegerLiteral:
    """Refuses 1.0 where an integer stands: JSON Schema takes it, FHIR's `-?[1-9][0-9]*` does not."""

    def __init__(self, parent_schema: Any, value: Any, schema_path: Any):
        pass

    def validate(self, instance: Any) -> None:
        if type(instance) is not int:
            raise ValueError


@cache
def resource_types() -> frozenset[str]:
    """The names of the R4 resource types."""
    lines = files("hub.fhir").joinpath("r4_types.csv").read_text("utf-8").splitlines()
    return frozenset(row["type"] for row in csv.DictReader(lines))


def is_valid(name: str, resource: Resource) -> bool:
    """Whether the schema of this resource type holds."""
    return bool(_validator(name).is_valid({name: resource}))


def errors(name: str, resource: Resource) -> Iterator[Any]:
    """The jsonschema_rs errors; each instance_path starts with the name of the type.

    All errors of a resource, but only the first of a very large one: the library makes all at once (20 µs each),
    and a body of 10 MB could have 200,000.
    """
    validator = _validator(name)
    if not _is_large(resource):
        yield from validator.iter_errors({name: resource})
        return
    try:
        validator.validate({name: resource})
    except jsonschema_rs.ValidationError as error:
        yield error


def _is_large(resource: Resource) -> bool:
    waiting: list[Any] = [resource]
    seen = 0
    while waiting and seen <= MANY_NODES:
        node = waiting.pop()
        children = list(node.values() if isinstance(node, dict) else node)
        seen += len(children)
        waiting += [child for child in children if isinstance(child, dict | list)]
    return seen > MANY_NODES


def _validator(name: str) -> Any:
    return _together() if name in TOGETHER else _alone(name)


@cache
def _together() -> Any:
    return _compile(TOGETHER)


@cache
def _alone(name: str) -> Any:
    return _compile((name,))


def _compile(names: tuple[str, ...]) -> Any:
    return jsonschema_rs.validator_for(
        document(names),
        keywords={"integerLiteral": _IntegerLiteral},
        pattern_options=jsonschema_rs.RegexOptions(),  # the linear engine, not the backtracking one
        mask="it",  # no content in messages, and no time spent on writing it
    )


def document(names: tuple[str, ...]) -> str:
    """The JSON Schema for these types, with only the definitions they can reach."""
    lines = _lines()
    properties = ",".join(f'"{name}":{{"$ref":"#/$defs/{name}"}}' for name in names)
    reached = ",".join(f'"{name}":{lines[name]}' for name in sorted(_reach(names, lines)))
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return f'{{"$schema":"{dialect}","properties":{{{properties}}},"$defs":{{{reached}}}}}'


def _lines() -> dict[str, str]:
    """Each definition's text by name. Not kept: it is read again for each compilation (8 ms)."""
    packed = files("conformance.definitions").joinpath("r4_schema.jsonl.xz").read_bytes()
    found = {}
    for line in lzma.decompress(packed).decode().splitlines():
        name, _, schema = line[2:-1].partition('",')
        found[name] = schema
    return found


def _reach(names: tuple[str, ...], lines: Mapping[str, str]) -> set[str]:
    reached, waiting = set(names), list(names)
    while waiting:
        new = set(_REFERENCED.findall(lines[waiting.pop()])) - reached
        reached |= new
        waiting += new
    return reached
