"""The engines of the operations, as hub.operations.call asks for them: $validate and the terminology operations.

Both are made when the first client asks: packages and code systems are large.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from hub.operations.call import Engines, Pair, Terminology
from hub.problems import Issue, Problem

if TYPE_CHECKING:
    from conformance.profiles.validate import Validator
    from conformance.terminology.library import Library

Resource = dict[str, Any]
BASE = "http://hl7.org/fhir/StructureDefinition/"


class Validation:
    """$validate: by the base and by profiles. https://hl7.org/fhir/R4/resource-operation-validate.html"""

    def __init__(self, validator: "Validator"):
        self._validator = validator

    def validate(self, resource: Resource, profile: str | None) -> Sequence[Issue]:
        return self._validator.validate(resource, profile)

    def knows(self, profile: str) -> bool:
        """A profile with a snapshot; or the base definition of a type, which everything is validated by."""
        return self._validator.profiles.get(profile) is not None or profile.split("|")[0].startswith(BASE)


def terminology(library: Callable[[], "Library"]) -> Terminology:
    """The terminology operations. https://hl7.org/fhir/R4/terminology-service.html"""

    def ask(
        name: str, resource_type: str, pairs: Sequence[Pair], body: Resource | None, instance: Resource | None
    ) -> Resource:
        from conformance.terminology.arguments import from_parameters, from_url
        from conformance.terminology.operations import BY_NAME, call

        operation = BY_NAME[resource_type, name]
        given = from_url(operation, pairs)
        posted = from_parameters(operation, body) if body is not None else {}
        if twice := given.keys() & posted.keys():
            raise Problem("duplicate", f"'{min(twice)}' is given in the URL and in the body", min(twice))
        return call(library(), operation, given | posted, instance)

    return ask


def engines(
    validator: Callable[[], "Validator"], library: Callable[[], "Library"], capabilities: Callable[[], Resource]
) -> Engines:
    """`capabilities` gives the TerminologyCapabilities (conformance.terminology_capabilities)."""
    return Engines(lambda: Validation(validator()), terminology(library), capabilities)
