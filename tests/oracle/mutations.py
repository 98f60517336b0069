"""The ways to break a resource, as a table. Each changes it, or says that there is nothing to change."""

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any

Resource = dict[str, Any]
Node = Any
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_REQUIRED = ("status", "code", "subject", "patient", "intent", "name", "identifier", "category", "lifecycleStatus")
_CODES = ("status", "gender", "intent", "lifecycleStatus", "docStatus", "mode")
_REFERENCES = ("subject", "patient", "beneficiary", "for")
_CHOICES = (
    ("effectiveDateTime", "effectivePeriod", {"start": "2020-01-01"}),
    ("valueQuantity", "valueString", "x"),
    ("valueCodeableConcept", "valueString", "x"),
    ("onsetDateTime", "onsetString", "x"),
    ("performedDateTime", "performedString", "x"),
    ("medicationCodeableConcept", "medicationReference", {"reference": "Medication/1"}),
    ("deceasedBoolean", "deceasedDateTime", "2020-01-01"),
    ("deceasedDateTime", "deceasedBoolean", True),
)
_US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition"


def _nodes(node: Node) -> Iterator[Resource]:
    """Every object below a resource, not the narrative."""
    for name, child in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(child, dict) and name not in ("text", "meta"):
            yield child
        if isinstance(child, dict | list) and name not in ("text", "meta"):
            yield from _nodes(child)


def _first(resource: Resource, names: tuple[str, ...], skip: int = 0) -> str | None:
    found = [name for name in names if name in resource]
    return found[skip] if len(found) > skip else None


def _without(resource: Resource, name: str | None) -> bool:
    if name is None:
        return False
    del resource[name]
    return True


def _put(resource: Resource, name: str | None, value: Node) -> bool:
    if name is None:
        return False
    resource[name] = value
    return True


def _bad_date(resource: Resource) -> bool:
    for node in (resource, *_nodes(resource)):
        for name, value in node.items():
            if isinstance(value, str) and _DATE.match(value):
                node[name] = "2026-13-45"
                return True
    return False


def _listed(resource: Resource) -> str | None:
    return next((k for k, v in resource.items() if isinstance(v, list) and v and isinstance(v[0], dict)), None)


def _singled(resource: Resource) -> bool:
    name = _listed(resource)
    return _put(resource, name, resource[name][0]) if name else False


def _twice(resource: Resource) -> bool:
    return any(there in resource and _put(resource, other, value) for there, other, value in _CHOICES)


def _reference(resource: Resource, text: str) -> bool:
    name = _first(resource, _REFERENCES)
    return _put(resource, name, {"reference": text})


def _coding(resource: Resource, holder: str, **changes: str) -> bool:
    found = resource.get(holder)
    concept = found[0] if isinstance(found, list) and found else found
    if not isinstance(concept, dict) or not concept.get("coding"):
        return False
    for coding in concept["coding"]:
        coding.update(changes)
        coding.pop("display", None)
    return True


def _add_extension(resource: Resource, extension: Resource) -> bool:
    resource.setdefault("extension", []).append(extension)
    return True


def _extension_below(resource: Resource) -> bool:
    node = next((n for n in _nodes(resource) if "url" not in n and "resourceType" not in n), None)
    return node is not None and _add_extension(node, {"url": f"{_US_CORE}/us-core-birthsex", "valueCode": "F"})


def _deep_unknown(resource: Resource) -> bool:
    node = next(_nodes(resource), None)
    return node is not None and _put(node, "unheardOf", "x")


def _quantity(resource: Resource) -> bool:
    for node in _nodes(resource):
        if "value" in node and "code" in node and "system" in node:
            del node["system"]
            return True
    return False


def _period(resource: Resource) -> bool:
    for node in _nodes(resource):
        if "start" in node and isinstance(node["start"], str):
            node["end"] = "1900-01-01"
            return True
    return False


def _narrative(resource: Resource) -> bool:
    if "text" not in resource:
        return False
    resource["text"]["div"] = '<div xmlns="http://www.w3.org/1999/xhtml"><script>x</script></div>'
    return True


def _other_profile(resource: Resource) -> bool:
    other = "us-core-patient" if resource["resourceType"] != "Patient" else "us-core-encounter"
    resource.setdefault("meta", {})["profile"] = [f"{_US_CORE}/{other}"]
    return True


def _last_element(resource: Resource) -> bool:
    """Often valid: what the profile does not ask for may be left out."""
    names = [name for name in resource if name not in ("resourceType", "id", "meta", "text", "contained")]
    return bool(names) and _without(resource, names[-1])


MUTATIONS: dict[str, Callable[[Resource], bool]] = {
    "required removed": lambda r: _without(r, _first(r, _REQUIRED)),
    "another required removed": lambda r: _without(r, _first(r, _REQUIRED, 1)),
    "last element removed": _last_element,
    "unknown code": lambda r: _put(r, _first(r, _CODES), "no-such-code"),
    "number for a code": lambda r: _put(r, _first(r, _CODES), 5),
    "object for a code": lambda r: _put(r, _first(r, _CODES), {"text": "x"}),
    "bad date": _bad_date,
    "unknown element": lambda r: _put(r, "unheardOf", "x"),
    "unknown element below": _deep_unknown,
    "list for one": lambda r: _put(r, name, [r[name]]) if (name := _first(r, _CODES)) else False,
    "one for a list": _singled,
    "wrong reference target": lambda r: _reference(r, "Medication/1"),
    "reference to nothing contained": lambda r: _reference(r, "#nothing"),
    "slice broken": lambda r: _coding(r, "category", code="no-such-code"),
    "system of a fixed code changed": lambda r: _coding(r, "code", system="https://codes.example/none"),
    "two of a choice": _twice,
    "extension of a wrong type": lambda r: _add_extension(
        r, {"url": f"{_US_CORE}/us-core-birthsex", "valueString": "F"}
    ),
    "extension in a wrong place": _extension_below,
    "extension without url": lambda r: _add_extension(r, {"valueString": "x"}),
    "script in the narrative": _narrative,
    "code of a quantity without system": _quantity,
    "period that ends before it starts": _period,
    "bad id": lambda r: _put(r, "id", "not an id!"),
    "profile of another type": _other_profile,
}


def broken(resource: Resource) -> Iterator[tuple[str, Resource]]:
    """Each applicable mutation of a resource: its name and the changed copy."""
    for name, mutate in MUTATIONS.items():
        changed = copy.deepcopy(resource)
        if mutate(changed):
            yield name, changed
