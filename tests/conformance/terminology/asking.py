"""The library of the tests and how they call an operation."""

from functools import cache
from typing import Any

from conformance.terminology.arguments import from_parameters, from_url
from conformance.terminology.library import Library
from conformance.terminology.load import library
from conformance.terminology.operations import BY_NAME, call
from conformance.terminology.sources import Listed
from hub.fhir.systems import OWN

Resource = dict[str, Any]

THING = "urn:example:thing"


@cache
def shipped() -> Library:
    return library()


def ask(operation: str, library: Library | None = None, instance: Resource | None = None, **given: str) -> Resource:
    """`ask("ValueSet/$expand", url=…)`: the parameters as in a URL, `_` in a name stands for `-`."""
    found = BY_NAME[tuple(operation.split("/$"))]  # type: ignore[index]
    return call(library or shipped(), found, from_url(found, given.items()), instance)


def post(operation: str, *nodes: Resource, library: Library | None = None) -> Resource:
    found = BY_NAME[tuple(operation.split("/$"))]  # type: ignore[index]
    body = {"resourceType": "Parameters", "parameter": list(nodes)}
    return call(library or shipped(), found, from_parameters(found, body))


def value(parameters: Resource, name: str) -> Any:
    """The value of the first parameter of this name, or None."""
    node = next((p for p in parameters["parameter"] if p["name"] == name), {})
    return next((v for k, v in node.items() if k.startswith("value")), None)


def codes(value_set: Resource) -> list[str]:
    return [node["code"] for node in value_set["expansion"].get("contains", ())]


def own(kind: str, id_: str) -> str:
    return f"{OWN}{kind}/{id_}"


def value_set(*includes: Resource, url: str = "urn:example:set", **more: Any) -> Resource:
    compose = {"include": list(includes), **more}
    return {"resourceType": "ValueSet", "url": url, "status": "active", "compose": compose}


def things(content: str = "complete", **more: Any) -> Resource:
    """A small hierarchy: animal > (dog > puppy, cat), stone; colours and whether it is alive."""
    puppy = {"code": "puppy", "display": "Puppy", "property": [{"code": "colour", "valueString": "red"}]}
    dog = {
        "code": "dog",
        "display": "Dog",
        "designation": [{"language": "de", "value": "Hund"}],
        "concept": [puppy],
    }
    cat = {"code": "cat", "display": "Cat", "property": [{"code": "colour", "valueString": "black"}]}
    animal = {
        "code": "animal",
        "display": "Animal",
        "property": [{"code": "notSelectable", "valueBoolean": True}],
        "concept": [dog, cat],
    }
    stone = {"code": "stone", "display": "Stone", "property": [{"code": "inactive", "valueBoolean": True}]}
    return {
        "resourceType": "CodeSystem",
        "url": THING,
        "version": "2",
        "name": "Things",
        "content": content,
        "property": [{"code": "colour", "type": "string"}],
        "concept": [animal, stone],
        **more,
    }


def of(*resources: Resource) -> Library:
    return Library([Listed(resources)])
