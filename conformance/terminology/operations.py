"""The terminology operations as a table: which parameters each takes, and the function that answers.

Rules: https://hl7.org/fhir/R4/terminology-service.html and the pages of the operations
A parameter without `keyword` is R4's but not served; one with `takes` is accepted with these values only, because
the answer is the same without it (displays are English, expansions flat). All others are refused by name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.terminology.expand import expand
from conformance.terminology.library import Library
from conformance.terminology.lookup import lookup
from conformance.terminology.subsumes import subsumes
from conformance.terminology.translate import translate
from conformance.terminology.validate_code import validate_in_code_system, validate_in_value_set
from hub.problems import Problem

Resource = dict[str, Any]

ENGLISH = ("en", "en-US")
EITHER = ("true", "false")


@dataclass(frozen=True, slots=True)
class Parameter:
    """An `in` parameter. `many` may be given several times and arrives as a tuple."""

    name: str
    type: str
    keyword: str = ""
    many: bool = False
    takes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """`instance` is the keyword for the resource of an instance level call; `naming` are then not allowed."""

    name: str
    resource_type: str
    serve: Callable[..., Resource]
    instance: str
    naming: tuple[str, ...]
    parameters: tuple[Parameter, ...]

    @property
    def definition(self) -> str:
        """The canonical URL of the OperationDefinition."""
        return f"http://hl7.org/fhir/OperationDefinition/{self.resource_type}-{self.name}"


_P = Parameter
_LANGUAGE = _P("displayLanguage", "code", takes=ENGLISH)
_DATE = _P("date", "dateTime")
_ABSTRACT = _P("abstract", "boolean", "abstract")
_VALUE_SET = (
    _P("url", "uri", "url"),
    _P("valueSet", "resource", "value_set"),
    _P("context", "uri"),
)
_CODED = (
    _P("code", "code", "code"),
    _P("coding", "Coding", "coding"),
    _P("codeableConcept", "CodeableConcept", "codeable_concept"),
)

OPERATIONS = (
    Operation(
        "expand",
        "ValueSet",
        expand,
        "value_set",
        ("url", "valueSet", "valueSetVersion"),
        (
            *_VALUE_SET,
            _P("contextDirection", "code"),
            _P("valueSetVersion", "string", "version"),
            _P("filter", "string", "filter_"),
            _P("offset", "integer", "offset"),
            _P("count", "integer", "count"),
            _P("activeOnly", "boolean", "active_only"),
            _P("includeDesignations", "boolean", "include_designations"),
            _P("includeDefinition", "boolean", "include_definition"),
            _P("excludeNotForUI", "boolean", "exclude_not_for_ui"),
            _P("excludeNested", "boolean", takes=EITHER),
            _P("excludePostCoordinated", "boolean", takes=EITHER),
            _P("designation", "string", many=True),
            _P("exclude-system", "uri", many=True),
            _P("system-version", "uri", many=True),
            _P("check-system-version", "uri", many=True),
            _P("force-system-version", "uri", many=True),
            _DATE,
            _LANGUAGE,
        ),
    ),
    Operation(
        "validate-code",
        "ValueSet",
        validate_in_value_set,
        "value_set",
        ("url", "valueSet", "valueSetVersion"),
        (
            *_VALUE_SET,
            *_CODED,
            _P("valueSetVersion", "string", "value_set_version"),
            _P("system", "uri", "system"),
            _P("systemVersion", "string", "system_version"),
            _P("display", "string", "display"),
            _ABSTRACT,
            _DATE,
            _LANGUAGE,
        ),
    ),
    Operation(
        "lookup",
        "CodeSystem",
        lookup,
        "code_system",
        ("system", "version"),
        (
            _P("code", "code", "code"),
            _P("system", "uri", "system"),
            _P("version", "string", "version"),
            _P("coding", "Coding", "coding"),
            _P("property", "code", "properties", many=True),
            _DATE,
            _LANGUAGE,
        ),
    ),
    Operation(
        "validate-code",
        "CodeSystem",
        validate_in_code_system,
        "code_system",
        ("url", "codeSystem", "version"),
        (
            _P("url", "uri", "url"),
            _P("codeSystem", "resource", "code_system"),
            *_CODED,
            _P("version", "string", "version"),
            _P("display", "string", "display"),
            _ABSTRACT,
            _DATE,
            _LANGUAGE,
        ),
    ),
    Operation(
        "subsumes",
        "CodeSystem",
        subsumes,
        "code_system",
        ("system", "version"),
        (
            _P("codeA", "code", "code_a"),
            _P("codeB", "code", "code_b"),
            _P("system", "uri", "system"),
            _P("version", "string", "version"),
            _P("codingA", "Coding", "coding_a"),
            _P("codingB", "Coding", "coding_b"),
        ),
    ),
    Operation(
        "translate",
        "ConceptMap",
        translate,
        "concept_map",
        ("url", "conceptMap", "conceptMapVersion"),
        (
            _P("url", "uri", "url"),
            _P("conceptMap", "resource", "concept_map"),
            _P("conceptMapVersion", "string", "version"),
            *_CODED,
            _P("system", "uri", "system"),
            _P("version", "string"),
            _P("source", "uri", "source"),
            _P("target", "uri", "target"),
            _P("targetsystem", "uri", "target_system"),
            _P("dependency", "dependency", "dependencies", many=True),
            _P("reverse", "boolean", "reverse"),
        ),
    ),
)
BY_NAME: Mapping[tuple[str, str], Operation] = {(o.resource_type, o.name): o for o in OPERATIONS}


def call(
    library: Library, operation: Operation, given: Mapping[str, Any], instance: Resource | None = None
) -> Resource:
    """The answer to parameters that conformance.terminology.arguments read. Raises Problem."""
    named = [p.name for p in operation.parameters if p.name in operation.naming and p.keyword in given]
    if instance is None:
        return operation.serve(library, **given)
    if named:
        raise Problem("contradiction", f"Called on one resource, it does not take '{named[0]}'", named[0])
    return operation.serve(library, **given, **{operation.instance: instance})
