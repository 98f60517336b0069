"""Entries and references that find their resource by an identifier: sent twice, they find what the first one made.

Rules: https://hl7.org/fhir/R4/http.html#transaction (conditional create, update and references).
"""

from functools import lru_cache
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

Element = dict[str, Any]
_ESCAPES = str.maketrans({char: f"\\{char}" for char in "\\|,$"})
LONGEST_REMEMBERED = 200  # characters: a sender must not fill the memory with its texts


def conditional(resource: Element, system: str, value: str) -> Element:
    """An update of the one resource with this identifier, or its creation."""
    kind = resource["resourceType"]
    request = {"method": "PUT", "url": f"{kind}?{query(system, value)}"}
    return {"fullUrl": full_url(system, kind, value), "resource": resource, "request": request}


def created_once(resource: Element, system: str, value: str, url: str) -> Element:
    """A creation, unless a resource with this identifier is there: that one stays as it is."""
    request = {"method": "POST", "url": resource["resourceType"], "ifNoneExist": query(system, value)}
    return {"fullUrl": url, "resource": resource, "request": request}


def put(reference: str, resource: Element) -> Element:
    version = resource.get("meta", {}).get("versionId")
    request = {"method": "PUT", "url": reference} | ({"ifMatch": f'W/"{version}"'} if version else {})
    return {"resource": resource, "request": request}


def target(entry: Element) -> str:
    """What refers to the entry's resource."""
    reference: str = entry.get("fullUrl") or entry["request"]["url"]
    return reference


def reference(kind: str, system: str, value: str) -> Element:
    """A reference to the one resource with this identifier, wherever it is."""
    return {"reference": f"{kind}?{query(system, value)}"}


def full_url(*parts: str) -> str:
    name = "|".join(parts)
    return _url_of(name) if len(name) <= LONGEST_REMEMBERED else f"urn:uuid:{uuid5(NAMESPACE_URL, name)}"


@lru_cache(maxsize=2048)  # every message names its hospital, its ward and, several times, its own visit
def _url_of(name: str) -> str:
    return f"urn:uuid:{uuid5(NAMESPACE_URL, name)}"


def query(system: str, value: str) -> str:
    """`identifier=system|value` with FHIR's own escapes for | , $ and then URL escapes."""
    return f"identifier={quote(system, safe=':/')}|{quote(escaped(value), safe='')}"


def escaped(value: str) -> str:
    return value.translate(_ESCAPES)
