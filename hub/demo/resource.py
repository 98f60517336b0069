"""The few shapes that every demo resource is made of: ids, references, codings, transaction Bundles.

Rules: https://hl7.org/fhir/R4/datatypes.html and https://hl7.org/fhir/R4/http.html#transaction
Every entry is `PUT Type/<fixed id>`, so loading again writes what is there already.
"""

from collections.abc import Iterable
from typing import Any

from hub.fhir.json import Resource
from hub.fhir.systems import US_CORE

SOURCE = "urn:calaim-hub:demo"


def resource(kind: str, identity: str, profile: str = "", **elements: Any) -> Resource:
    """A resource from the demo source. `profile` is the last part of a US Core profile's URL.

    An element that is None is left out; one that Python reserves has an underscore after it, as `class_`.
    """
    meta: dict[str, Any] = {"source": SOURCE}
    if profile:
        meta["profile"] = [US_CORE + profile]
    present = {name.rstrip("_"): value for name, value in elements.items() if value is not None}
    return {"resourceType": kind, "id": identity, "meta": meta, **present}


def transaction(resources: Iterable[Resource]) -> Resource:
    return {"resourceType": "Bundle", "type": "transaction", "entry": [_entry(r) for r in resources]}


def _entry(found: Resource) -> dict[str, Any]:
    return {"resource": found, "request": {"method": "PUT", "url": f"{found['resourceType']}/{found['id']}"}}


def reference(kind: str, identity: str, display: str = "") -> dict[str, str]:
    found = {"reference": f"{kind}/{identity}"}
    return {**found, "display": display} if display else found


def coding(system: str, code: str, display: str = "") -> dict[str, str]:
    found = {"system": system, "code": code}
    return {**found, "display": display} if display else found


def concept(*codings: dict[str, str], text: str = "") -> dict[str, Any]:
    """A CodeableConcept; where nobody publishes a code, text alone."""
    found: dict[str, Any] = {"coding": list(codings)} if codings else {}
    return {**found, "text": text} if text else found


def telecom(phone: str, email: str, use: str) -> list[dict[str, str]]:
    return [
        {"system": "phone", "value": phone, "use": use},
        {"system": "email", "value": email, "use": use},
    ]
